package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// A CodeVerifier judges signatures on compiled code: machine code that somebody else
// made of a module. Who may sign it is said rule by rule, by Rule.CompiledCode alone,
// and a rule that says nothing trusts nobody. It is safe for concurrent use.
type CodeVerifier struct {
	rules *Verifier
	code  map[string]codeRule // by the rule's place
}

// codeRule is who may sign compiled code according to one rule.
type codeRule struct {
	*Verifier
	voucher string
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
			out = &CodeVerifier{rules: rules, code: map[string]codeRule{}}
		}
		v, err := New(TrustPolicy{Root: p.Root, Rules: []Rule{*p.Rules[i].forCode()}})
		if err != nil {
			return nil, err
		}
		voucher, err := p.Rules[i].voucher(&p.Root)
		if err != nil {
			return nil, err
		}
		out.code[place(i)] = codeRule{v, voucher}
	}
	return out, nil
}

func place(i int) string { return fmt.Sprintf("rules[%d]", i) }

// forCode is the rule by which compiled code is judged: one of those named for it must
// have signed, and nothing that is asked of the function itself counts.
func (r *Rule) forCode() *Rule {
	return &Rule{Name: r.Name, Match: r.Match, Authorities: r.CompiledCode, AnyRepository: r.AnyRepository}
}

// voucher is a digest of all that a signature on compiled code is checked against: two
// rules have the same if and only if they believe the same people on the same terms,
// whatever those are called and wherever their keys were read.
func (r *Rule) voucher(root *TrustRoot) (string, error) {
	terms := struct {
		PublicGood    bool
		Roots         []byte
		AnyRepository bool
		Authorities   []Authority
	}{root.PublicGood, root.JSON, r.AnyRepository, slices.Clone(r.CompiledCode)}
	for i := range terms.Authorities {
		a := &terms.Authorities[i]
		a.Name = ""
		if a.Key != nil {
			key := *a.Key
			key.Source, key.ValidFrom, key.ValidUntil = "", key.ValidFrom.UTC(), key.ValidUntil.UTC()
			a.Key = &key
		}
	}
	text, err := json.Marshal(terms)
	if err != nil {
		return "", fmt.Errorf("naming who vouches for compiled code: %w", err)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// covering gives the verifier of the rule that decides about a reference; the zero
// codeRule where that rule names nobody for compiled code.
func (c *CodeVerifier) covering(reference string) codeRule {
	if c == nil {
		return codeRule{}
	}
	r, err := c.rules.match(reference)
	if err != nil {
		return codeRule{}
	}
	for i := range c.rules.rules {
		if r == &c.rules.rules[i] {
			return c.code[place(i)]
		}
	}
	return codeRule{}
}

// Voucher names those who are believed to have compiled the function at reference: a
// digest, "sha256:…", of the terms on which [CodeVerifier.Verify] believes them. It is
// empty where the rule that decides about the reference names nobody. What was verified
// under one voucher says nothing under another.
func (c *CodeVerifier) Voucher(reference string) string { return c.covering(reference).voucher }

// Verify says who signed compiled code of the function at reference, as it was
// written. s is the code's own artifact. It answers as Verifier.Verify does.
func (c *CodeVerifier) Verify(ctx context.Context, reference string, s Subject, evidence []Evidence) (*Provenance, error) {
	v := c.covering(reference)
	if v.Verifier == nil {
		return nil, &RefusalError{Code: "verify.no_code_rule", Message: fmt.Sprintf("nobody is trusted to have compiled %q", reference), Hint: "name who may under compiledCode in the trust policy's rule"}
	}
	return v.Verify(ctx, s, evidence)
}
