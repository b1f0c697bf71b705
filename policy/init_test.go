package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/policy"
)

func draft(t *testing.T, cfg policy.InitConfig) *policy.Draft {
	t.Helper()
	s := shipped(t)
	cfg.Library, cfg.Defaults = s.Library, s.Defaults
	d, err := policy.Init(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func loadDraft(t *testing.T, d *policy.Draft) *policy.Policy {
	t.Helper()
	cfg := withRego(t, string(d.Rego))
	p, err := policy.Load(context.Background(), cfg)
	if err != nil {
		t.Fatalf("the draft does not load: %v\n%s", err, d.Rego)
	}
	return p
}

func variedChanges() policy.Changes {
	deployment := policy.ResourceID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	changes := someChanges() // an image
	changes.Changes = append(changes.Changes,
		policy.Change{Op: policy.OpAdd, Resource: deployment, Path: []string{"metadata", "labels", "team"}, Pointer: "/metadata/labels/team", After: json.RawMessage(`"x"`)},
		policy.Change{
			Op: policy.OpReplace, Resource: deployment, Path: []string{"spec", "template", "spec", "containers", "[name=web]", "env", "[name=a/b]", "value"},
			Pointer: "/spec/template/spec/containers/0/env/0/value", Before: json.RawMessage(`"x"`), After: json.RawMessage(`"y"`),
		},
		policy.Change{Op: policy.OpAdd, Resource: policy.ResourceID{Version: "v1", Kind: "ConfigMap", Name: "new"}, After: json.RawMessage(`{"data": {}}`)},
		policy.Change{Op: policy.OpRemove, Resource: policy.ResourceID{Version: "v1", Kind: "Service", Name: "old"}, Before: json.RawMessage(`{}`)},
		policy.Change{Op: policy.OpReplace, Resource: policy.ResourceID{Version: "v1", Kind: "Secret", Name: "s"}, Path: []string{"type"}, Pointer: "/type", Before: json.RawMessage(`"a"`), After: json.RawMessage(`"b"`)},
	)
	return changes
}

// The policy that is drawn from a run allows that run, and its grant is no
// larger than the run.
func TestInitAllowsWhatItSaw(t *testing.T) {
	changes := variedChanges()
	usage := &policy.Usage{MemoryPages: 300, Fuel: 1_234_567_890, Wall: 1500 * time.Millisecond, Compile: 700 * time.Millisecond, OutputBytes: 100_000, StderrBytes: 10}
	d := draft(t, policy.InitConfig{Facts: someFacts(), Changes: &changes, Usage: usage})
	golden(t, "init.golden.rego", d.Rego)
	p := loadDraft(t, d)
	got, err := p.Admit(context.Background(), someFacts())
	if err != nil || !got.Allow {
		t.Fatalf("Admit = %+v, %v", got, err)
	}
	if l := got.Limits; l.MemoryPages < usage.MemoryPages || l.Fuel < usage.Fuel || l.Timeout < usage.Wall || l.OutputBytes < usage.OutputBytes {
		t.Errorf("limits %+v are below what was used", l)
	}
	changes.Granted = got.Changes
	checked, err := p.Check(context.Background(), changes)
	if err != nil || !checked.Allow {
		t.Fatalf("Check = %+v, %v", checked, err)
	}
	for _, more := range []policy.Change{
		{Op: policy.OpAdd, Resource: policy.ResourceID{Version: "v1", Kind: "Pod", Name: "new"}, After: json.RawMessage(`{}`)},
		{Op: policy.OpRemove, Resource: policy.ResourceID{Version: "v1", Kind: "ConfigMap", Name: "old"}, Before: json.RawMessage(`{}`)},
		{Op: policy.OpReplace, Resource: policy.ResourceID{Version: "v1", Kind: "Secret", Name: "s"}, Path: []string{"data", "x"}, Pointer: "/data/x"},
		{Op: policy.OpReplace, Resource: changes.Changes[0].Resource, Path: []string{"spec", "replicas"}, Pointer: "/spec/replicas"},
	} {
		c := changes
		c.Changes = []policy.Change{more}
		if checked, err := p.Check(context.Background(), c); err != nil || checked.Allow {
			t.Errorf("Check of %s %s %v = %+v, %v; want a refusal", more.Op, more.Resource.Kind, more.Path, checked, err)
		}
	}
}

// A function that sets namespaces is granted that, and neither removal nor
// addition.
func TestInitOfMove(t *testing.T) {
	changes := someChanges()
	changes.Changes = nil
	for namespace, op := range map[string]string{"a": policy.OpRemove, "b": policy.OpAdd} {
		c := policy.Change{Op: op, Resource: policy.ResourceID{Version: "v1", Kind: "ConfigMap", Namespace: namespace, Name: "x"}}
		body := json.RawMessage(`{"metadata": {"name": "x", "namespace": "` + namespace + `"}}`)
		if op == policy.OpAdd {
			c.After = body
		} else {
			c.Before = body
		}
		changes.Changes = append(changes.Changes, c)
	}
	p := loadDraft(t, draft(t, policy.InitConfig{Facts: someFacts(), Changes: &changes}))
	d, err := p.Admit(context.Background(), someFacts())
	if err != nil || strings.Join(d.Changes.Only, " ") != "namespace" || len(d.Changes.Add)+len(d.Changes.Remove) > 0 {
		t.Fatalf("Admit = %+v, %v; want a grant of namespace alone", d, err)
	}
	changes.Granted = d.Changes
	if d, err := p.Check(context.Background(), changes); err != nil || !d.Allow {
		t.Errorf("Check = %+v, %v", d, err)
	}
}

// What is granted for one change is not granted again for the next.
func TestInitGrantsOnce(t *testing.T) {
	secret := policy.ResourceID{Version: "v1", Kind: "Secret", Namespace: "shop", Name: "s"}
	changes := someChanges()
	changes.Changes = nil
	for _, field := range []string{"labels", "annotations"} {
		changes.Changes = append(changes.Changes, policy.Change{
			Op: policy.OpAdd, Resource: secret, Path: []string{"metadata", field, "team"}, Pointer: "/metadata/" + field + "/team", After: json.RawMessage(`"x"`),
		})
	}
	d := draft(t, policy.InitConfig{Facts: someFacts(), Changes: &changes})
	got, err := loadDraft(t, d).Admit(context.Background(), someFacts())
	if err != nil || len(got.Changes.Only) != 1 || len(got.Changes.Protected) != 1 || len(d.Notes) != 1 {
		t.Errorf("granted %+v with notes %q, %v; want one allowance, one protected kind and one note", got.Changes, d.Notes, err)
	}
}

// It refuses the module's neighbours.
func TestInitRefusesOthers(t *testing.T) {
	changes := someChanges()
	p := loadDraft(t, draft(t, policy.InitConfig{Facts: someFacts(), Changes: &changes}))
	for want, spoil := range map[string]func(*policy.Facts){
		"signature.signer":    func(f *policy.Facts) { f.Verified.Signatures[0].KeyID = "sha256:other" },
		"source.repository":   func(f *policy.Facts) { f.Request.Repository = "acme/other" },
		"source.not_pinned":   func(f *policy.Facts) { f.Request.Pinned = false },
		"module.import_class": func(f *policy.Facts) { f.Module.ImportClasses = []string{"net"} },
		"module.feature":      func(f *policy.Facts) { f.Module.Features = []string{"simd"} },
		"module.size":         func(f *policy.Facts) { f.Module.SizeBytes *= 2 },
		"limits.memory":       func(f *policy.Facts) { f.Module.Memory.MinPages = 60000 },
		"signature.missing signature.signer": func(f *policy.Facts) {
			f.Verified = policy.Verified{}
			f.Request.Flags.AllowUnsigned = true
		},
	} {
		facts := someFacts()
		spoil(&facts)
		if d, err := p.Admit(context.Background(), facts); err != nil || ids(d.Reasons) != want {
			t.Errorf("Admit = %q, %v; want %q", ids(d.Reasons), err, want)
		}
	}
}

// A module that nobody signed and no run: the draft loads, says what is
// missing, and lets nothing change.
func TestInitOfLittle(t *testing.T) {
	facts := someFacts()
	facts.Verified = policy.Verified{}
	facts.Request = policy.Request{Source: "file", Reference: "fn.wasm"}
	d := draft(t, policy.InitConfig{Facts: facts})
	if len(d.Notes) != 2 || !strings.Contains(string(d.Rego), "# Note: the module is not signed") {
		t.Errorf("notes are %q in\n%s", d.Notes, d.Rego)
	}
	p := loadDraft(t, d)
	facts.Verified.Signed = true
	got, err := p.Admit(context.Background(), facts)
	if err != nil || !got.Allow || len(got.Changes.Only) != 0 {
		t.Errorf("Admit = %+v, %v", got, err)
	}
}

// A module that nobody signed, and that the operator accepts, is pinned by its
// digest: nothing else of it proves anything.
func TestInitPinsTheUnsigned(t *testing.T) {
	facts := someFacts()
	facts.Verified = policy.Verified{}
	facts.Request = policy.Request{Source: "file", Reference: "fn.wasm", Flags: policy.Flags{AllowUnsigned: true, RequireJail: "full"}}
	d := draft(t, policy.InitConfig{Facts: facts})
	golden(t, "init-unsigned.golden.rego", d.Rego)
	p := loadDraft(t, d)
	for want, spoil := range map[string]func(*policy.Facts){
		"":                  func(*policy.Facts) {},
		"module.pinned":     func(f *policy.Facts) { f.Module.Digest = "sha256:other" },
		"signature.missing": func(f *policy.Facts) { f.Request.Flags.AllowUnsigned = false },
	} {
		spoilt := facts
		spoil(&spoilt)
		if d, err := p.Admit(context.Background(), spoilt); err != nil || ids(d.Reasons) != want || d.Allow != (want == "") {
			t.Errorf("Admit = %v %q, %v; want %q", d.Allow, ids(d.Reasons), err, want)
		}
	}
}

// What no grant can lift is said, not granted.
func TestInitOfAttack(t *testing.T) {
	changes := someChanges()
	changes.Changes = []policy.Change{{
		Op: policy.OpAdd, Resource: policy.ResourceID{Version: "v1", Kind: "ConfigMap", Name: "x"}, Path: []string{"metadata", "annotations", "config.kubernetes.io/function"},
		Pointer: "/metadata/annotations/config.kubernetes.io~1function", After: json.RawMessage(`"exec: {path: x}"`),
	}}
	d := draft(t, policy.InitConfig{Facts: someFacts(), Changes: &changes})
	if len(d.Notes) != 1 || !strings.Contains(d.Notes[0], "will refuse it") {
		t.Errorf("notes are %q", d.Notes)
	}
	got, err := loadDraft(t, d).Admit(context.Background(), someFacts())
	if err != nil || len(got.Changes.Only) != 0 {
		t.Errorf("Admit = %+v, %v; want no grant", got, err)
	}
}

// Names that the module's author chose stay text.
func TestInitQuotesForeignText(t *testing.T) {
	for _, evil := range []string{
		"x\"\nallow := true #", "x\n\nallow if true\n", "x: {}\n# custom:\n#   id: a", "\u202e\u0085\u2028", "x`\nallow := true\n`", `\u0022`, "😀\x00\x1b[2J", "]}) }\nallow := true",
	} {
		facts := someFacts()
		facts.Request.Reference, facts.Request.Repository, facts.Request.Registry = evil, evil, evil
		facts.Module.Features, facts.Module.ImportClasses = []string{evil}, []string{evil, "fs", "random", "stdio"}
		facts.Verified.Signatures[0].KeyID = evil
		changes := someChanges()
		changes.Changes[0].Resource.Kind, changes.Changes[0].Resource.Name, changes.Changes[0].Path[0] = evil, evil, evil
		d := draft(t, policy.InitConfig{Facts: facts, Changes: &changes})
		for _, r := range string(d.Rego) {
			if r > 0x7e || r < ' ' && r != '\n' && r != '\t' {
				t.Errorf("the draft for %q holds %q", evil, r)
			}
		}
		p := loadDraft(t, d)
		if got, err := p.Admit(context.Background(), facts); err != nil || !got.Allow {
			t.Errorf("Admit of %q = %+v, %v\n%s", evil, got.Reasons, err, d.Rego)
		}
		if got, err := p.Admit(context.Background(), policy.Facts{}); err != nil || got.Allow {
			t.Errorf("the draft for %q allows nothing known: %+v, %v", evil, got, err)
		}
	}
}

func TestInitOfTooMuch(t *testing.T) {
	changes := someChanges()
	changes.Changes = nil
	for i := range 2001 {
		changes.Changes = append(changes.Changes, policy.Change{
			Op: policy.OpReplace, Resource: policy.ResourceID{Version: "v1", Kind: "ConfigMap", Name: "x"}, Path: []string{"metadata", "labels", fmt.Sprint(i)}, Pointer: fmt.Sprintf("/metadata/labels/%d", i),
		})
	}
	s := shipped(t)
	if d, err := policy.Init(context.Background(), policy.InitConfig{Facts: someFacts(), Changes: &changes, Library: s.Library, Defaults: s.Defaults}); err == nil {
		t.Errorf("Init = %s", d.Rego)
	}
}
