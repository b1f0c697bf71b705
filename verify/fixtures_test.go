package verify_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/verify"
)

const signedDir = "../testdata/signed"

func readFixture(tb testing.TB, elem ...string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{signedDir}, elem...)...))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// A layout is what the tests need of an OCI layout: the digest of the tag v1
// and the evidence of the referrers and of the ".sig" and ".att" tags that
// index.json lists.
type layout struct {
	digest  string
	bundles []verify.Evidence
}

func readLayout(tb testing.TB, name string) layout {
	tb.Helper()
	var index struct {
		Manifests []struct {
			Digest      string
			Annotations map[string]string
		}
	}
	if err := json.Unmarshal(readFixture(tb, name, "index.json"), &index); err != nil {
		tb.Fatal(err)
	}
	var l layout
	blob := func(digest string) []byte {
		return readFixture(tb, name, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
	}
	for _, m := range index.Manifests {
		if m.Annotations["org.opencontainers.image.ref.name"] == "v1" {
			l.digest = m.Digest
			continue
		}
		var manifest struct {
			Layers []struct {
				MediaType, Digest string
				Annotations       map[string]string
			}
			Subject struct{ Digest string }
		}
		if err := json.Unmarshal(blob(m.Digest), &manifest); err != nil {
			tb.Fatal(err)
		}
		kind, source := verify.Bundle, "referrer"
		switch tag := m.Annotations["org.opencontainers.image.ref.name"]; {
		case strings.HasSuffix(tag, ".sig"):
			kind, source = verify.LegacySignature, "tag "+tag
		case strings.HasSuffix(tag, ".att"):
			kind, source = verify.LegacyAttestation, "tag "+tag
		}
		for _, layer := range manifest.Layers {
			l.bundles = append(l.bundles, verify.Evidence{
				Kind: kind, MediaType: layer.MediaType, Digest: m.Digest, Source: source, Bytes: blob(layer.Digest), Annotations: layer.Annotations,
			})
		}
	}
	if l.digest == "" || len(l.bundles) == 0 {
		tb.Fatalf("layout %s holds %d bundles for the digest %q", name, len(l.bundles), l.digest)
	}
	return l
}

func trustPEM(pem []byte) verify.TrustPolicy {
	return verify.TrustPolicy{Rules: []verify.Rule{{Match: []string{"**"}, Authorities: []verify.Authority{{Key: &verify.Key{PEM: pem}}}}}}
}

func TestCosign3KeySignature(t *testing.T) {
	l := readLayout(t, "cosign3-key")
	s := verify.Subject{Reference: "127.0.0.1:15001/fns/cat:v1", Digest: l.digest}
	v := newVerifier(t, trustPEM(readFixture(t, "cosign3-key.pub")))
	p := accepted(t, v, s, l.bundles...)
	if got := p.Signatures(); len(got) != 1 || got[0].Annotations["env"] != "prod" {
		t.Errorf("Signatures() = %+v, want one with env=prod", got)
	}
	other := newVerifier(t, trustPEM(readFixture(t, "cosign3-other.pub")))
	if r := refused(t, other, s, l.bundles...); r.Code != "verify.key" {
		t.Errorf("with another key: code = %s, want verify.key", r.Code)
	}
	s.Digest = digestOf("tampered")
	if r := refused(t, v, s, l.bundles...); r.Code != "verify.digest" {
		t.Errorf("for another digest: code = %s, want verify.digest", r.Code)
	}
}

// The workflow that the local issuer vouched for, and the issuers themselves.
const (
	loopbackWorkflow = "https://github.com/acme/fns/.github/workflows/release.yml@refs/tags/v1"
	loopbackGitHub   = "http://127.0.0.1:15017"
	loopbackMail     = "http://127.0.0.1:15010"
)

func loopback(t *testing.T, authorities ...verify.Authority) verify.TrustPolicy {
	t.Helper()
	return verify.TrustPolicy{
		Root:  verify.TrustRoot{JSON: readFixture(t, "loopback-root.json")},
		Rules: []verify.Rule{{Match: []string{"**"}, Authorities: authorities}},
	}
}

func identity(name, issuer, subject string) verify.Authority {
	return verify.Authority{Name: name, Keyless: &verify.Keyless{Identities: []verify.Identity{{Issuer: issuer, Subject: subject}}}}
}

func keyAuthority(t *testing.T, name, file string) verify.Authority {
	t.Helper()
	return verify.Authority{Name: name, Key: &verify.Key{PEM: readFixture(t, file)}}
}

// Fulcio, Rekor v2, a timestamp authority and cosign 3, all of them real.
func TestCosign3Keyless(t *testing.T) {
	l := readLayout(t, "cosign3-keyless")
	s := verify.Subject{Reference: "127.0.0.1:15001/fns/keyless:v1", Digest: l.digest}
	ci := identity("ci", loopbackGitHub, loopbackWorkflow)
	ci.Annotations = map[string]string{"env": "prod"}
	ci.Keyless.Extensions = map[string]string{
		"sourceRepositoryURI": "https://github.com/acme/fns", "sourceRepositoryRef": "refs/tags/v1", "buildTrigger": "push",
		"runnerEnvironment": "github-hosted", "githubWorkflowRepository": "acme/fns",
	}
	logged := keyAuthority(t, "offline", "cosign3-key.pub")
	logged.Log = verify.Required
	stamped := identity("stamped", loopbackMail, "tsa@example.com")
	stamped.Log = verify.None
	policy := loopback(t, ci, identity("dev", loopbackMail, "dev@example.com"), stamped, logged)
	policy.Rules[0].Signers = 4
	policy.Rules[0].AllOf = []string{"ci", "dev", "stamped", "offline"}
	policy.Rules[0].Attestations = []verify.Requirement{{PredicateType: "https://slsa.dev/provenance/v1", Authorities: []string{"ci"}}}
	p := accepted(t, newVerifier(t, policy), s, l.bundles...)
	if len(p.Signatures()) != 4 || len(p.Rejected()) != 0 {
		t.Errorf("signatures = %+v, rejected = %+v", p.Signatures(), p.Rejected())
	}
	if a := p.Attestations(); len(a) != 1 || !strings.Contains(string(a[0].Predicate), "actions.github.io/buildtypes") || a[0].Authority != "ci" {
		t.Errorf("attestations = %+v", a)
	}
	for _, sig := range p.Signatures() {
		if want := sig.Authority == "stamped"; (len(sig.Logs) == 0) != want || sig.Type == "certificate" && len(sig.Timestamps) == 0 {
			t.Errorf("signature by %s: logs %+v, timestamps %+v", sig.Authority, sig.Logs, sig.Timestamps)
		}
	}
	// The public instance knows nothing of it.
	policy.Root = verify.TrustRoot{PublicGood: true}
	if r := refused(t, newVerifier(t, policy), s, l.bundles...); len(r.Candidates) != 5 {
		t.Errorf("candidates = %+v, want all five", r.Candidates)
	}
}

func TestCosign2Legacy(t *testing.T) {
	l := readLayout(t, "cosign2-legacy")
	s := verify.Subject{Reference: "127.0.0.1:15001/fns/legacy:v1", Digest: l.digest}
	key := keyAuthority(t, "offline", "cosign3-key.pub")
	key.Annotations = map[string]string{"env": "prod"}
	ci := identity("ci", loopbackGitHub, loopbackWorkflow)
	ci.Log = verify.None
	policy := loopback(t, key, ci)
	policy.Rules[0].Signers = 2
	policy.Rules[0].Attestations = []verify.Requirement{{PredicateType: "https://slsa.dev/provenance/v1", Authorities: []string{"offline"}}}
	p := accepted(t, newVerifier(t, policy), s, l.bundles...)
	for _, sig := range p.Signatures() {
		if sig.Format != "legacy" || sig.DockerReference != "127.0.0.1:15001/fns/legacy" {
			t.Errorf("signature = %+v", sig)
		}
	}
	// Another name for the same bytes was not signed, unless that is allowed.
	s.Reference = "registry.example.com/fns/legacy:v1"
	if r := refused(t, newVerifier(t, policy), s, l.bundles...); r.Candidates[0].Code != "verify.repository" {
		t.Errorf("candidates = %+v, want verify.repository", r.Candidates)
	}
	policy.Rules[0].AnyRepository = true
	accepted(t, newVerifier(t, policy), s, l.bundles...)
}

// Rekor v1: a bundle with inclusion proof and SET, legacy tags with a SET.
func TestRekorV1(t *testing.T) {
	l := readLayout(t, "cosign-rekor1")
	s := verify.Subject{Reference: "127.0.0.1:15001/fns/rekor1:v1", Digest: l.digest}
	key := keyAuthority(t, "offline", "cosign3-key.pub")
	key.Log = verify.Required
	dev := identity("dev", loopbackMail, "dev@example.com")
	dev.TSA = verify.Required
	policy := loopback(t, identity("ci", loopbackGitHub, loopbackWorkflow), dev, key)
	policy.Rules[0].Signers = 3
	policy.Rules[0].Attestations = []verify.Requirement{{PredicateType: "https://slsa.dev/provenance/v1", Authorities: []string{"ci"}}}
	p := accepted(t, newVerifier(t, policy), s, l.bundles...)
	formats := map[string]int{}
	for _, sig := range p.Signatures() {
		formats[sig.Format]++
		if len(sig.Logs) != 1 {
			t.Errorf("signature by %s: logs %+v", sig.Authority, sig.Logs)
		}
	}
	if formats["bundle"] != 1 || formats["legacy"] != 3 || len(p.Rejected()) != 0 {
		t.Errorf("formats = %v, rejected = %+v", formats, p.Rejected())
	}
}

func TestCosign3P384(t *testing.T) {
	l := readLayout(t, "cosign3-p384")
	s := verify.Subject{Reference: "127.0.0.1:15001/fns/p384:v1", Digest: l.digest}
	accepted(t, newVerifier(t, trustPEM(readFixture(t, "cosign3-p384.pub"))), s, l.bundles...)
}

func TestBlobBundles(t *testing.T) {
	content := readFixture(t, "blob", "cat.wasm")
	policy := loopback(t, keyAuthority(t, "offline", "cosign3-key.pub"), keyAuthority(t, "p384", "cosign3-p384.pub"), identity("ci", loopbackGitHub, loopbackWorkflow))
	policy.Rules[0].AttestationsAsSignatures = []string{"https://slsa.dev/provenance/v1"}
	v := newVerifier(t, policy)
	for file, authority := range map[string]string{
		"cosign3-key.json": "offline", "cosign3-keyless.json": "ci", "cosign3-attest.json": "ci", "cosign3-p384.json": "p384", "cosign2-key.json": "offline",
		"cosign2-keyless.json": "ci", "sigstore-js.json": "ci", "sigstore-js-attest.json": "ci",
	} {
		t.Run(file, func(t *testing.T) {
			e := bundleEvidence(t, readFixture(t, "blob", file), nil)
			s := verify.Subject{Reference: "file://./cat.wasm", Digest: digestOf(string(content)), File: true, Content: content}
			if got := accepted(t, v, s, e).Signatures(); len(got) != 1 || got[0].Authority != authority {
				t.Errorf("signatures = %+v, want one by %s", got, authority)
			}
			if file != "cosign3-p384.json" { // which names the sha384 alone
				accepted(t, v, verify.Subject{Reference: s.Reference, Digest: s.Digest, File: true}, e)
			}
			other := append([]byte{}, content...)
			other[9] ^= 1
			_ = refused(t, v, verify.Subject{Reference: s.Reference, Digest: digestOf(string(other)), File: true, Content: other}, e)
		})
	}
}
