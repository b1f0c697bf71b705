package policy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/krmsafe/krmsafe/policy"
)

func someChanges() policy.Changes {
	return policy.Changes{
		Request: someFacts().Request, Verified: someFacts().Verified, Function: policy.FunctionRole{Role: policy.RoleTransformer},
		Granted: policy.ChangeGrant{Only: []string{policy.AllowanceAny}},
		Changes: []policy.Change{{
			Op: policy.OpReplace, Resource: policy.ResourceID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"},
			Path: []string{"spec", "template", "spec", "containers", "[name=web]", "image"}, Pointer: "/spec/template/spec/containers/0/image",
			Before: json.RawMessage(`"nginx:1"`), After: json.RawMessage(`"nginx:2"`),
		}},
		Summary: policy.ChangeSummary{Changed: 1, KindsChanged: []string{"apps/Deployment"}},
		Results: []policy.FnResult{{Message: "done", Severity: "info"}},
	}
}

func TestChangesGolden(t *testing.T) {
	golden(t, "changes.golden.json", indent(t, someChanges().Normalize()))
}

func TestChangesAlwaysPresent(t *testing.T) {
	text := indent(t, policy.Changes{}.Normalize())
	if bytes.Contains(text, []byte("null")) {
		t.Errorf("zero changes have a null:\n%s", text)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	mustHaveAll(t, "input", policy.ChangesSchema(), value)
}

func TestCheckBaseline(t *testing.T) {
	p := load(t, shipped(t))
	tests := []struct {
		name  string
		spoil func(*policy.Changes)
		want  string
	}{
		{"image", func(*policy.Changes) {}, ""},
		{"image under an allowance", func(c *policy.Changes) { c.Granted.Only = []string{"images"} }, ""},
		{"image outside the allowance", func(c *policy.Changes) { c.Granted.Only = []string{"namespace"} }, "output.outside_allowance"},
		{"no grant at all", func(c *policy.Changes) { c.Granted = policy.ChangeGrant{} }, "output.outside_allowance"},
		{"removal", func(c *policy.Changes) {
			c.Changes = append(c.Changes, policy.Change{Op: policy.OpRemove, Resource: policy.ResourceID{Version: "v1", Kind: "ConfigMap", Name: "x"}, Before: json.RawMessage(`{}`)})
		}, "output.removed"},
		{"validator", func(c *policy.Changes) { c.Function.Role = policy.RoleValidator }, "output.validator"},
		{"no role", func(c *policy.Changes) { c.Function.Role = "" }, "output.role"},
		{"odd value in a new object", func(c *policy.Changes) {
			c.Changes = append(c.Changes, policy.Change{Op: policy.OpAdd, Resource: policy.ResourceID{Version: "v1", Kind: "ConfigMap", Name: "x"}, After: json.RawMessage(`{"metadata":"text"}`)})
		}, policy.ReasonBuiltin},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			changes := someChanges()
			test.spoil(&changes)
			d, err := p.Check(context.Background(), changes)
			if got := ids(d.Reasons); err != nil || got != test.want || d.Allow != (test.want == "") || d.Policy != p.Digest() {
				t.Errorf("Check = allow %v, reasons %q, %v; want %q", d.Allow, got, err, test.want)
			}
		})
	}
}

// The grant of an admission reaches the output policy as it was decided.
func TestGrantReachesOutput(t *testing.T) {
	p := load(t, withRego(t, `package krmsafe.admit

import data.krmsafe.lib.signature

reasons contains r if some r in signature.required

default allow := false

allow if count(reasons) == 0

changes := {"only": ["fields"], "fields": [{"group": "apps", "kind": "Deployment", "pointer": "/spec/template/spec/containers/*/image"}]}
`))
	d, err := p.Admit(context.Background(), someFacts())
	if err != nil || !d.Allow {
		t.Fatalf("Admit = %+v, %v", d, err)
	}
	changes := someChanges()
	changes.Granted = d.Changes
	if d, err := p.Check(context.Background(), changes); err != nil || !d.Allow {
		t.Errorf("Check = %+v, %v; want allow", d, err)
	}
	changes.Changes[0].Path[5] = "command"
	if d, err := p.Check(context.Background(), changes); err != nil || ids(d.Reasons) != "output.outside_allowance" {
		t.Errorf("Check = %+v, %v; want output.outside_allowance", d, err)
	}
}

func TestNoOutputPolicyRefuses(t *testing.T) {
	cfg := shipped(t)
	var admitOnly []policy.Source
	for _, s := range cfg.Defaults {
		if bytes.Contains(s.Text, []byte("package krmsafe.admit")) {
			admitOnly = append(admitOnly, s)
		}
	}
	cfg.Defaults = admitOnly
	d, err := load(t, cfg).Check(context.Background(), policy.Changes{})
	if err != nil || d.Allow || ids(d.Reasons) != policy.ReasonUndefined {
		t.Errorf("Check = %+v, %v; want %s", d, err, policy.ReasonUndefined)
	}
}
