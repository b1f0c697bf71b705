package verify

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Bounds on a trust policy, so that a file cannot make matching expensive.
const (
	maxRules       = 1024
	maxAuthorities = 256
)

// A rule is a Rule that New has checked.
type rule struct {
	name          string
	match         []pattern
	pins          []string
	digestRef     bool
	signers       int
	allOf         []string
	authorities   []authority
	attestations  []Requirement
	asSignatures  []string
	anyRepository bool
}

// An authority is an Authority that New has checked: exactly one of key and
// keyless is set.
type authority struct {
	name        string
	key         *publicKey
	from, until time.Time
	keyless     *keyless
	annotations map[string]string
	modes       modes
}

// modes are the proofs that an authority asks for.
type modes struct {
	log bool // transparency log entry
	sct bool // certificate transparency
	tsa bool // RFC 3161 timestamp
	any bool // any of log and tsa, for the time
}

func (m modes) needRoot() bool { return m.log || m.sct || m.tsa || m.any }

func compilePolicy(p *TrustPolicy) (*trustRoot, []rule, error) {
	if len(p.Rules) == 0 {
		return nil, nil, &PolicyError{
			Code: "trust.nobody", Field: "rules",
			Message: "the trust policy has no rules, so it trusts nobody",
			Hint:    "name a key with --key FILE, or an identity with --certificate-identity and --certificate-oidc-issuer",
		}
	}
	if len(p.Rules) > maxRules {
		return nil, nil, policyError("trust.limit", "rules", "the trust policy has %d rules; at most %d are read", len(p.Rules), maxRules)
	}
	root, err := compileRoot(&p.Root)
	if err != nil {
		return nil, nil, err
	}
	var rules []rule
	owner := map[string]int{}
	for i := range p.Rules {
		field := fmt.Sprintf("rules[%d]", i)
		r, err := compileRule(field, &p.Rules[i], root != nil)
		if err != nil {
			return nil, nil, err
		}
		for k, m := range r.match {
			// "a/*" and "a/**" are equally specific for what both match.
			same := strings.ReplaceAll(m.text, "**", "*")
			if first, ok := owner[same]; ok {
				return nil, nil, policyError("trust.match", fmt.Sprintf("%s.match[%d]", field, k),
					"the pattern %q is as specific as one of rule %d, and neither would win", m.text, first+1)
			}
			owner[same] = i
		}
		rules = append(rules, r)
	}
	for i, m := range p.Mirrors {
		if m.Prefix == "" || m.Location == "" {
			return nil, nil, policyError("trust.mirror", fmt.Sprintf("mirrors[%d]", i), "a mirror needs a prefix and a location")
		}
	}
	return root, rules, nil
}

func compileRule(field string, r *Rule, haveRoot bool) (rule, error) {
	out := rule{
		name: r.Name, pins: slices.Clone(r.Pin), digestRef: r.DigestRef, signers: max(r.Signers, 1), allOf: slices.Clone(r.AllOf),
		attestations: slices.Clone(r.Attestations), asSignatures: slices.Clone(r.AttestationsAsSignatures), anyRepository: r.AnyRepository,
	}
	if len(r.Match) == 0 {
		return out, policyError("trust.match", field, "the rule matches nothing: name a reference under match")
	}
	for i, m := range r.Match {
		p, err := parsePattern(m)
		if err != nil {
			return out, policyError("trust.match", fmt.Sprintf("%s.match[%d]", field, i), "%v", err)
		}
		out.match = append(out.match, p)
	}
	if out.name == "" {
		out.name = r.Match[0]
	}
	if r.Signers < 0 || r.Signers > MaxCandidates {
		return out, policyError("trust.signers", field+".require.signatures", "the rule asks for %d signers; want 1 to %d", r.Signers, MaxCandidates)
	}
	if len(r.CompiledCode) > 0 {
		if _, err := compileRule(field+".compiledCode", r.forCode(), haveRoot); err != nil {
			return out, err
		}
	}
	if len(r.Pin) > 0 {
		return out, checkPins(field, r)
	}
	if len(r.Authorities) == 0 {
		return out, policyError("trust.nobody", field, "the rule has neither authorities nor pins, so it trusts nobody")
	}
	if len(r.Authorities) > maxAuthorities {
		return out, policyError("trust.limit", field+".authorities", "the rule has %d authorities; at most %d are read", len(r.Authorities), maxAuthorities)
	}
	names := map[string]bool{}
	for i := range r.Authorities {
		at := fmt.Sprintf("%s.authorities[%d]", field, i)
		a, err := compileAuthority(at, &r.Authorities[i], haveRoot)
		if err != nil {
			return out, err
		}
		if names[a.name] {
			if r.Authorities[i].Name != "" {
				return out, policyError("trust.authority", at+".name", "two authorities of the rule are named %q", a.name)
			}
			for n := i + 1; names[a.name]; n++ {
				a.name = fmt.Sprintf("%s-%d", kindOf(&r.Authorities[i]), n)
			}
		}
		names[a.name] = true
		out.authorities = append(out.authorities, a)
	}
	return out, checkNames(field, r, names)
}

// kindOf is the name of an authority that has none.
func kindOf(a *Authority) string {
	if a.Keyless != nil {
		return "keyless"
	}
	return "key"
}

func checkPins(field string, r *Rule) error {
	if len(r.Authorities) > 0 || len(r.Attestations) > 0 || len(r.AllOf) > 0 || r.Signers > 0 || len(r.AttestationsAsSignatures) > 0 {
		return policyError("trust.pin", field+".pin", "the rule has pins and asks for signatures: a pin allows a digest without any, so make it a rule of its own")
	}
	for i, p := range r.Pin {
		d, err := parseDigest(p)
		if err != nil || d.algorithm != "sha256" {
			return policyError("trust.pin", fmt.Sprintf("%s.pin[%d]", field, i), "pin %q: want sha256: and 64 lower-case hex digits", p)
		}
	}
	return nil
}

// checkNames makes sure that every authority that a rule speaks of exists: a
// misspelt one would otherwise be a requirement nobody can meet, or one that
// everybody meets.
func checkNames(field string, r *Rule, names map[string]bool) error {
	for i, n := range r.AllOf {
		if !names[n] {
			return policyError("trust.authority", fmt.Sprintf("%s.require.allOf[%d]", field, i), "the rule has no authority named %q", n)
		}
	}
	for i, q := range r.Attestations {
		at := fmt.Sprintf("%s.attestations[%d]", field, i)
		if err := checkPredicateType(at, q.PredicateType); err != nil {
			return err
		}
		if q.Signers < 0 || q.Signers > MaxCandidates {
			return policyError("trust.signers", at+".min", "an attestation by %d signers is required; want 1 to %d", q.Signers, MaxCandidates)
		}
		for _, n := range q.Authorities {
			if !names[n] {
				return policyError("trust.authority", at+".authorities", "the rule has no authority named %q", n)
			}
		}
	}
	for i, t := range r.AttestationsAsSignatures {
		if err := checkPredicateType(fmt.Sprintf("%s.attestationsAsSignatures[%d]", field, i), t); err != nil {
			return err
		}
	}
	return nil
}

// checkPredicateType refuses what no statement has: nothing, and cosign's short
// names, which would wait for an attestation for ever.
func checkPredicateType(field, t string) error {
	if t == "" {
		return policyError("trust.attestation", field, "an attestation needs a predicateType")
	}
	if long, short := predicateTypes[t]; short {
		return policyError("trust.attestation", field, "%q is cosign's short name: statements say %q", t, long)
	}
	return nil
}

func compileAuthority(field string, a *Authority, haveRoot bool) (authority, error) {
	out := authority{name: either(a.Name, kindOf(a)), annotations: maps.Clone(a.Annotations)}
	for _, m := range []struct {
		name string
		mode Mode
	}{{"tlog", a.Log}, {"sct", a.SCT}, {"timestamp", a.TSA}} {
		if m.mode != Default && m.mode != Required && m.mode != None {
			return out, policyError("trust.mode", field+"."+m.name, "%s is %q; want %q or %q", m.name, string(m.mode), string(Required), string(None))
		}
	}
	var err error
	switch {
	case a.Key != nil && a.Keyless != nil:
		return out, policyError("trust.authority", field, "an authority is a key or keyless, not both: make two of it")
	case a.Key != nil:
		err = out.compileKey(field, a)
	case a.Keyless != nil:
		err = out.compileKeyless(field, a)
	default:
		return out, policyError("trust.nobody", field, "the authority names neither a key nor identities")
	}
	if err == nil && out.modes.needRoot() && !haveRoot {
		return out, &PolicyError{
			Code: "trust.root", Field: field, Message: fmt.Sprintf("authority %q needs a trusted root: it asks for a certificate, a log or a timestamp", out.name),
			Hint: "give --trusted-root FILE, or name the public Sigstore instance in the trust policy with trustRoot: {builtin: public-good}",
		}
	}
	return out, err
}

func (out *authority) compileKey(field string, a *Authority) error {
	if a.SCT == Required {
		return policyError("trust.mode", field+".sct", "authority %q is a key, and keys are not in a certificate log", out.name)
	}
	key, err := parseKey(a.Key.PEM)
	if err != nil {
		var p *PolicyError
		if !errors.As(err, &p) {
			return err
		}
		message := p.Message
		if a.Key.Source != "" {
			message = a.Key.Source + ": " + message
		}
		return &PolicyError{Code: p.Code, Field: field + ".key", Message: message, Hint: p.Hint}
	}
	out.key, out.from, out.until = key, a.Key.ValidFrom, a.Key.ValidUntil
	out.modes = modes{log: a.Log == Required, tsa: a.TSA == Required}
	if out.from.IsZero() && out.until.IsZero() {
		return nil
	}
	if !out.until.IsZero() && out.until.Before(out.from) {
		return policyError("trust.window", field+".key", "the key is valid until %s, before it is valid from %s",
			out.until.Format(time.RFC3339), out.from.Format(time.RFC3339))
	}
	// A window means nothing without a time that somebody else vouches for
	// (sigstore-go CVE-2026-54787).
	if a.TSA == None && !out.modes.log {
		return policyError("trust.window", field+".key", "the key has a validity window, but with timestamp: none and no log nothing says when it signed")
	}
	if out.modes.log && !out.modes.tsa {
		out.modes.any = true
	} else {
		out.modes.tsa = true
	}
	return nil
}

func (out *authority) compileKeyless(field string, a *Authority) error {
	field += ".keyless"
	if len(a.Keyless.Identities) == 0 {
		return &PolicyError{
			Code: "trust.identity", Field: field, Message: fmt.Sprintf("authority %q names no identities: it would trust everybody who can log in", out.name),
			Hint: "name an issuer and a subject",
		}
	}
	k := &keyless{extensions: map[string]text{}}
	for i := range a.Keyless.Identities {
		id, err := compileIdentity(fmt.Sprintf("%s.identities[%d]", field, i), &a.Keyless.Identities[i])
		if err != nil {
			return err
		}
		k.identities = append(k.identities, id)
	}
	if err := k.compileExtensions(field, a.Keyless); err != nil {
		return err
	}
	for i, id := range k.identities {
		if len(k.extensions) == 0 && id.subject.anybody() {
			return &PolicyError{
				Code: "trust.identity", Field: fmt.Sprintf("%s.identities[%d]", field, i),
				Message: "the expression for the subject fits everybody whom the issuer vouches for",
				Hint:    "name the e-mail address or workflow that signs, or what else the certificate must say under extensions",
			}
		}
	}
	out.keyless = k
	out.modes = modes{log: a.Log != None, sct: a.SCT != None, tsa: a.TSA == Required}
	switch {
	case out.modes.tsa:
	case out.modes.log:
		out.modes.any = true
	case a.TSA == None:
		return policyError("trust.mode", field, "authority %q asks for neither a log nor a timestamp, so nothing says that its certificate was valid when it signed", out.name)
	default:
		out.modes.tsa = true
	}
	return nil
}

func (k *keyless) compileExtensions(field string, from *Keyless) error {
	for _, name := range slices.Sorted(maps.Keys(from.Extensions)) {
		if extensions[name] == nil || from.Extensions[name] == "" {
			return unknownExtension(field+".extensions", name, from.Extensions[name])
		}
		k.extensions[name] = text{exact: from.Extensions[name]}
	}
	for _, name := range slices.Sorted(maps.Keys(from.ExtensionsRegexp)) {
		at := field + ".extensionsRegexp"
		if extensions[name] == nil {
			return unknownExtension(at, name, "x")
		}
		if _, twice := k.extensions[name]; twice {
			return policyError("trust.extension", at, "the extension %s has a value and an expression", name)
		}
		re, err := compileRegexp(from.ExtensionsRegexp[name])
		if err != nil {
			return policyError("trust.regexp", at+"."+name, "the expression for %s %v", name, err)
		}
		k.extensions[name] = text{re: re}
	}
	return nil
}

func unknownExtension(field, name, value string) error {
	if extensions[name] != nil && value == "" {
		return policyError("trust.extension", field+"."+name, "the extension %s is to be empty, which no certificate says", name)
	}
	return &PolicyError{
		Code: "trust.extension", Field: field + "." + name, Message: fmt.Sprintf("there is no certificate extension %q", name),
		Hint: fmt.Sprintf("want one of %v", ExtensionNames()),
	}
}

func compileIdentity(field string, id *Identity) (identity, error) {
	out := identity{source: *id}
	if id.Issuer == "" && id.IssuerRegexp == "" {
		return out, &PolicyError{
			Code: "trust.identity", Field: field, Message: "the identity has a subject but no issuer: any issuer could vouch for that name",
			Hint: "name who vouches for it, such as https://token.actions.githubusercontent.com",
		}
	}
	if id.Subject == "" && id.SubjectRegexp == "" {
		return out, &PolicyError{
			Code: "trust.identity", Field: field, Message: "the identity has an issuer but no subject: the issuer vouches for everybody who can log in",
			Hint: "name the e-mail address or workflow that signs",
		}
	}
	var err error
	if out.issuer, err = compileText(field, "issuer", id.Issuer, id.IssuerRegexp); err != nil {
		return out, err
	}
	out.subject, err = compileText(field, "subject", id.Subject, id.SubjectRegexp)
	return out, err
}

func compileText(field, name, exact, expr string) (text, error) {
	if exact != "" && expr != "" {
		return text{}, policyError("trust.identity", field, "the identity has a %s and an expression for it", name)
	}
	if exact != "" {
		return text{exact: exact}, nil
	}
	re, err := compileRegexp(expr)
	if err != nil {
		return text{}, policyError("trust.regexp", field+"."+name+"Regexp", "the expression for the %s %v", name, err)
	}
	return text{re: re}, nil
}

func policyError(code, field, format string, args ...any) error {
	return &PolicyError{Code: code, Field: field, Message: fmt.Sprintf(format, args...)}
}
