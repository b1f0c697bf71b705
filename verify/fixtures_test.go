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

func readFixture(t *testing.T, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{signedDir}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A layout is what the tests need of an OCI layout: the digest of the tag v1
// and the bundles of the referrers that index.json lists.
type layout struct {
	digest  string
	bundles []verify.Evidence
}

func readLayout(t *testing.T, name string) layout {
	t.Helper()
	var index struct {
		Manifests []struct {
			Digest      string
			Annotations map[string]string
		}
	}
	if err := json.Unmarshal(readFixture(t, name, "index.json"), &index); err != nil {
		t.Fatal(err)
	}
	var l layout
	blob := func(digest string) []byte {
		return readFixture(t, name, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
	}
	for _, m := range index.Manifests {
		if m.Annotations["org.opencontainers.image.ref.name"] == "v1" {
			l.digest = m.Digest
			continue
		}
		var manifest struct {
			Layers  []struct{ MediaType, Digest string }
			Subject struct{ Digest string }
		}
		if err := json.Unmarshal(blob(m.Digest), &manifest); err != nil {
			t.Fatal(err)
		}
		for _, layer := range manifest.Layers {
			l.bundles = append(l.bundles, verify.Evidence{
				Kind: verify.Bundle, MediaType: layer.MediaType, Digest: m.Digest, Source: "referrer", Bytes: blob(layer.Digest),
			})
		}
	}
	if l.digest == "" || len(l.bundles) == 0 {
		t.Fatalf("layout %s holds %d bundles for the digest %q", name, len(l.bundles), l.digest)
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
