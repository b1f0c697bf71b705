package verify_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
	"github.com/krmsafe/krmsafe/verify"
)

// digestOf names some content by its sha256.
func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

var digest = digestOf("the artifact")

const reference = "registry.example.com/acme/fn:v1"

func newKey(t *testing.T) sigstore.Key {
	t.Helper()
	k, err := sigstore.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// trust is the policy that the flag --key makes.
func trust(keys ...sigstore.Key) verify.TrustPolicy {
	r := verify.Rule{Match: []string{"**"}}
	for _, k := range keys {
		r.Authorities = append(r.Authorities, verify.Authority{Key: &verify.Key{PEM: k.PublicPEM()}})
	}
	return verify.TrustPolicy{Rules: []verify.Rule{r}}
}

func newVerifier(t *testing.T, p verify.TrustPolicy) *verify.Verifier {
	t.Helper()
	v, err := verify.New(p)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return v
}

func bundleEvidence(t *testing.T, bytes []byte, err error) verify.Evidence {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return verify.Evidence{Kind: verify.Bundle, Source: "referrer", Digest: digestOf(string(bytes)), Bytes: bytes}
}

func signed(t *testing.T, k sigstore.Key, digest string, annotations map[string]string) verify.Evidence {
	t.Helper()
	b, err := k.SignBundle(digest, annotations)
	return bundleEvidence(t, b, err)
}

// refused runs Verify and returns the refusal that it must end with.
func refused(t *testing.T, v *verify.Verifier, s verify.Subject, evidence ...verify.Evidence) *verify.RefusalError {
	t.Helper()
	p, err := v.Verify(t.Context(), s, evidence)
	if p != nil || p.Verified() {
		t.Fatalf("Verify returned a provenance beside %v", err)
	}
	var r *verify.RefusalError
	if !errors.As(err, &r) {
		t.Fatalf("Verify = %v, want a refusal", err)
	}
	return r
}

func accepted(t *testing.T, v *verify.Verifier, s verify.Subject, evidence ...verify.Evidence) *verify.Provenance {
	t.Helper()
	p, err := v.Verify(t.Context(), s, evidence)
	if err != nil {
		var r *verify.RefusalError
		if errors.As(err, &r) {
			t.Fatalf("Verify = %s: %v, candidates %+v", r.Code, err, r.Candidates)
		}
		t.Fatalf("Verify = %v", err)
	}
	if !p.Verified() {
		t.Fatal("Verify returned a provenance that is not verified")
	}
	return p
}

func TestVerifyReportsTheSigner(t *testing.T) {
	k := newKey(t)
	v := newVerifier(t, trust(k))
	p := accepted(t, v, verify.Subject{Reference: reference, Digest: digest}, signed(t, k, digest, map[string]string{"env": "prod"}))
	got := p.Signatures()
	if len(got) != 1 {
		t.Fatalf("Signatures() = %+v, want one", got)
	}
	s := got[0]
	if s.KeyID != k.ID() || s.Type != "key" || s.Authority != "key" || s.Format != "bundle" ||
		s.Digest != digest || s.PredicateType != verify.SignPredicateType || s.Annotations["env"] != "prod" || len(s.Annotations) != 1 {
		t.Errorf("Signatures()[0] = %+v", s)
	}
	if p.Reference() != reference || p.Digest() != digest || p.Rule() != "**" {
		t.Errorf("provenance is of %q, %q, rule %q", p.Reference(), p.Digest(), p.Rule())
	}
}

func TestProvenanceCannotBeChanged(t *testing.T) {
	k := newKey(t)
	p := accepted(t, newVerifier(t, trust(k)), verify.Subject{Reference: reference, Digest: digest}, signed(t, k, digest, map[string]string{"env": "prod"}))
	p.Signatures()[0].Annotations["env"] = "dev"
	p.Signatures()[0].KeyID = "mine"
	if s := p.Signatures()[0]; s.Annotations["env"] != "prod" || s.KeyID != k.ID() {
		t.Errorf("a caller changed the provenance to %+v", s)
	}
}

func TestProvenanceCannotBeForged(t *testing.T) {
	var none *verify.Provenance
	for name, p := range map[string]*verify.Provenance{"nil": none, "zero": {}} {
		if p.Verified() || len(p.Signatures()) != 0 || len(p.Attestations()) != 0 || p.Digest() != "" {
			t.Errorf("a %s provenance claims to be verified", name)
		}
	}
}

func TestVerifierThatNewDidNotMakeJudgesNothing(t *testing.T) {
	k := newKey(t)
	for _, v := range []*verify.Verifier{nil, {}} {
		p, err := v.Verify(t.Context(), verify.Subject{Reference: reference, Digest: digest}, []verify.Evidence{signed(t, k, digest, nil)})
		if err == nil || p != nil {
			t.Errorf("Verify = %v, %v, want an error", p, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	k, other := newKey(t), newKey(t)
	attest := func(predicateType string) verify.Evidence {
		b, err := k.Attest(digest, nil, predicateType, []byte(`{"ok":true}`))
		return bundleEvidence(t, b, err)
	}
	payload := func(text string) verify.Evidence {
		b, err := k.SignPayload(sigstore.PayloadType, []byte(text))
		return bundleEvidence(t, b, err)
	}
	blob := func(content string) verify.Evidence {
		b, err := k.SignBlob([]byte(content))
		return bundleEvidence(t, b, err)
	}
	// The same signature as cosign 2 wrote it, over bytes with the very digest.
	var plain struct{ MessageSignature struct{ Signature string } }
	if err := json.Unmarshal(blob("the artifact").Bytes, &plain); err != nil {
		t.Fatal(err)
	}
	oldBlob := bundleEvidence(t, []byte(`{"base64Signature":"`+plain.MessageSignature.Signature+`"}`), nil)
	tests := []struct {
		name     string
		evidence []verify.Evidence
		code     string
	}{
		{"nothing", nil, "verify.no_evidence"},
		{"another key", []verify.Evidence{signed(t, other, digest, nil)}, "verify.key"},
		{"another digest", []verify.Evidence{signed(t, k, digestOf("another"), nil)}, "verify.digest"},
		{"attestation is not a signature", []verify.Evidence{attest("https://example.com/denylist/v1")}, "verify.predicate"},
		{"slsa provenance is not a signature", []verify.Evidence{attest("https://slsa.dev/provenance/v1")}, "verify.predicate"},
		{"not json", []verify.Evidence{bundleEvidence(t, []byte("hello"), nil)}, "verify.malformed"},
		{"empty", []verify.Evidence{bundleEvidence(t, nil, nil)}, "verify.malformed"},
		{"empty object", []verify.Evidence{bundleEvidence(t, []byte("{}"), nil)}, "verify.malformed"},
		{"signed garbage", []verify.Evidence{payload("not a statement")}, "verify.malformed"},
		{"statement of another type", []verify.Evidence{payload(`{"_type":"https://in-toto.io/Statement/v2","subject":[{"digest":{"sha256":"` + digest[7:] + `"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`)}, "verify.malformed"},
		{"statement without subjects", []verify.Evidence{payload(`{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`)}, "verify.malformed"},
		{"statement with two subjects members", []verify.Evidence{payload(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + digestOf("x")[7:] + `"}}],"subject":[{"digest":{"sha256":"` + digest[7:] + `"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`)}, "verify.malformed"},
		{"statement in capitals", []verify.Evidence{payload(`{"_type":"https://in-toto.io/Statement/v1","Subject":[{"digest":{"sha256":"` + digest[7:] + `"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`)}, "verify.malformed"},
		{"signature over plain bytes", []verify.Evidence{blob("the artifact")}, "verify.unsupported"},
		{"signature over plain bytes by cosign 2", []verify.Evidence{oldBlob}, "verify.unsupported"},
		{"unknown kind", []verify.Evidence{{Kind: "", Bytes: []byte("{}")}}, "verify.unsupported"},
		{"too large", []verify.Evidence{{Kind: verify.Bundle, Bytes: make([]byte, verify.MaxEvidenceBytes+1)}}, "verify.limit"},
		{"two different reasons", []verify.Evidence{signed(t, other, digest, nil), attest("https://slsa.dev/provenance/v1")}, "verify.no_signature"},
	}
	v := newVerifier(t, trust(k))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := refused(t, v, verify.Subject{Reference: reference, Digest: digest}, tt.evidence...)
			if r.Code != tt.code {
				t.Errorf("code = %s, want %s (%s)", r.Code, tt.code, r.Message)
			}
			if len(r.Candidates) != len(tt.evidence) {
				t.Errorf("candidates = %+v, want one for each of %d", r.Candidates, len(tt.evidence))
			}
			if r.Message == "" {
				t.Error("no message")
			}
		})
	}
}

func TestOneBadCandidateBesideAGoodOne(t *testing.T) {
	k, other := newKey(t), newKey(t)
	p := accepted(t, newVerifier(t, trust(k)), verify.Subject{Reference: reference, Digest: digest},
		signed(t, other, digest, nil), bundleEvidence(t, []byte("junk"), nil), signed(t, k, digest, nil))
	if len(p.Signatures()) != 1 || len(p.Rejected()) != 2 || p.Rejected()[0].Code != "verify.key" || p.Rejected()[1].Code != "verify.malformed" {
		t.Errorf("signatures %+v, rejected %+v", p.Signatures(), p.Rejected())
	}
}

func TestFlippedByteIsRefused(t *testing.T) {
	k := newKey(t)
	v := newVerifier(t, trust(k))
	good := signed(t, k, digest, nil)
	for i := range good.Bytes {
		bad := good
		bad.Bytes = append([]byte(nil), good.Bytes...)
		bad.Bytes[i] ^= 1
		p, err := v.Verify(t.Context(), verify.Subject{Reference: reference, Digest: digest}, []verify.Evidence{bad})
		if err != nil {
			continue
		}
		// The hint is not signed; nothing else may change.
		if got, want := p.Signatures()[0].KeyID, k.ID(); got != want {
			t.Errorf("byte %d flipped: accepted as %s, want %s", i, got, want)
		}
	}
}

func TestMoreCandidatesThanAreRead(t *testing.T) {
	k, other := newKey(t), newKey(t)
	junk := signed(t, other, digest, nil)
	var evidence []verify.Evidence
	for range verify.MaxCandidates {
		evidence = append(evidence, junk)
	}
	evidence = append(evidence, signed(t, k, digest, nil))
	r := refused(t, newVerifier(t, trust(k)), verify.Subject{Reference: reference, Digest: digest}, evidence...)
	if last := r.Candidates[len(r.Candidates)-1]; last.Code != "verify.limit" {
		t.Errorf("last candidate = %+v, want verify.limit", last)
	}
}

func TestDistinctSigners(t *testing.T) {
	a, b := newKey(t), newKey(t)
	policy := trust(a, b)
	policy.Rules[0].Signers = 2
	v := newVerifier(t, policy)
	s := verify.Subject{Reference: reference, Digest: digest}
	accepted(t, v, s, signed(t, a, digest, nil), signed(t, b, digest, nil))
	if r := refused(t, v, s, signed(t, a, digest, nil), signed(t, a, digest, nil)); r.Code != "verify.signers" {
		t.Errorf("one signer twice: code = %s, want verify.signers", r.Code)
	}
}

func TestAnnotationsOfTheMatchingSubject(t *testing.T) {
	k := newKey(t)
	policy := trust(k)
	policy.Rules[0].Authorities[0].Annotations = map[string]string{"env": "prod"}
	v := newVerifier(t, policy)
	s := verify.Subject{Reference: reference, Digest: digest}
	accepted(t, v, s, signed(t, k, digest, map[string]string{"env": "prod", "x": "y"}))
	for name, annotations := range map[string]map[string]string{"none": nil, "another value": {"env": "dev"}, "another name": {"ENV": "prod"}} {
		if r := refused(t, v, s, signed(t, k, digest, annotations)); r.Code != "verify.annotation" {
			t.Errorf("%s: code = %s, want verify.annotation", name, r.Code)
		}
	}
	// The annotation stands, but on another subject of the same statement.
	b, err := k.SignPayload(sigstore.PayloadType, []byte(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"`+verify.SignPredicateType+`","predicate":{},"subject":[`+
		`{"digest":{"sha256":"`+digestOf("other")[7:]+`"},"annotations":{"env":"prod"}},{"digest":{"sha256":"`+digest[7:]+`"}}]}`))
	if r := refused(t, v, s, bundleEvidence(t, b, err)); r.Code != "verify.annotation" {
		t.Errorf("annotation of another subject: code = %s, want verify.annotation", r.Code)
	}
}

func TestLocalFile(t *testing.T) {
	k := newKey(t)
	v := newVerifier(t, trust(k))
	s := verify.Subject{Reference: "file://./fn.wasm", Digest: digest, File: true}
	b, err := k.SignBlob([]byte("the artifact"))
	p := accepted(t, v, s, bundleEvidence(t, b, err))
	if p.Signatures()[0].Format != "blob" {
		t.Errorf("format = %q, want blob", p.Signatures()[0].Format)
	}
	b, err = k.SignBlob([]byte("another"))
	if r := refused(t, v, s, bundleEvidence(t, b, err)); r.Code != "verify.digest" {
		t.Errorf("code = %s, want verify.digest", r.Code)
	}
}

// The bytes that a caller hands over are those that are about to run.
func TestContentThatIsNotWhatTheDigestSays(t *testing.T) {
	k := newKey(t)
	v := newVerifier(t, trust(k))
	b, err := k.SignBlob([]byte("the artifact"))
	s := verify.Subject{Reference: "file://./fn.wasm", Digest: digest, File: true, Content: []byte("another")}
	p, verr := v.Verify(t.Context(), s, []verify.Evidence{bundleEvidence(t, b, err)})
	var r *verify.RefusalError
	if p != nil || verr == nil || errors.As(verr, &r) || !strings.Contains(verr.Error(), digestOf("another")) {
		t.Errorf("Verify = %v, %v, want an error that names the digest of the content", p, verr)
	}
}

func TestChildManifestMayBeSigned(t *testing.T) {
	k := newKey(t)
	child := digestOf("child")
	p := accepted(t, newVerifier(t, trust(k)), verify.Subject{Reference: reference, Digest: digest, AlsoDigests: []string{child}}, signed(t, k, child, nil))
	if p.Signatures()[0].Digest != child {
		t.Errorf("digest = %s, want the child's", p.Signatures()[0].Digest)
	}
}

func TestSubjectMustBeNamedByDigest(t *testing.T) {
	k := newKey(t)
	v := newVerifier(t, trust(k))
	for _, d := range []string{"", "sha256:", "latest", "sha256:" + digest[7:20], "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709", "SHA256:" + digest[7:], "sha256:" + digest[7:70] + "G"} {
		p, err := v.Verify(t.Context(), verify.Subject{Reference: reference, Digest: d}, nil)
		var r *verify.RefusalError
		if p != nil || err == nil || errors.As(err, &r) {
			t.Errorf("Verify of digest %q = %v, %v, want an error that is not a refusal", d, p, err)
		}
	}
}

func TestSplitBundles(t *testing.T) {
	k := newKey(t)
	a, b := signed(t, k, digest, nil), signed(t, newKey(t), digest, nil)
	got, err := verify.SplitBundles("x.jsonl", []byte(string(a.Bytes)+"\n"+string(b.Bytes)+"\n"))
	if err != nil || len(got) != 2 || string(got[0].Bytes) != string(a.Bytes) || got[0].Source != "x.jsonl" || got[0].Digest == got[1].Digest {
		t.Fatalf("SplitBundles = %+v, %v", got, err)
	}
	accepted(t, newVerifier(t, trust(k)), image, got...)
	for name, text := range map[string]string{
		"empty": "", "space": " \n", "half": `{"a":`, "too many": strings.Repeat("{}", verify.MaxCandidates+1), "text": "hello",
	} {
		if got, err := verify.SplitBundles("x", []byte(text)); err == nil || got != nil {
			t.Errorf("%s: SplitBundles = %d bundles, %v, want an error", name, len(got), err)
		}
	}
}

// A reference with a digest that was resolved to another one is not judged:
// somebody upstream went wrong.
func TestReferenceAndDigestDisagree(t *testing.T) {
	k := newKey(t)
	s := verify.Subject{Reference: "a.io/b@" + digestOf("x"), Digest: digest}
	p, err := newVerifier(t, trust(k)).Verify(t.Context(), s, []verify.Evidence{signed(t, k, digest, nil)})
	var r *verify.RefusalError
	if p != nil || err == nil || errors.As(err, &r) {
		t.Errorf("Verify = %v, %v, want an error that is not a refusal", p, err)
	}
}

// Authorities without a name are told apart, so that "all of" cannot mean any.
func TestUnnamedAuthorities(t *testing.T) {
	a, b := newKey(t), newKey(t)
	p := trust(a, b)
	p.Rules[0].AllOf = []string{"key", "key-2"}
	v := newVerifier(t, p)
	accepted(t, v, image, signed(t, a, digest, nil), signed(t, b, digest, nil))
	if r := refused(t, v, image, signed(t, a, digest, nil)); r.Code != "verify.all_of" {
		t.Errorf("code = %s, want verify.all_of", r.Code)
	}
}

func TestCancelledIsNotARefusal(t *testing.T) {
	k := newKey(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, err := newVerifier(t, trust(k)).Verify(ctx, image, []verify.Evidence{signed(t, k, digest, nil)})
	if p != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("Verify = %v, %v, want context.Canceled", p, err)
	}
}

// The refusal names both keys, so that a person can see what happened.
func TestAnotherKeyIsNamed(t *testing.T) {
	k, other := newKey(t), newKey(t)
	r := refused(t, newVerifier(t, trust(k)), image, signed(t, other, digest, nil))
	if !strings.Contains(r.Message, k.ID()) || !strings.Contains(r.Message, "unverified, another one ("+other.ID()+")") {
		t.Errorf("message = %q, want it to name %s and %s", r.Message, k.ID(), other.ID())
	}
}

func TestPublicGoodRoot(t *testing.T) {
	root := string(verify.PublicGood())
	for _, part := range []string{"https://rekor.sigstore.dev", "https://log2025-1.rekor.sigstore.dev", "https://fulcio.sigstore.dev", "https://timestamp.sigstore.dev"} {
		if !strings.Contains(root, part) {
			t.Errorf("the embedded root does not know %s", part)
		}
	}
	if _, err := time.Parse(time.DateOnly, verify.PublicGoodDate); err != nil {
		t.Errorf("PublicGoodDate: %v", err)
	}
	p := verify.TrustPolicy{Root: verify.TrustRoot{JSON: verify.PublicGood()}, Rules: []verify.Rule{{Match: []string{"**"}, Authorities: []verify.Authority{identity("x", "a", "b")}}}}
	newVerifier(t, p)
	verify.PublicGood()[0] = 'x'
	if verify.PublicGood()[0] != '{' {
		t.Error("a caller changed the embedded root")
	}
}

// Foreign text reaches a terminal in one line, without escapes and without
// marks that turn it round.
func TestMessagesAreFitForATerminal(t *testing.T) {
	i := newInstance(t)
	r := workflow
	r.Extensions = map[int]string{4: "\u202esaeler\x1b[31m\n"}
	v := newVerifier(t, keyless(t, i, func(a *verify.Authority) { a.Keyless.Extensions = map[string]string{"githubWorkflowName": "release"} }))
	for name, e := range map[string]verify.Evidence{
		"extension":      certified(t, i, r, digest),
		"predicate type": bundleEvidence(t, []byte("{\"\\u001b[31m\\n\\u202e\":1}"), nil),
		"digest": func() verify.Evidence {
			return legacy(t, i, workflow, sigstore.SimpleSigning(signedAs, "sha256:\n\x1b[31m\u202e", nil))
		}(),
	} {
		s := verify.Subject{Reference: "a.io/b\n\u202e:v1", Digest: digest}
		refusal := refused(t, v, s, e)
		for _, text := range []string{refusal.Message, refusal.Hint, refusal.Candidates[0].Message, refusal.Candidates[0].Hint} {
			if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
				t.Errorf("%s: %q", name, text)
			}
		}
	}
}
