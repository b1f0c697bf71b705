package pipeline_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
)

// TestModuleIsJudgedOnce takes the signed image and the file away after their
// first run: what was verified then is what runs on.
func TestModuleIsJudgedOnce(t *testing.T) {
	key, err := sigstore.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	image := publish(t, asm.Cat(), &key)
	signed := setup{key: key.PublicPEM()}.pipeline(t)
	first := run(t, signed, pipeline.Request{Image: image})
	if !first.Outcome.OK || len(first.Signatures) != 1 {
		t.Fatalf("%+v", first.Outcome)
	}
	if err := os.RemoveAll(strings.TrimSuffix(strings.TrimPrefix(image, "oci-layout:"), ":v1")); err != nil {
		t.Fatal(err)
	}
	second := run(t, signed, pipeline.Request{Image: image})
	if !second.Outcome.OK {
		t.Fatalf("%+v", second.Outcome)
	}
	for _, pair := range [][2]any{
		{first.Function, second.Function}, {first.Signatures, second.Signatures}, {first.Trust, second.Trust}, {first.Policy, second.Policy},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("the second run tells another story:\n%s", diff)
		}
	}
}

// TestFileThatChangesBetweenRuns puts another module where the first was.
func TestFileThatChangesBetweenRuns(t *testing.T) {
	p := setup{}.pipeline(t)
	name := file(t, asm.Cat())
	first := run(t, p, pipeline.Request{File: name})
	if err := os.WriteFile(name, asm.Trap(), 0o600); err != nil {
		t.Fatal(err)
	}
	second := run(t, p, pipeline.Request{File: name})
	if !second.Outcome.OK || second.Function.ModuleDigest != first.Function.ModuleDigest {
		t.Errorf("%+v %+v", second.Outcome, second.Function)
	}
}

// TestWhatCouldNotBeJudgedIsTriedAgain names a file that is there only later.
func TestWhatCouldNotBeJudgedIsTriedAgain(t *testing.T) {
	p := setup{}.pipeline(t)
	name := file(t, asm.Cat())
	if err := os.Rename(name, name+".away"); err != nil {
		t.Fatal(err)
	}
	req := pipeline.Request{File: name, Input: list(t), FailOn: krm.SeverityError}
	p.Prefetch(context.Background(), []pipeline.Request{req, req})
	if _, err := p.Run(context.Background(), req); err == nil {
		t.Fatal("a file that is not there was judged")
	}
	if err := os.Rename(name+".away", name); err != nil {
		t.Fatal(err)
	}
	if report := run(t, p, req); !report.Outcome.OK {
		t.Errorf("%+v", report.Outcome)
	}
}

// TestRunsSideBySide prefetches and runs one module many times at once, beside
// one that is refused.
func TestRunsSideBySide(t *testing.T) {
	p := setup{}.pipeline(t)
	good, bad := file(t, asm.Cat()), file(t, []byte("no module"))
	requests := []pipeline.Request{{File: good}, {File: bad}, {File: good}, {File: bad}}
	p.Prefetch(context.Background(), requests)
	var group sync.WaitGroup
	reports := make([]*pipeline.Report, len(requests))
	for i, req := range requests {
		req.Input, req.FailOn = list(t), krm.SeverityError
		group.Go(func() { reports[i], _ = p.Run(context.Background(), req) })
	}
	group.Wait()
	for i, report := range reports {
		if report == nil || report.Outcome.OK != (i%2 == 0) {
			t.Errorf("%d: %+v", i, report)
		}
	}
}

// TestContextThatEndsWhileAnotherLooks gives up a run, and not the next one.
func TestContextThatEndsWhileAnotherLooks(t *testing.T) {
	p := setup{}.pipeline(t)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	req := pipeline.Request{File: file(t, asm.Cat()), Input: list(t), FailOn: krm.SeverityError}
	if report, err := p.Run(ended, req); err == nil && report.Outcome.OK {
		t.Error("a run whose context has ended went well")
	}
	if report := run(t, p, req); !report.Outcome.OK {
		t.Errorf("%+v", report.Outcome)
	}
}
