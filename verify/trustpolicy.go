package verify

import (
	"errors"
	"fmt"
	"time"
)

// A TrustPolicy says whose signatures count for which references. The zero
// TrustPolicy trusts nobody, and New refuses it.
type TrustPolicy struct {
	// Rules are matched on Subject.Reference; the most specific one decides
	// and a reference that none matches is refused.
	Rules []Rule
}

// A Rule is what is asked of the references it matches.
type Rule struct {
	// Name is shown in messages; by default the first of Match.
	Name string
	// Match are patterns for the reference without tag and digest: "*" stands
	// for any characters but "/", "**" for any characters at all.
	Match []string
	// Signers is the number of distinct signers that must have signed. Zero
	// means one; there is no way to ask for none.
	Signers int
	// Authorities are those whose signatures count, each by itself.
	Authorities []Authority
}

// An Authority is somebody who is trusted to sign.
type Authority struct {
	// Name is reported with every signature it made; by default "key".
	Name string
	// Key is the public key it signs with.
	Key *Key
	// Annotations must all have been signed, with these values.
	Annotations map[string]string
}

// A Key is a public key: ECDSA P-256 or P-384, or RSA with 2048 bits or more.
type Key struct {
	// PEM is one PEM block "PUBLIC KEY".
	PEM []byte
	// Source is the file or field it came from, for messages.
	Source string
	// ValidFrom and ValidUntil bound the time of signing, where they are not
	// zero. A window asks for a signed timestamp.
	ValidFrom  time.Time
	ValidUntil time.Time
}

// A rule is a Rule that New has checked.
type rule struct {
	name        string
	match       []pattern
	signers     int
	authorities []authority
}

// An authority is an Authority that New has checked.
type authority struct {
	name        string
	key         *publicKey
	annotations map[string]string
}

func compileRule(index int, r *Rule) (rule, error) {
	out := rule{name: r.Name, signers: max(r.Signers, 1)}
	if r.Signers < 0 {
		return out, ruleError(index, "trust.signers", "asks for %d signers", r.Signers)
	}
	if len(r.Match) == 0 {
		return out, ruleError(index, "trust.match", "matches nothing")
	}
	for _, m := range r.Match {
		p, err := parsePattern(m)
		if err != nil {
			return out, ruleError(index, "trust.match", "%v", err)
		}
		out.match = append(out.match, p)
	}
	if out.name == "" {
		out.name = r.Match[0]
	}
	if len(r.Authorities) == 0 {
		return out, ruleError(index, "trust.nobody", "has no authorities, so it trusts nobody")
	}
	for i := range r.Authorities {
		a, err := compileAuthority(&r.Authorities[i])
		if err != nil {
			return out, err
		}
		out.authorities = append(out.authorities, a)
	}
	return out, nil
}

func compileAuthority(a *Authority) (authority, error) {
	out := authority{name: a.Name, annotations: a.Annotations}
	if out.name == "" {
		out.name = "key"
	}
	if a.Key == nil {
		return out, &PolicyError{Code: "trust.nobody", Message: fmt.Sprintf("authority %q names no key", out.name)}
	}
	key, err := parseKey(a.Key.PEM)
	if err != nil {
		var p *PolicyError
		if a.Key.Source != "" && errors.As(err, &p) {
			return out, &PolicyError{Code: p.Code, Message: fmt.Sprintf("%s: %s", a.Key.Source, p.Message), Hint: p.Hint}
		}
		return out, err
	}
	out.key = key
	return out, nil
}

func ruleError(index int, code, format string, args ...any) error {
	return &PolicyError{Code: code, Message: fmt.Sprintf("rule %d of the trust policy %s", index+1, fmt.Sprintf(format, args...))}
}
