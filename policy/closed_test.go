package policy_test

import (
	"testing"

	"github.com/krmsafe/krmsafe/policy"
)

// TestClosedAllowsNothing asks it both questions.
func TestClosedAllowsNothing(t *testing.T) {
	p := policy.Closed()
	admitted, err := p.Admit(t.Context(), policy.Facts{})
	if err != nil || admitted.Allow || len(admitted.Reasons) == 0 {
		t.Errorf("Admit = %+v, %v; want a refusal with a reason", admitted, err)
	}
	checked, err := p.Check(t.Context(), policy.Changes{})
	if err != nil || checked.Allow || len(checked.Reasons) == 0 {
		t.Errorf("Check = %+v, %v; want a refusal with a reason", checked, err)
	}
	if p.Digest() != "" {
		t.Errorf("Digest = %q, want none", p.Digest())
	}
}
