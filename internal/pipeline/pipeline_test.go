package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
	"github.com/krmsafe/krmsafe/policy"
)

// publish packs a module into a layout, signed by a key or by nobody.
func publish(t *testing.T, module []byte, key *sigstore.Key) string {
	t.Helper()
	blobs := layout.Blobs{}
	artifact := blobs.CNCF(module, map[string]string{"org.opencontainers.image.vendor": "Acme"})
	entries := []layout.Descriptor{artifact.Named("v1")}
	if key != nil {
		bundle, err := key.SignBundle(artifact.Digest, map[string]string{"env": "prod"})
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, blobs.Bundle(artifact, bundle))
	}
	dir := t.TempDir()
	if err := blobs.Save(dir, entries...); err != nil {
		t.Fatal(err)
	}
	return "oci-layout:" + dir + ":v1"
}

// TestOrderOfStages mends one fault after the other in a run that has all of
// them, and wants each refusal to be of the earliest stage that is still at
// fault: nothing is judged before what it rests on.
func TestOrderOfStages(t *testing.T) {
	key, err := sigstore.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	const no = careful + `
reasons contains {"id": "org.no", "message": "no", "remedy": ""} if input.request.source == "oci-layout"
`
	component, trap, silent := []byte("\x00asm\x01\x00\x00\x00\x01"), asm.Trap(), asm.Exit(0)
	nowhere := strings.TrimSuffix(publish(t, component, nil), ":v1") + ":v1@sha256:" + strings.Repeat("0", 64)
	steps := []struct {
		name  string
		image string
		rego  string
		stage pipeline.Stage
		exit  int
	}{
		{"everything is wrong", nowhere, no, pipeline.StageFetch, pipeline.ExitRefused},
		{"the digest is right", publish(t, component, nil), no, pipeline.StageVerify, pipeline.ExitRefused},
		{"and it is signed", publish(t, component, &key), no, pipeline.StageInspect, pipeline.ExitRefused},
		{"and a module", publish(t, trap, &key), no, pipeline.StageDecide, pipeline.ExitRefused},
		{"and allowed", publish(t, trap, &key), careful, pipeline.StageRun, pipeline.ExitStopped},
		{"and runs to its end", publish(t, silent, &key), careful, pipeline.StageCheck, pipeline.ExitOutputRefused},
		{"and returns a list", publish(t, asm.Cat(), &key), careful, pipeline.StageDone, pipeline.ExitOK},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			report := run(t, setup{key: key.PublicPEM(), rego: step.rego}.pipeline(t), pipeline.Request{Image: step.image})
			if report.Outcome.Stage != step.stage || report.Outcome.ExitCode() != step.exit {
				t.Errorf("stage %s (%s), exit code %d; want %s, %d", report.Outcome.Stage, report.Outcome.Code, report.Outcome.ExitCode(), step.stage, step.exit)
			}
			if ran := report.Run != nil; ran != (step.stage == pipeline.StageRun || step.stage == pipeline.StageCheck || step.stage == pipeline.StageDone) {
				t.Errorf("refused at %s, and it is %t that something ran", step.stage, ran)
			}
		})
	}
}

// TestZeroOutcomeIsAnError holds the zero value closed, and every outcome that
// contradicts itself.
func TestZeroOutcomeIsAnError(t *testing.T) {
	for _, o := range []pipeline.Outcome{{}, {OK: true}, {OK: true, Stage: pipeline.StageCheck}, {Stage: pipeline.StageDone}, {Stage: "other"}, {Stage: pipeline.StageError}} {
		if got := o.ExitCode(); got != pipeline.ExitError {
			t.Errorf("%+v: exit code %d, want %d", o, got, pipeline.ExitError)
		}
	}
}

// TestFactsOfARealRequest is the exact document that a policy sees.
func TestFactsOfARealRequest(t *testing.T) {
	key, err := os.ReadFile("../../testdata/signed/cosign3-key.pub")
	if err != nil {
		t.Fatal(err)
	}
	input, err := krm.ReadPath("../../testdata/resources/shop", krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile("../../testdata/resources/set-metadata.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if input.FunctionConfig, err = krm.ParseConfig("set-metadata.yaml", config, krm.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	p := setup{key: key}.pipeline(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("../../testdata/signed")
	facts, report, err := p.Inspect(context.Background(), pipeline.Request{
		Image: "oci-layout:cosign3-key:v1", NamedBy: pipeline.NamedByFlag, Input: input, FailOn: pipeline.FailNever,
	})
	if err != nil || report.Outcome.Stage != "" {
		t.Fatal(err, report)
	}
	if !facts.Verified.Signed {
		t.Errorf("not verified: %+v", report.Rejected)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(facts); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b.Bytes(), []byte("null")) {
		t.Error("something in the facts is null")
	}
	t.Chdir(here)
	golden(t, "facts.json", b.Bytes())
}

// TestSecretsAreNotShown runs a function that returns what it sees, and another
// that is shown the same with one letter of a placeholder changed.
func TestSecretsAreNotShown(t *testing.T) {
	report := run(t, setup{}.pipeline(t), pipeline.Request{File: file(t, asm.Cat())})
	if !report.Outcome.OK || report.View.Redacted != 1 || report.View.Secrets != policy.SecretsPlaceholders || len(report.Changes) != 0 {
		t.Fatalf("%+v %+v %+v", report.Outcome, report.View, report.Changes)
	}
	out, err := report.Emit.Encode()
	if err != nil || string(out) != settings {
		t.Errorf("what was returned is not what was given: %v\n%s", err, cmp.Diff(settings, string(out)))
	}
	hidden := run(t, setup{rego: careful + `view := {"secrets": "hidden"}`}.pipeline(t), pipeline.Request{File: file(t, asm.Cat())})
	if hidden.View.Seen != 1 || hidden.View.HeldBack != 1 {
		t.Errorf("hidden: %+v", hidden.View)
	}
	out, err = hidden.Emit.Encode()
	if err != nil || string(out) != settings {
		t.Errorf("what was hidden is not back: %v\n%s", err, out)
	}
}

// TestRequestAndPolicyNarrowTheViewTogether shows what both show.
func TestRequestAndPolicyNarrowTheViewTogether(t *testing.T) {
	p := setup{rego: careful + `view := {"match": [{"kind": "ConfigMap"}]}`}.pipeline(t)
	req := pipeline.Request{File: file(t, asm.Cat()), View: pipeline.Selection{Match: []policy.Selector{{Kind: "Secret"}}}}
	report := run(t, p, req)
	if !report.Outcome.OK || report.View.Seen != 0 || report.View.HeldBack != 2 {
		t.Errorf("%+v %+v", report.Outcome, report.View)
	}
	if got := report.View; len(got.Request.Match) != 1 || len(got.Policy.Match) != 1 {
		t.Errorf("the report does not say who chose: %+v", got)
	}
}

// TestTermsBind has the policy choose the engine, the least jail and limits, and
// the request ask for something else.
func TestTermsBind(t *testing.T) {
	cat := file(t, asm.Cat())
	t.Run("engine", func(t *testing.T) {
		p := setup{rego: careful + `engine := "interpreter"`}.pipeline(t)
		if got := run(t, p, pipeline.Request{File: cat}).Run.Engine; got != policy.EngineInterpreter {
			t.Errorf("it ran in the %s", got)
		}
	})
	t.Run("engine that the request contradicts", func(t *testing.T) {
		p := setup{rego: careful + `engine := "interpreter"`, engine: policy.EngineCompiler}.pipeline(t)
		wantUsage(t, p, pipeline.Request{File: cat})
	})
	t.Run("limit above the policy's", func(t *testing.T) {
		p := setup{rego: careful + `limits := {"memoryPages": 16}`}.pipeline(t)
		wantUsage(t, p, pipeline.Request{File: cat, Lower: policy.Limits{MemoryPages: 17}})
	})
	t.Run("jail", func(t *testing.T) {
		p := setup{rego: careful + `jail := "full"`, jail: policy.JailNone}.pipeline(t)
		report := run(t, p, pipeline.Request{File: cat})
		if report.Outcome.Code != "policy.jail" || report.Run != nil {
			t.Errorf("%+v", report.Outcome)
		}
	})
	t.Run("lesser jail that the policy accepts", func(t *testing.T) {
		p := setup{rego: careful + `jail := "none"`, jail: policy.JailNone}.pipeline(t)
		report := run(t, p, pipeline.Request{File: cat})
		if !report.Outcome.OK || len(report.Run.Jail.Missing) == 0 || report.Warnings[len(report.Warnings)-1].ID != "jail.incomplete" {
			t.Errorf("%+v %+v %+v", report.Outcome, report.Run, report.Warnings)
		}
	})
	t.Run("unknown role", func(t *testing.T) {
		wantUsage(t, setup{}.pipeline(t), pipeline.Request{File: cat, Role: "other"})
	})
}

func wantUsage(t *testing.T, p *pipeline.Pipeline, req pipeline.Request) {
	t.Helper()
	req.Input, req.FailOn = list(t), krm.SeverityError
	var usage *pipeline.UsageError
	if report, err := p.Run(context.Background(), req); !errors.As(err, &usage) {
		t.Errorf("Run = %+v, %v; want a usage error", report, err)
	}
}

// TestWarnWaivesTheRefusalAlone runs under the limits that the policy would have
// granted, and never without them.
func TestWarnWaivesTheRefusalAlone(t *testing.T) {
	const no = careful + `
reasons contains {"id": "org.no", "message": "no", "remedy": ""} if input.request.source == "file"

limits := {"memoryPages": 16, "fuel": 100000, "timeout": "5s", "compileTimeout": "4s"}
`
	s := setup{rego: no, mode: pipeline.ModeWarn}
	report := run(t, s.pipeline(t), pipeline.Request{File: file(t, asm.Cat())})
	if !report.Outcome.OK || !report.Outcome.Waived || report.Policy.Allow || report.Policy.Limits.MemoryPages != 16 {
		t.Errorf("%+v %+v", report.Outcome, report.Policy)
	}
	report = run(t, s.pipeline(t), pipeline.Request{File: file(t, asm.Spin())})
	if report.Outcome.Stage != pipeline.StageRun || !strings.HasPrefix(report.Outcome.Code, "limit.") {
		t.Errorf("spin: %+v", report.Outcome)
	}
	s.rego = `default allow := false

limits := {"fuel": "all"}`
	report = run(t, s.pipeline(t), pipeline.Request{File: file(t, asm.Cat())})
	if report.Outcome.Code != "policy.denied" {
		t.Errorf("a policy at fault: %+v", report.Outcome)
	}
}

// TestConfigIsClosed leaves out what must not be left out.
func TestConfigIsClosed(t *testing.T) {
	if _, err := pipeline.New(pipeline.Config{}); err == nil {
		t.Error("a pipeline of nothing")
	}
	report := run(t, setup{distrust: true}.pipeline(t), pipeline.Request{File: file(t, asm.Cat())})
	if report.Outcome.Code != "verify.unsigned_file" {
		t.Errorf("%+v", report.Outcome)
	}
}

// TestListsAreNeverNull holds for reports of every stage.
func TestListsAreNeverNull(t *testing.T) {
	p := setup{}.pipeline(t)
	reports := map[string]*pipeline.Report{
		"new":     pipeline.NewReport(),
		"done":    run(t, p, pipeline.Request{File: file(t, asm.Cat())}),
		"stopped": run(t, p, pipeline.Request{File: file(t, asm.Trap())}),
		"refused": run(t, p, pipeline.Request{File: file(t, []byte("no module"))}),
		"output":  run(t, p, pipeline.Request{File: file(t, asm.Exit(0))}),
	}
	for name, report := range reports {
		text, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		nulls(t, name, doc)
	}
}

// nulls complains of every null but those of parts that may be absent.
func nulls(t *testing.T, path string, v any) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		switch filepath.Base(path) {
		case "run", "check", "before", "after":
		default:
			t.Errorf("%s is null", path)
		}
	case map[string]any:
		for k, child := range v {
			nulls(t, path+"/"+k, child)
		}
	case []any:
		for _, child := range v {
			nulls(t, path+"/", child)
		}
	}
}
