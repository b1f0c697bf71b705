package policy_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
)

// Whatever a policy answers: an allow comes only of allow being true, no
// reason against it and nothing unknown beside it, and grants no more than the
// ceilings.
func FuzzDecision(f *testing.F) {
	for _, seed := range []string{
		`{"allow": true}`, `{"allow": true, "reasons": []}`, `{"allow": true, "limits": {"fuel": 1, "timeout": "1s"}}`, `{"allow": "true"}`,
		`{"allow": true, "view": {"secrets": "values", "match": [{"kind": "Pod"}]}, "grants": {"clock": true}}`, `[]`, `null`, `{"allow": true, "x": 1}`,
		`{"allow": true, "changes": {"only": ["fields"], "fields": [{"group": "", "kind": "Pod", "pointer": "/a"}]}, "engine": "auto", "jail": "none"}`,
		`{"allow": false, "reasons": [{"id": "a.b", "message": "m", "remedy": "r"}], "warnings": [{"id": "a", "message": "m"}]}`,
	} {
		f.Add([]byte(seed))
	}
	library, err := policy.SourcesFS(policies.FS, "lib")
	if err != nil {
		f.Fatal(err)
	}
	known := []string{"allow", "reasons", "warnings", "limits", "grants", "view", "changes", "engine", "jail"}
	f.Fuzz(func(t *testing.T, answer []byte) {
		if !json.Valid(answer) {
			return
		}
		cfg := policy.Config{Library: library, Evaluator: loading(func([]byte) ([]byte, error) {
			return slices.Concat([]byte(`{"value":{"json":`), answer, []byte(`}}`)), nil
		})}
		p, err := policy.Load(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Admit(context.Background(), policy.Facts{})
		if err != nil {
			if d.Allow {
				t.Errorf("an error comes with an allow: %+v, %v", d, err)
			}
			return
		}
		if !d.Allow {
			if len(d.Reasons) == 0 || d.Limits != (policy.Limits{}) || d.Engine != "" || d.Jail != "" || len(d.Changes.Only) > 0 {
				t.Errorf("%s: a refusal without a reason, or one that grants: %+v", answer, d)
			}
			return
		}
		var object map[string]any
		if err := json.Unmarshal(answer, &object); err != nil || object["allow"] != true {
			t.Errorf("%s is an allow: %+v", answer, d)
		}
		if reasons, ok := object["reasons"].([]any); object["reasons"] != nil && (!ok || len(reasons) > 0) {
			t.Errorf("%s is an allow against its reasons", answer)
		}
		for key := range object {
			if !slices.Contains(known, key) && !strings.HasPrefix(key, "_") {
				t.Errorf("%s is an allow with the unknown key %q", answer, key)
			}
		}
		most := policy.MaxLimits()
		if l := d.Limits; l.MemoryPages == 0 || l.MemoryPages > most.MemoryPages || l.Fuel == 0 || l.Fuel > most.Fuel || l.Timeout <= 0 || l.Timeout > most.Timeout ||
			l.CompileTimeout <= 0 || l.CompileTimeout > l.Timeout || l.OutputBytes <= 0 || l.OutputBytes > most.OutputBytes ||
			l.TableElements > most.TableElements || l.CallDepth > most.CallDepth || l.CompileBytes > most.CompileBytes || l.StderrBytes > most.StderrBytes {
			t.Errorf("%s grants limits beyond the ceilings: %+v", answer, l)
		}
	})
}
