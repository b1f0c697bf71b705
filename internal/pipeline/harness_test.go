package pipeline_test

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
	"github.com/krmsafe/krmsafe/verify"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	if sandbox.IsChild(os.Args) {
		os.Exit(sandbox.Child(os.Args))
	}
	os.Exit(m.Run())
}

// setup is a pipeline in the making; its zero value judges local files under
// the baseline, unsigned ones too.
type setup struct {
	key      []byte // PEM; unsigned modules are allowed where it is nil
	distrust bool   // nobody is trusted and nothing unsigned is allowed
	rego     string // the operator's policy of admission
	output   string // the operator's policy of the output, a whole Rego module
	mode     pipeline.Mode
	jail     string
	engine   string
	random   io.Reader // of placeholders
}

func (s setup) pipeline(t *testing.T) *pipeline.Pipeline {
	t.Helper()
	client, err := oci.New(oci.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if s.jail == "" {
		s.jail = policy.JailFull
	}
	if s.engine == "" {
		s.engine = policy.EngineAuto
	}
	box, err := sandbox.New(sandbox.Config{Engine: sandbox.Engine(s.engine), Jail: sandbox.Jail(s.jail)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	cfg := pipeline.Config{
		Registry: client, AllowUnsigned: s.key == nil && !s.distrust, Policy: s.policy(t), PolicyName: "test",
		Sandbox: box, Runtime: policy.Runtime{Engine: s.engine, Jail: s.jail, OS: "linux", Arch: "amd64"},
		Date: "2026-11-22", KRM: krm.DefaultLimits(), Mode: s.mode, Random: constant{},
	}
	if s.key != nil {
		cfg.Verifier, err = verify.New(verify.TrustPolicy{Rules: []verify.Rule{{
			Name: "ours", Match: []string{"**"}, Authorities: []verify.Authority{{Name: "acme", Key: &verify.Key{PEM: s.key, Source: "acme.pub"}}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := pipeline.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s setup) policy(t *testing.T) *policy.Policy {
	t.Helper()
	library, err := policy.SourcesFS(policies.FS, "lib")
	if err != nil {
		t.Fatal(err)
	}
	defaults, err := policy.SourcesFS(policies.FS, "baseline")
	if err != nil {
		t.Fatal(err)
	}
	cfg := policy.Config{Library: library, Defaults: defaults}
	if s.rego != "" {
		cfg.Sources = []policy.Source{{Name: "test.rego", Text: []byte("package krmsafe.admit\n" + s.rego)}}
	}
	if s.output != "" {
		cfg.Sources = append(cfg.Sources, policy.Source{Name: "output.rego", Text: []byte(s.output)})
	}
	p, err := policy.Load(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// careful is what a policy of a test begins with.
const careful = `
import data.krmsafe.lib.signature

default allow := false

allow if count(reasons) == 0

reasons contains r if some r in signature.required_or_accepted
`

// file writes a module and gives its path.
func file(t *testing.T, module []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fn.wasm")
	if err := os.WriteFile(name, module, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func list(t *testing.T) *krm.ResourceList {
	t.Helper()
	l, err := krm.Parse([]byte(settings), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const settings = `apiVersion: config.kubernetes.io/v1
kind: ResourceList
items:
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: settings # which
- apiVersion: v1
  kind: Secret
  metadata:
    name: db
  data: {password: aHVudGVyMg==}
`

func run(t *testing.T, p *pipeline.Pipeline, req pipeline.Request) *pipeline.Report {
	t.Helper()
	if req.FailOn == "" {
		req.FailOn = krm.SeverityError
	}
	if req.Input == nil {
		req.Input = list(t)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	report, err := p.Run(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Outcome.OK && report.Emit != nil {
		t.Errorf("refused with %s, and yet there is something to emit", report.Outcome.Code)
	}
	return report
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s (-golden +now; -update rewrites):\n%s", name, cmp.Diff(string(want), string(got)))
	}
}

// constant is a source of numbers that are not random at all.
type constant struct{}

func (constant) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte('a' + i%26)
	}
	return len(p), nil
}
