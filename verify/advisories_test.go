package verify_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
	"github.com/krmsafe/krmsafe/verify"
)

// cosign CVE-2026-39395, CVE-2022-35929: the predicate type that a policy asks
// for was not enforced.
func TestRequiredAttestationOfAnotherType(t *testing.T) {
	k := newKey(t)
	policy := trust(k)
	policy.Rules[0].Attestations = []verify.Requirement{{PredicateType: "https://slsa.dev/provenance/v1"}}
	v := newVerifier(t, policy)
	attest := func(k sigstore.Key, predicateType string) verify.Evidence {
		b, err := k.Attest(digest, nil, predicateType, []byte(`{}`))
		return bundleEvidence(t, b, err)
	}
	sig := signed(t, k, digest, nil)
	accepted(t, v, image, sig, attest(k, "https://slsa.dev/provenance/v1"))
	for name, e := range map[string]verify.Evidence{
		"another type":          attest(k, "https://example.com/denylist/v1"),
		"a type that begins so": attest(k, "https://slsa.dev/provenance/v1.1"),
		"another signer":        attest(newKey(t), "https://slsa.dev/provenance/v1"),
		"the signature itself":  sig,
	} {
		if r := refused(t, v, image, sig, e); r.Code != "verify.attestation" {
			t.Errorf("%s: code = %s, want verify.attestation", name, r.Code)
		}
	}
}

func TestAttestationBySomebodyWhoMayOnlySign(t *testing.T) {
	ci, dev := newKey(t), newKey(t)
	policy := trust(ci, dev)
	policy.Rules[0].Authorities[0].Name, policy.Rules[0].Authorities[1].Name = "ci", "dev"
	policy.Rules[0].Attestations = []verify.Requirement{{PredicateType: "x", Authorities: []string{"ci"}}}
	v := newVerifier(t, policy)
	by := func(k sigstore.Key) verify.Evidence {
		b, err := k.Attest(digest, nil, "x", []byte(`{}`))
		return bundleEvidence(t, b, err)
	}
	accepted(t, v, image, signed(t, dev, digest, nil), by(ci))
	if r := refused(t, v, image, signed(t, dev, digest, nil), by(dev)); r.Code != "verify.attestation" {
		t.Errorf("code = %s, want verify.attestation", r.Code)
	}
}

func TestAllOf(t *testing.T) {
	a, b := newKey(t), newKey(t)
	policy := trust(a, b)
	policy.Rules[0].Authorities[0].Name, policy.Rules[0].Authorities[1].Name = "a", "b"
	policy.Rules[0].AllOf = []string{"a", "b"}
	v := newVerifier(t, policy)
	accepted(t, v, image, signed(t, a, digest, nil), signed(t, b, digest, nil))
	if r := refused(t, v, image, signed(t, a, digest, nil)); r.Code != "verify.all_of" {
		t.Errorf("code = %s, want verify.all_of", r.Code)
	}
}

// GitHub's attest-build-provenance signs nothing but the attestation. That it
// counts must be said, by predicate type.
func TestAttestationAsSignatureWhereTheRuleSaysSo(t *testing.T) {
	i := newInstance(t)
	b, err := i.Sign(workflow, sigstore.StatementOf(digest, nil, "https://slsa.dev/provenance/v1", `{"a":1}`))
	e := bundleEvidence(t, b, err)
	policy := keyless(t, i, nil)
	if r := refused(t, newVerifier(t, policy), image, e); r.Code != "verify.predicate" || !strings.Contains(r.Hint, "attestationsAsSignatures") {
		t.Errorf("refusal = %s: %s, hint %q", r.Code, r.Message, r.Hint)
	}
	policy.Rules[0].AttestationsAsSignatures = []string{"https://slsa.dev/provenance/v1"}
	p := accepted(t, newVerifier(t, policy), image, e)
	if len(p.Signatures()) != 1 || len(p.Attestations()) != 1 || string(p.Attestations()[0].Predicate) != `{"a":1}` {
		t.Errorf("signatures = %+v, attestations = %+v", p.Signatures(), p.Attestations())
	}
	policy.Rules[0].AttestationsAsSignatures = []string{"https://slsa.dev/provenance/v0.2"}
	if r := refused(t, newVerifier(t, policy), image, e); r.Code != "verify.predicate" {
		t.Errorf("code = %s, want verify.predicate", r.Code)
	}
}

// cosign CVE-2026-24122: an intermediate that had expired was accepted.
func TestExpiredIntermediate(t *testing.T) {
	i := newInstance(t)
	if err := i.ExpireIntermediate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*verify.Authority){
		"with a log":    nil,
		"without a log": func(a *verify.Authority) { a.Log = verify.None },
	} {
		v := newVerifier(t, keyless(t, i, change))
		if r := refused(t, v, image, certified(t, i, workflow, digest)); r.Code != "verify.certificate" {
			t.Errorf("%s: code = %s, want verify.certificate (%s)", name, r.Code, r.Message)
		}
	}
}

// sigstore-go CVE-2026-49834: one log counted twice. A repeated entry refuses.
func TestRepeatedLogEntry(t *testing.T) {
	i := newInstance(t)
	r := workflow
	r.Entries = 2
	if got := refused(t, newVerifier(t, keyless(t, i, nil)), image, certified(t, i, r, digest)); got.Code != "verify.tlog" {
		t.Errorf("code = %s, want verify.tlog", got.Code)
	}
}

func TestTimestampOfAnotherAuthority(t *testing.T) {
	i, other := newInstance(t), newInstance(t)
	r := workflow
	r.StampBy = other
	v := newVerifier(t, keyless(t, i, func(a *verify.Authority) { a.TSA = verify.Required }))
	if got := refused(t, v, image, certified(t, i, r, digest)); got.Code != "verify.timestamp" {
		t.Errorf("code = %s, want verify.timestamp", got.Code)
	}
}

// sigstore-go CVE-2026-54787: the validity window of a key was not looked at.
func TestKeyValidityWindow(t *testing.T) {
	i, k := newInstance(t), newKey(t)
	sign := func(r sigstore.Request) verify.Evidence {
		b, err := i.SignKey(k, r, sigstore.Statement(digest, nil))
		return bundleEvidence(t, b, err)
	}
	hour := time.Hour
	tests := []struct {
		name  string
		from  time.Time
		until time.Time
		log   verify.Mode
		r     sigstore.Request
		code  string
	}{
		{"inside", sigstore.Now.Add(-hour), sigstore.Now.Add(hour), verify.Default, sigstore.Request{}, ""},
		{"inside, by the log's time", sigstore.Now.Add(-hour), sigstore.Now.Add(hour), verify.Required, sigstore.Request{NoTSA: true}, ""},
		{"after", time.Time{}, sigstore.Now.Add(-hour), verify.Default, sigstore.Request{}, "verify.key_window"},
		{"after, by the log's time", time.Time{}, sigstore.Now.Add(-hour), verify.Required, sigstore.Request{NoTSA: true}, "verify.tlog"},
		{"before", sigstore.Now.Add(hour), time.Time{}, verify.Default, sigstore.Request{}, "verify.key_window"},
		{"no timestamp", time.Time{}, sigstore.Now.Add(hour), verify.Default, sigstore.Request{NoTSA: true}, "verify.timestamp"},
		{"a log's time that nobody asked to check", time.Time{}, sigstore.Now.Add(hour), verify.Default, sigstore.Request{NoTSA: true, NoLog: false}, "verify.timestamp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			policy := trust(k)
			policy.Root = rootOf(t, i)
			a := &policy.Rules[0].Authorities[0]
			a.Key.ValidFrom, a.Key.ValidUntil, a.Log = tt.from, tt.until, tt.log
			v := newVerifier(t, policy)
			if tt.code == "" {
				accepted(t, v, image, sign(tt.r))
			} else if r := refused(t, v, image, sign(tt.r)); r.Code != tt.code {
				t.Errorf("code = %s, want %s (%s)", r.Code, tt.code, r.Message)
			}
		})
	}
}

// A hint is not signed: one that names a trusted key proves nothing.
func TestHintIsNotTrusted(t *testing.T) {
	k, attacker := newKey(t), newKey(t)
	e := transplant(t, signed(t, attacker, digest, nil), signed(t, k, digest, nil), "verificationMaterial", "publicKey")
	if r := refused(t, newVerifier(t, trust(k)), image, e); r.Code != "verify.signature" {
		t.Errorf("code = %s, want verify.signature", r.Code)
	}
	// And one that names another key does no harm, nor is it reported.
	e = transplant(t, signed(t, k, digest, nil), signed(t, attacker, digest, nil), "verificationMaterial", "publicKey")
	if got := accepted(t, newVerifier(t, trust(k)), image, e).Signatures()[0].KeyID; got != k.ID() {
		t.Errorf("KeyID = %s, want that of the key that verified", got)
	}
}

func TestSeveralSubjects(t *testing.T) {
	k := newKey(t)
	st := func(subjects ...string) verify.Evidence {
		b, err := k.SignPayload(sigstore.PayloadType, []byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"`+verify.SignPredicateType+`","predicate":{},"subject":[`+strings.Join(subjects, ",")+`]}`))
		return bundleEvidence(t, b, err)
	}
	of := func(d string) string { return fmt.Sprintf(`{"name":"x","digest":{"sha256":%q}}`, d[7:]) }
	v := newVerifier(t, trust(k))
	accepted(t, v, image, st(of(digestOf("a")), of(digest), of(digestOf("b"))))
	for name, e := range map[string]verify.Evidence{
		"none is ours":        st(of(digestOf("a")), of(digestOf("b"))),
		"digest in capitals":  st(`{"digest":{"sha256":"` + strings.ToUpper(digest[7:]) + `"}}`),
		"another algorithm":   st(`{"digest":{"sha512":"` + digest[7:] + `"}}`),
		"digest with a label": st(`{"digest":{"sha256":"` + digest + `"}}`),
	} {
		if r := refused(t, v, image, e); r.Code != "verify.digest" && r.Code != "verify.key" && r.Code != "verify.malformed" {
			t.Errorf("%s: code = %s (%s)", name, r.Code, r.Message)
		}
	}
}

// Bounded time and memory, whatever comes (cosign CVE-2024-29902 and 29903,
// notation CVE-2023-33957, kyverno CVE-2023-42813, sigstore-go CVE-2024-45395).
func TestLimits(t *testing.T) {
	k, i := newKey(t), newInstance(t)
	st := func(subjects string) verify.Evidence {
		b, err := k.SignPayload(sigstore.PayloadType, []byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"`+verify.SignPredicateType+`","predicate":{},"subject":[`+subjects+`]}`))
		return bundleEvidence(t, b, err)
	}
	ours := `{"digest":{"sha256":"` + digest[7:] + `"}}`
	digests := `{"digest":{"sha256":"` + digest[7:] + `"`
	for n := range verify.MaxSubjectDigests {
		digests += fmt.Sprintf(`,"x%d":"00"`, n)
	}
	entries := workflow
	entries.Entries = 33
	good := certified(t, i, workflow, digest)
	bomb := func(inside string) verify.Evidence {
		return bundleEvidence(t, []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"tlogEntries":[`+inside+`]}}`), nil)
	}
	tests := []struct {
		name     string
		evidence verify.Evidence
		code     string
	}{
		{"1025 subjects", st(strings.Repeat(ours+",", verify.MaxSubjects) + ours), "verify.limit"},
		{"33 digests of a subject", st(digests + `}}`), "verify.limit"},
		{"33 log entries", certified(t, i, entries, digest), "verify.malformed"},
		{"a bundle nested without end", bundleEvidence(t, []byte(`{"a":`+strings.Repeat("[", 1_000_000)), nil), "verify.limit"},
		{"a statement nested without end", st(ours + `],"x":` + strings.Repeat("[", 1_000_000) + strings.Repeat("]", 1_000_000) + `,"y":[`), "verify.limit"},
		{"a million log entries", bomb(strings.Repeat("{},", 1_000_000) + "{}"), "verify.limit"},
		{"a million names", bundleEvidence(t, []byte(`{`+manyNames(1_000_000)+`}`), nil), "verify.limit"},
		{"sixteen megabytes", verify.Evidence{Kind: verify.Bundle, Bytes: append(good.Bytes, strings.Repeat(" ", verify.MaxEvidenceBytes)...)}, "verify.limit"},
	}
	policy := keyless(t, i, nil)
	policy.Rules[0].Authorities = append(policy.Rules[0].Authorities, verify.Authority{Key: &verify.Key{PEM: k.PublicPEM()}})
	v := newVerifier(t, policy)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := refused(t, v, image, tt.evidence)
			runtime.ReadMemStats(&after)
			if r.Code != tt.code {
				t.Errorf("code = %s, want %s (%s)", r.Code, tt.code, r.Message)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 {
				t.Errorf("judging %d bytes allocated %d MiB", len(tt.evidence.Bytes), used>>20)
			}
		})
	}
}

func TestAllEvidenceTogetherIsBounded(t *testing.T) {
	k := newKey(t)
	padded := signed(t, newKey(t), digest, nil)
	padded.Bytes = append(padded.Bytes, strings.Repeat(" ", verify.MaxEvidenceBytes-len(padded.Bytes))...)
	v := newVerifier(t, trust(k))
	r := refused(t, v, image, padded, padded, padded, padded, padded, signed(t, k, digest, nil))
	if len(r.Candidates) != 5 || r.Candidates[3].Code != "verify.key" || r.Candidates[4].Code != "verify.limit" {
		t.Errorf("candidates = %+v, want four read and the fifth refused unread", r.Candidates)
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%d":0`, i)
	}
	return b.String()
}

// A predicate that is too large for Rego is attested all the same.
func TestHugePredicateIsNotKept(t *testing.T) {
	k := newKey(t)
	v := newVerifier(t, trust(k))
	for name, predicate := range map[string]string{
		"large": `{"x":"` + strings.Repeat("x", verify.MaxPredicateBytes) + `"}`,
		"deep":  strings.Repeat(`{"a":`, verify.MaxPredicateDepth) + "{}" + strings.Repeat("}", verify.MaxPredicateDepth),
	} {
		b, err := k.Attest(digest, nil, "x", []byte(predicate))
		p := accepted(t, v, image, signed(t, k, digest, nil), bundleEvidence(t, b, err))
		if a := p.Attestations(); len(a) != 1 || a[0].Predicate != nil {
			t.Errorf("%s: %d attestations, predicate of %d bytes", name, len(a), len(a[0].Predicate))
		}
	}
	b, err := k.Attest(digest, nil, "x", []byte(strings.Repeat(`{"a":`, verify.MaxPredicateDepth-2)+"{}"+strings.Repeat("}", verify.MaxPredicateDepth-2)))
	if a := accepted(t, v, image, signed(t, k, digest, nil), bundleEvidence(t, b, err)).Attestations(); a[0].Predicate == nil {
		t.Error("a predicate within the bounds is not kept")
	}
}

// gitsign CVE-2026-44310, CVE-2023-47122: a panic ended in a pass.
func TestPanicRefuses(t *testing.T) {
	signatures, rejected := verify.PanicWhileJudging(signed(t, newKey(t), digest, nil))
	if signatures != 0 || len(rejected) != 1 || rejected[0].Code != "verify.panic" {
		t.Errorf("signatures = %d, rejected = %+v, want one verify.panic", signatures, rejected)
	}
}

// Log entries without signatures made tlog.Entry index an empty slice.
func TestLogEntryWithoutSignatures(t *testing.T) {
	i := newInstance(t)
	for _, spec := range []string{
		`{"apiVersion":"0.0.1","kind":"dsse","spec":{"signatures":[],"envelopeHash":{"algorithm":"sha256","value":"00"},"payloadHash":{"algorithm":"sha256","value":"00"}}}`,
		`{"apiVersion":"0.0.1","kind":"dsse","spec":{}}`, `{"apiVersion":"0.0.1","kind":"dsse"}`, `{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{}}`,
	} {
		var b map[string]any
		if err := json.Unmarshal(certified(t, i, workflow, digest).Bytes, &b); err != nil {
			t.Fatal(err)
		}
		entries, _ := b["verificationMaterial"].(map[string]any)["tlogEntries"].([]any)
		entry, _ := entries[0].(map[string]any)
		entry["canonicalizedBody"] = []byte(spec)
		bytes, err := json.Marshal(b)
		_ = refused(t, newVerifier(t, keyless(t, i, nil)), image, bundleEvidence(t, bytes, err))
	}
}

// Rekor's intoto/0.0.1 is found in older material; sigstore-go does not verify
// it, and nothing else says so by name.
func TestUnsupportedLogEntryIsNamed(t *testing.T) {
	i := newInstance(t)
	e := certified(t, i, workflow, digest)
	e.Bytes = []byte(strings.Replace(string(e.Bytes), `"kind":"dsse"`, `"kind":"intoto"`, 1))
	r := refused(t, newVerifier(t, keyless(t, i, nil)), image, e)
	if r.Code != "verify.unsupported" || !strings.Contains(r.Message, `"intoto/0.0.1"`) {
		t.Errorf("refusal = %s: %s, want verify.unsupported that names intoto/0.0.1", r.Code, r.Message)
	}
}

// Hiding evidence can refuse and never admit: every subset of the evidence
// gives at most the signatures that all of it gives.
func TestEvidenceIsMonotone(t *testing.T) {
	a, b := newKey(t), newKey(t)
	policy := trust(a, b)
	policy.Rules[0].Signers = 2
	policy.Rules[0].Attestations = []verify.Requirement{{PredicateType: "x"}}
	v := newVerifier(t, policy)
	att, err := a.Attest(digest, nil, "x", []byte(`{}`))
	all := []verify.Evidence{
		signed(t, a, digest, nil), bundleEvidence(t, []byte("junk"), nil), signed(t, b, digest, nil), bundleEvidence(t, att, err), signed(t, newKey(t), digest, nil),
	}
	accepted(t, v, image, all...)
	for set := range 1 << len(all) {
		var some []verify.Evidence
		for n := range all {
			if set&(1<<n) != 0 {
				some = append(some, all[n])
			}
		}
		p, err := v.Verify(t.Context(), image, some)
		if enough := set&1 != 0 && set&4 != 0 && set&8 != 0; (err == nil) != enough || p.Verified() != enough {
			t.Errorf("evidence %05b: Verify = %v, want accepted %v", set, err, enough)
		}
	}
}
