package verify

import (
	"context"
	"fmt"
)

// A CodeVerifier judges signatures on compiled code: machine code that somebody else
// made of a module. Who may sign it is said rule by rule, by Rule.CompiledCode alone,
// and a rule that says nothing trusts nobody. It is safe for concurrent use.
type CodeVerifier struct {
	rules *Verifier
	code  map[string]*Verifier // by digest of the rule's place
}

// NewCode returns the CodeVerifier of a trust policy, or nil where no rule of it names
// anybody for compiled code.
func NewCode(p TrustPolicy) (*CodeVerifier, error) {
	var out *CodeVerifier
	for i := range p.Rules {
		if len(p.Rules[i].CompiledCode) == 0 {
			continue
		}
		if out == nil {
			rules, err := New(p)
			if err != nil {
				return nil, err
			}
			out = &CodeVerifier{rules: rules, code: map[string]*Verifier{}}
		}
		v, err := New(TrustPolicy{Root: p.Root, Rules: []Rule{*p.Rules[i].forCode()}})
		if err != nil {
			return nil, err
		}
		out.code[place(i)] = v
	}
	return out, nil
}

func place(i int) string { return fmt.Sprintf("rules[%d]", i) }

// forCode is the rule by which compiled code is judged: one of those named for it must
// have signed, and nothing that is asked of the function itself counts.
func (r *Rule) forCode() *Rule {
	return &Rule{Name: r.Name, Match: r.Match, Authorities: r.CompiledCode, AnyRepository: r.AnyRepository}
}

// covering gives the verifier of the rule that decides about a reference; nil where
// that rule names nobody for compiled code.
func (c *CodeVerifier) covering(reference string) *Verifier {
	if c == nil {
		return nil
	}
	r, err := c.rules.match(reference)
	if err != nil {
		return nil
	}
	for i := range c.rules.rules {
		if r == &c.rules.rules[i] {
			return c.code[place(i)]
		}
	}
	return nil
}

// Covers reports whether compiled code may be taken for a reference at all.
func (c *CodeVerifier) Covers(reference string) bool { return c.covering(reference) != nil }

// Verify says who signed compiled code of the function at reference, as it was
// written. s is the code's own artifact. It answers as Verifier.Verify does.
func (c *CodeVerifier) Verify(ctx context.Context, reference string, s Subject, evidence []Evidence) (*Provenance, error) {
	v := c.covering(reference)
	if v == nil {
		return nil, &RefusalError{Code: "verify.no_code_rule", Message: fmt.Sprintf("nobody is trusted to have compiled %q", reference), Hint: "name who may under compiledCode in the trust policy's rule"}
	}
	return v.Verify(ctx, s, evidence)
}
