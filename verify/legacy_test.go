package verify_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
	"github.com/krmsafe/krmsafe/verify"
)

const signedAs = "registry.example.com/acme/fn"

func legacyEvidence(t *testing.T, l sigstore.Legacy, err error) verify.Evidence {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return verify.Evidence{Kind: verify.LegacySignature, MediaType: l.MediaType, Source: "tag sha256-….sig", Digest: digestOf(string(l.Payload)), Bytes: l.Payload, Annotations: l.Annotations}
}

func legacy(t *testing.T, i *sigstore.Instance, r sigstore.Request, payload []byte) verify.Evidence {
	t.Helper()
	l, err := i.SignLegacy(r, payload)
	return legacyEvidence(t, l, err)
}

func TestLegacySignature(t *testing.T) {
	i := newInstance(t)
	v := newVerifier(t, keyless(t, i, func(a *verify.Authority) { a.Annotations = map[string]string{"env": "prod"} }))
	e := legacy(t, i, workflow, sigstore.SimpleSigning(signedAs, digest, map[string]string{"env": "prod"}))
	s := accepted(t, v, image, e).Signatures()[0]
	if s.Format != "legacy" || s.DockerReference != signedAs || s.Annotations["env"] != "prod" || s.Subject != subject || len(s.Timestamps) != 2 || len(s.Logs) != 1 {
		t.Errorf("signature = %+v", s)
	}
	// Docker Hub has two names.
	hub := legacy(t, i, workflow, sigstore.SimpleSigning("index.docker.io/acme/fn", digest, map[string]string{"env": "prod"}))
	accepted(t, v, verify.Subject{Reference: "docker.io/acme/fn:v1", Digest: digest}, hub)
}

func TestLegacyKeySignature(t *testing.T) {
	i, k := newInstance(t), newKey(t)
	payload := sigstore.SimpleSigning(signedAs, digest, nil)
	l, err := k.SignLegacyKey(nil, payload)
	accepted(t, newVerifier(t, trust(k)), image, legacyEvidence(t, l, err))
	logged := trust(k)
	logged.Root = rootOf(t, i)
	logged.Rules[0].Authorities[0].Log = verify.Required
	if r := refused(t, newVerifier(t, logged), image, legacyEvidence(t, l, nil)); r.Code != "verify.tlog" {
		t.Errorf("without a log entry: code = %s, want verify.tlog", r.Code)
	}
	l, err = k.SignLegacyKey(i, payload)
	p := accepted(t, newVerifier(t, logged), image, legacyEvidence(t, l, err))
	if len(p.Signatures()[0].Logs) != 1 {
		t.Errorf("logs = %+v", p.Signatures()[0].Logs)
	}
}

// A certificate annotation is not signed: under a key policy it must be as if
// it were not there.
func TestLegacyCertificateAnnotationUnderAKeyPolicy(t *testing.T) {
	i, k := newInstance(t), newKey(t)
	payload := sigstore.SimpleSigning(signedAs, digest, nil)
	byCert := legacy(t, i, workflow, payload)
	if r := refused(t, newVerifier(t, trust(k)), image, byCert); r.Code != "verify.key" {
		t.Errorf("code = %s, want verify.key", r.Code)
	}
	l, err := k.SignLegacyKey(nil, payload)
	byKey := legacyEvidence(t, l, err)
	byKey.Annotations["dev.sigstore.cosign/certificate"] = byCert.Annotations["dev.sigstore.cosign/certificate"]
	accepted(t, newVerifier(t, trust(k)), image, byKey)
	// And the key's signature does not become the certificate's.
	p := keyless(t, i, func(a *verify.Authority) { a.Log, a.SCT = verify.None, verify.None })
	byKey.Annotations["dev.sigstore.cosign/rfc3161timestamp"] = byCert.Annotations["dev.sigstore.cosign/rfc3161timestamp"]
	if r := refused(t, newVerifier(t, p), image, byKey); r.Code != "verify.timestamp" {
		t.Errorf("code = %s, want verify.timestamp", r.Code)
	}
}

func TestLegacyAttacks(t *testing.T) {
	i := newInstance(t)
	payload := sigstore.SimpleSigning(signedAs, digest, nil)
	good := legacy(t, i, workflow, payload)
	other := workflow
	other.Subject = "attacker@example.com"
	foreign := legacy(t, i, other, sigstore.SimpleSigning(signedAs, digestOf("another"), nil))
	change := func(f func(*verify.Evidence)) verify.Evidence {
		e := good
		e.Annotations = maps.Clone(good.Annotations)
		f(&e)
		return e
	}
	annotate := func(name, value string) verify.Evidence {
		return change(func(e *verify.Evidence) { e.Annotations[name] = value })
	}
	rekor := func(f func(map[string]any)) verify.Evidence {
		var b map[string]any
		dec := json.NewDecoder(strings.NewReader(good.Annotations["dev.sigstore.cosign/bundle"]))
		dec.UseNumber()
		if err := dec.Decode(&b); err != nil {
			t.Fatal(err)
		}
		p, _ := b["Payload"].(map[string]any)
		f(p)
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return annotate("dev.sigstore.cosign/bundle", string(text))
	}
	signedPayload := func(text string) verify.Evidence { return legacy(t, i, workflow, []byte(text)) }
	tests := []struct {
		name     string
		evidence verify.Evidence
		code     string
	}{
		{"copied from another digest", legacy(t, i, workflow, sigstore.SimpleSigning(signedAs, digestOf("another"), nil)), "verify.digest"},
		{"signed for another repository", legacy(t, i, workflow, sigstore.SimpleSigning("registry.example.com/acme/other", digest, nil)), "verify.repository"},
		{"payload of another type", signedPayload(strings.Replace(string(payload), "cosign container image signature", "atomic container signature", 1)), "verify.malformed"},
		{"payload without critical", signedPayload(`{"optional":{}}`), "verify.malformed"},
		{"payload without image", signedPayload(`{"critical":{"identity":{"docker-reference":"x"},"type":"cosign container image signature"}}`), "verify.malformed"},
		{"payload with two digests", signedPayload(strings.Replace(string(payload), `"docker-manifest-digest":`, `"docker-manifest-digest":"`+digestOf("x")+`","docker-manifest-digest":`, 1)), "verify.malformed"},
		{"payload in capitals", signedPayload(strings.Replace(string(payload), "docker-manifest-digest", "Docker-Manifest-Digest", 1)), "verify.digest"},
		{"two payloads", signedPayload(string(payload) + string(payload)), "verify.malformed"},
		{"payload is no object", signedPayload(`[]`), "verify.malformed"},
		{"another media type", change(func(e *verify.Evidence) { e.MediaType = "application/octet-stream" }), "verify.unsupported"},
		{"no signature", annotate("dev.cosignproject.cosign/signature", ""), "verify.malformed"},
		{"signature is not base64", annotate("dev.cosignproject.cosign/signature", "%%%"), "verify.malformed"},
		{"signature of another payload", annotate("dev.cosignproject.cosign/signature", foreign.Annotations["dev.cosignproject.cosign/signature"]), "verify.tlog"},
		{"no log entry", change(func(e *verify.Evidence) { delete(e.Annotations, "dev.sigstore.cosign/bundle") }), "verify.tlog"},
		{"log entry of another signature", annotate("dev.sigstore.cosign/bundle", foreign.Annotations["dev.sigstore.cosign/bundle"]), "verify.tlog"},
		{"certificate of another signature", annotate("dev.sigstore.cosign/certificate", foreign.Annotations["dev.sigstore.cosign/certificate"]), "verify.tlog"},
		{"log entry backdated", rekor(func(p map[string]any) { p["integratedTime"] = sigstore.Now.Unix() }), "verify.tlog"},
		{"log index changed", rekor(func(p map[string]any) { p["logIndex"] = 4711 }), "verify.tlog"},
		{"log changed", rekor(func(p map[string]any) { p["logID"] = strings.Repeat("00", 32) }), "verify.tlog"},
		{"log is not hex", rekor(func(p map[string]any) { p["logID"] = "no" }), "verify.malformed"},
		{"log index negative", rekor(func(p map[string]any) { p["logIndex"] = -1 }), "verify.malformed"},
		{"log index is no integer", rekor(func(p map[string]any) { p["logIndex"] = 1.5 }), "verify.malformed"},
		{"log entry is not json", annotate("dev.sigstore.cosign/bundle", "{"), "verify.malformed"},
		{"log entry of an unsupported kind", rekor(func(p map[string]any) {
			p["body"] = base64.StdEncoding.EncodeToString([]byte(`{"apiVersion":"0.0.1","kind":"intoto","spec":{}}`))
		}), "verify.unsupported"},
		{"two certificates", annotate("dev.sigstore.cosign/certificate", good.Annotations["dev.sigstore.cosign/certificate"]+foreign.Annotations["dev.sigstore.cosign/certificate"]), "verify.malformed"},
		{"certificate is not PEM", annotate("dev.sigstore.cosign/certificate", "hello"), "verify.malformed"},
		{"no certificate", change(func(e *verify.Evidence) { delete(e.Annotations, "dev.sigstore.cosign/certificate") }), "verify.key"},
		{"timestamp is not json", annotate("dev.sigstore.cosign/rfc3161timestamp", "x"), "verify.malformed"},
		{"huge annotation", annotate("x", strings.Repeat("x", verify.MaxEvidenceBytes)), "verify.limit"},
	}
	v := newVerifier(t, keyless(t, i, nil))
	accepted(t, v, image, good)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if r := refused(t, v, image, tt.evidence); r.Code != tt.code {
				t.Errorf("code = %s, want %s (%s)", r.Code, tt.code, r.Message)
			}
		})
	}
}

// The annotations of the layer are not signed, only those of the payload are.
func TestUnsignedAnnotationsAreNotRead(t *testing.T) {
	i := newInstance(t)
	e := legacy(t, i, workflow, sigstore.SimpleSigning(signedAs, digest, map[string]string{"env": "dev"}))
	e.Annotations["env"] = "prod"
	p := accepted(t, newVerifier(t, keyless(t, i, nil)), image, e)
	if got := p.Signatures()[0].Annotations; !maps.Equal(got, map[string]string{"env": "dev"}) {
		t.Errorf("annotations = %v, want the signed ones", got)
	}
	v := newVerifier(t, keyless(t, i, func(a *verify.Authority) { a.Annotations = map[string]string{"env": "prod"} }))
	if r := refused(t, v, image, e); r.Code != "verify.annotation" {
		t.Errorf("code = %s, want verify.annotation", r.Code)
	}
}

func TestLegacyAttestation(t *testing.T) {
	k := newKey(t)
	const slsa = "https://slsa.dev/provenance/v1"
	// A bundle's envelope is the legacy layer's whole content.
	b, err := k.Attest(digest, nil, slsa, []byte(`{"builder":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct{ DsseEnvelope json.RawMessage }
	if err := json.Unmarshal(b, &bundle); err != nil {
		t.Fatal(err)
	}
	att := verify.Evidence{
		Kind: verify.LegacyAttestation, MediaType: "application/vnd.dsse.envelope.v1+json", Bytes: bundle.DsseEnvelope,
		Annotations: map[string]string{"predicateType": verify.SignPredicateType}, // a lie that nobody signed
	}
	v := newVerifier(t, trust(k))
	if r := refused(t, v, image, att); r.Code != "verify.predicate" {
		t.Errorf("code = %s, want verify.predicate", r.Code)
	}
	p := accepted(t, v, image, att, signed(t, k, digest, nil))
	if a := p.Attestations(); len(a) != 1 || a[0].PredicateType != slsa || string(a[0].Predicate) != `{"builder":"x"}` || a[0].Format != "legacy" {
		t.Errorf("attestations = %+v", a)
	}
	for name, bytes := range map[string]string{
		"two signatures": strings.Replace(string(att.Bytes), `"signatures":[`, `"signatures":[{"sig":"AAAA"},`, 1),
		"no signatures":  `{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[]}`,
		"not json":       "x",
	} {
		e := att
		e.Bytes = []byte(bytes)
		if r := refused(t, v, image, e); r.Code != "verify.malformed" {
			t.Errorf("%s: code = %s, want verify.malformed", name, r.Code)
		}
	}
	att.MediaType = "application/json"
	if r := refused(t, v, image, att); r.Code != "verify.unsupported" {
		t.Errorf("another media type: code = %s, want verify.unsupported", r.Code)
	}
}

// The timestamps of legacy attestations cover the payload and not the
// signature, so they say nothing about when it was signed. A token over the
// signature, as nobody makes it, must not count either: it was never asked for.
func TestTimestampOfALegacyAttestationDoesNotCount(t *testing.T) {
	i := newInstance(t)
	statement := sigstore.StatementOf(digest, nil, "https://slsa.dev/provenance/v1", `{}`)
	b, err := i.Sign(workflow, statement)
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct {
		VerificationMaterial struct {
			Certificate               struct{ RawBytes []byte }
			TimestampVerificationData struct {
				Rfc3161Timestamps []struct{ SignedTimestamp []byte }
			}
		}
		DsseEnvelope json.RawMessage
	}
	if err := json.Unmarshal(b, &bundle); err != nil {
		t.Fatal(err)
	}
	token, err := json.Marshal(map[string]any{"SignedRFC3161Timestamp": bundle.VerificationMaterial.TimestampVerificationData.Rfc3161Timestamps[0].SignedTimestamp})
	if err != nil {
		t.Fatal(err)
	}
	policy := keyless(t, i, func(a *verify.Authority) { a.Log = verify.None })
	policy.Rules[0].AttestationsAsSignatures = []string{"https://slsa.dev/provenance/v1"}
	r := refused(t, newVerifier(t, policy), image, verify.Evidence{
		Kind: verify.LegacyAttestation, MediaType: "application/vnd.dsse.envelope.v1+json", Bytes: bundle.DsseEnvelope,
		Annotations: map[string]string{
			"dev.sigstore.cosign/certificate":      string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: bundle.VerificationMaterial.Certificate.RawBytes})),
			"dev.sigstore.cosign/rfc3161timestamp": string(token),
		},
	})
	if r.Code != "verify.timestamp" {
		t.Errorf("code = %s, want verify.timestamp (%s)", r.Code, r.Message)
	}
}
