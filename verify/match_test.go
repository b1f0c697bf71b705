package verify_test

import (
	"testing"

	"github.com/krmsafe/krmsafe/verify"
)

// ruleNames makes one rule for each pattern, each with a key of its own.
func ruleNames(t *testing.T, patterns ...string) verify.TrustPolicy {
	t.Helper()
	k := newKey(t)
	var p verify.TrustPolicy
	for _, m := range patterns {
		p.Rules = append(p.Rules, verify.Rule{Match: []string{m}, Authorities: []verify.Authority{{Key: &verify.Key{PEM: k.PublicPEM()}}}})
	}
	return p
}

func TestRuleForReference(t *testing.T) {
	patterns := []string{
		"ghcr.io/acme/**", "ghcr.io/acme/fns/*", "ghcr.io/acme/fns/exact", "ghcr.io/acme/fns/exact:v2", "*.example.com/**", "localhost:5000/**", "file://./fns/*.wasm",
		"oci-layout:./layouts/**", "ghcr.io/*/shared", "ghcr.io/*/twin", "*/x/twin",
	}
	tests := []struct{ reference, rule, code string }{
		{"ghcr.io/acme/a", "ghcr.io/acme/**", ""},
		{"ghcr.io/acme/a/b/c:v1", "ghcr.io/acme/**", ""},
		{"ghcr.io/acme/fns/a:v1", "ghcr.io/acme/fns/*", ""},
		{"ghcr.io/acme/fns/a/b:v1", "ghcr.io/acme/**", ""},
		{"ghcr.io/acme/fns/exact", "ghcr.io/acme/fns/exact", ""},
		{"ghcr.io/acme/fns/exact:v1@" + digest, "ghcr.io/acme/fns/exact", ""},
		{"ghcr.io/acme/fns/exact:v2", "ghcr.io/acme/fns/exact:v2", ""},
		{"ghcr.io/acme/fns/exact:v2@" + digest, "ghcr.io/acme/fns/exact:v2", ""},
		{"ghcr.io/acme2/a", "", "verify.no_rule"},
		{"evil.io/ghcr.io/acme/a", "", "verify.no_rule"},
		{"ghcr.io/acme", "", "verify.no_rule"},
		{"GHCR.io/acme/a", "", "verify.no_rule"},
		{"a.example.com/x", "*.example.com/**", ""},
		{"a/b.example.com/x", "", "verify.no_rule"},
		{"localhost:5000/x/y:v1", "localhost:5000/**", ""},
		{"localhost:5000/x@" + digest, "localhost:5000/**", ""},
		{"localhost:5001/x", "", "verify.no_rule"},
		{"file://./fns/a.wasm", "file://./fns/*.wasm", ""},
		{"file://./fns/sub/a.wasm", "", "verify.no_rule"},
		{"oci-layout:./layouts/a:v1", "oci-layout:./layouts/**", ""},
		{"oci-layout:./layouts/a@" + digest, "oci-layout:./layouts/**", ""},
		{"oci-layout:./other", "", "verify.no_rule"},
		{"ghcr.io/other/shared", "ghcr.io/*/shared", ""},
		{"ghcr.io/acme/shared", "ghcr.io/acme/**", ""},
		{"ghcr.io/x/twin", "ghcr.io/*/twin", ""},
		{"", "", "verify.no_rule"},
		{"oci-layout:./layouts/../other", "", "verify.no_rule"},
		{"oci-layout:./layouts/..", "", "verify.no_rule"},
		{"ghcr.io/acme/../evil/fn", "", "verify.no_rule"},
		{"oci-layout:./layouts/..hidden", "oci-layout:./layouts/**", ""},
		{"oci-layout:layouts/x/../a:v1", "oci-layout:./layouts/**", ""},
		{"file://fns/a.wasm", "file://./fns/*.wasm", ""},
		{"file://fns//a.wasm", "file://./fns/*.wasm", ""},
		{"file://./fns/../a.wasm", "", "verify.no_rule"},
		{"file://../fns/a.wasm", "", "verify.no_rule"},
		{"file:///fns/a.wasm", "", "verify.no_rule"},
	}
	v := newVerifier(t, ruleNames(t, patterns...))
	for _, tt := range tests {
		t.Run(tt.reference, func(t *testing.T) {
			r := refused(t, v, verify.Subject{Reference: tt.reference, Digest: digest}) // no evidence: the refusal names the rule
			rule, err := v.Rule(tt.reference)
			if tt.code != "" {
				if r.Code != tt.code || err == nil {
					t.Errorf("code = %s, rule %q; want %s", r.Code, rule, tt.code)
				}
				return
			}
			if err != nil || rule != tt.rule || r.Code != "verify.no_evidence" {
				t.Errorf("Rule = %q, %v, refusal %s; want %q", rule, err, r.Code, tt.rule)
			}
		})
	}
}

func TestTwoRulesThatAreEquallySpecific(t *testing.T) {
	v := newVerifier(t, ruleNames(t, "ghcr.io/*e/**", "ghcr.io/*/f*", "ghcr.io/**"))
	if r := refused(t, v, verify.Subject{Reference: "ghcr.io/acme/fn", Digest: digest}); r.Code != "verify.ambiguous_rule" {
		t.Errorf("code = %s, want verify.ambiguous_rule", r.Code)
	}
	if rule, err := v.Rule("ghcr.io/acme/other"); rule != "ghcr.io/*e/**" || err != nil {
		t.Errorf("Rule = %q, %v", rule, err)
	}
}

// A mirror changes where bytes come from, not who must have signed them.
func TestMirrorDoesNotUnmatch(t *testing.T) {
	k := newKey(t)
	p := trust(k)
	p.Rules[0].Match = []string{"ghcr.io/acme/**"}
	p.Mirrors = []verify.Mirror{{Prefix: "ghcr.io/acme", Location: "registry.internal/acme"}}
	v := newVerifier(t, p)
	accepted(t, v, verify.Subject{Reference: "ghcr.io/acme/fn:v1", Digest: digest}, signed(t, k, digest, nil))
	if r := refused(t, v, verify.Subject{Reference: "registry.internal/acme/fn:v1", Digest: digest}, signed(t, k, digest, nil)); r.Code != "verify.no_rule" {
		t.Errorf("code = %s, want verify.no_rule", r.Code)
	}
}

func TestPin(t *testing.T) {
	v := newVerifier(t, verify.TrustPolicy{Rules: []verify.Rule{{Match: []string{"file://./*.wasm"}, Pin: []string{digestOf("x"), digest}}}})
	s := verify.Subject{Reference: "file://./fn.wasm", Digest: digest, File: true}
	p := accepted(t, v, s)
	if !p.Pinned() || len(p.Signatures()) != 0 {
		t.Errorf("Pinned = %v, signatures %+v", p.Pinned(), p.Signatures())
	}
	s.Digest = digestOf("another")
	if r := refused(t, v, s, signed(t, newKey(t), s.Digest, nil)); r.Code != "verify.pin" {
		t.Errorf("code = %s, want verify.pin", r.Code)
	}
}

func TestDigestReferenceIsAskedFor(t *testing.T) {
	k := newKey(t)
	p := trust(k)
	p.Rules[0].DigestRef = true
	v := newVerifier(t, p)
	e := signed(t, k, digest, nil)
	accepted(t, v, verify.Subject{Reference: "a.io/b@" + digest, Digest: digest}, e)
	for _, reference := range []string{"a.io/b", "a.io/b:v1", "a.io/b@latest"} {
		if r := refused(t, v, verify.Subject{Reference: reference, Digest: digest}, e); r.Code != "verify.digest_ref" {
			t.Errorf("%s: code = %s, want verify.digest_ref", reference, r.Code)
		}
	}
}

func TestVerifierDigest(t *testing.T) {
	i := newInstance(t)
	base := keyless(t, i, nil)
	seen := map[string]string{}
	for name, change := range map[string]func(*verify.TrustPolicy){
		"nothing": func(*verify.TrustPolicy) {},
		"identity": func(p *verify.TrustPolicy) {
			p.Rules[0].Authorities[0].Keyless = &verify.Keyless{Identities: []verify.Identity{{Issuer: "a", Subject: "b"}}}
		},
		"mode":       func(p *verify.TrustPolicy) { p.Rules[0].Authorities[0].SCT = verify.None },
		"root":       func(p *verify.TrustPolicy) { p.Root = rootOf(t, newInstance(t)) },
		"signers":    func(p *verify.TrustPolicy) { p.Rules[0].Signers = 2 },
		"annotation": func(p *verify.TrustPolicy) { p.Rules[0].Authorities[0].Annotations = map[string]string{"a": "b"} },
	} {
		p := base
		p.Rules = []verify.Rule{base.Rules[0]}
		p.Rules[0].Authorities = []verify.Authority{base.Rules[0].Authorities[0]}
		change(&p)
		d := newVerifier(t, p).Digest()
		if d != newVerifier(t, p).Digest() {
			t.Errorf("%s: the digest changes by itself", name)
		}
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[d] = name
	}
}

// Whoever runs a file from the folder above has not climbed out of anything.
func TestFileFromAbove(t *testing.T) {
	v := newVerifier(t, ruleNames(t, "**"))
	for _, reference := range []string{"file://../fn.wasm", "oci-layout:../layout:v1"} {
		if rule, err := v.Rule(reference); rule != "**" || err != nil {
			t.Errorf("Rule(%q) = %q, %v, want the rule for everything", reference, rule, err)
		}
	}
}
