package policy_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
)

// tinyFacts are of a function that every policy we ship allows.
func tinyFacts() policy.Facts {
	facts := someFacts()
	facts.Module.Imports = []policy.Import{{Module: "wasi_snapshot_preview1", Name: "fd_read", Kind: "func", Class: "stdio"}}
	facts.Module.ImportClasses = nil
	facts.Verified.Attestations[0].Predicate = json.RawMessage(`{"runDetails":{"builder":{"id":"https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.1.0"}}}`)
	return facts
}

// What each policy that we ship grants a function that it allows.
func TestShippedDecisions(t *testing.T) {
	grants := map[string]policy.Decision{}
	for _, name := range []string{"baseline", "ci-gate", "generators", "strict", "third-party"} {
		cfg := shipped(t)
		sources, err := policy.SourcesFS(policies.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Sources = sources
		if params, err := policies.FS.ReadFile(name + "/params.json"); err == nil {
			cfg.Params = params
		}
		d := admit(t, cfg, tinyFacts())
		if !d.Allow {
			t.Errorf("%s: Admit = %+v, want allow", name, d)
		}
		grants[name] = scrub(d)
	}
	golden(t, "shipped.golden.json", indent(t, grants))
}

// What a policy refuses gets no grant and no value of a Secret in a trial, and
// sees no more than the policy would have shown.
func TestWaivedHandsNothingOver(t *testing.T) {
	const refuses = `package krmsafe.admit

allow := false

reasons contains {"id": "a.b", "message": "m"}

grants := {"clock": true, "random": true, "stdioPaths": true}

limits := {"fuel": 7}
`
	for given, want := range map[string]string{
		policy.SecretsValues: policy.SecretsPlaceholders, policy.SecretsPlaceholders: policy.SecretsPlaceholders, policy.SecretsHidden: policy.SecretsHidden,
	} {
		view := `view := {"secrets": "` + given + `", "match": [{"kind": "ConfigMap"}], "exclude": [{"name": "db"}]}`
		d := admit(t, withRego(t, refuses+view), someFacts())
		if d.Waived == nil {
			t.Fatalf("%s: Admit = %+v, want a trial", given, d)
		}
		w := d.Waived
		if w.Grants != (policy.Grants{}) || w.View.Secrets != want || w.Limits.Fuel != 7 || len(w.View.Match) != 1 || len(w.View.Exclude) != 1 {
			t.Errorf("%s: waived %+v", given, w)
		}
	}
}

// A policy that only its own reasons hold up says what it would have granted;
// one that is itself at fault does not.
func TestWaived(t *testing.T) {
	unsigned := someFacts()
	unsigned.Verified = policy.Verified{}
	d := admit(t, shipped(t), unsigned)
	if d.Allow || d.Waived == nil || d.Waived.Allow || d.Waived.Limits == (policy.Limits{}) || d.Limits != (policy.Limits{}) {
		t.Errorf("Admit = %+v, waived %+v", d, d.Waived)
	}
	for _, rego := range []string{
		"allow := 1\nreasons contains {\"id\": \"a.b\", \"message\": \"m\"}\n", "allow := false\n",
		"allow if input.verified.signed\nreasons contains {\"id\": \"a.b\", \"message\": \"m\"}\n", "allow := to_number(input.request.reference) == 1\n",
	} {
		if d := admit(t, withRego(t, "package krmsafe.admit\n\n"+rego), someFacts()); d.Allow || d.Waived != nil {
			t.Errorf("%q: Admit = %+v, waived %+v; want nothing waived", rego, d, d.Waived)
		}
	}
	if d, err := load(t, shipped(t)).Admit(context.Background(), someFacts()); err != nil || !d.Allow || d.Waived != nil {
		t.Errorf("Admit = %+v, waived %+v", d, d.Waived)
	}
}
