package sigstore_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
)

// Verified with the standard library alone, so that package verify and this
// one cannot be wrong together.
func TestSignBundle(t *testing.T) {
	k, err := sigstore.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(k.PublicPEM())
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	public, ok := key.(*ecdsa.PublicKey)
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(block.Bytes)); !ok || k.ID() != want {
		t.Fatalf("ID() = %s, want %s", k.ID(), want)
	}
	b, err := k.SignBundle("sha256:00ff", map[string]string{"env": "prod"})
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct {
		MediaType            string
		VerificationMaterial struct{ PublicKey struct{ Hint []byte } }
		DsseEnvelope         struct {
			PayloadType string
			Payload     []byte
			Signatures  []struct{ Sig []byte }
		}
	}
	if err := json.Unmarshal(b, &bundle); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("sha256:%x", bundle.VerificationMaterial.PublicKey.Hint); bundle.MediaType != sigstore.BundleMediaType || got != k.ID() {
		t.Errorf("media type %q, hint %s", bundle.MediaType, got)
	}
	e := bundle.DsseEnvelope
	const want = `{"_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"https://sigstore.dev/cosign/sign/v1",` +
		`"subject":[{"annotations":{"env":"prod"},"digest":{"sha256":"00ff"}}]}`
	if string(e.Payload) != want {
		t.Errorf("payload = %s, want %s", e.Payload, want)
	}
	message := sha256.Sum256(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(e.Payload), e.Payload))
	if len(e.Signatures) != 1 || !ecdsa.VerifyASN1(public, message[:], e.Signatures[0].Sig) {
		t.Error("the signature does not verify")
	}
}

func TestZeroKeyCannotSign(t *testing.T) {
	var k sigstore.Key
	if _, err := k.SignBundle("sha256:00", nil); err == nil || k.PublicPEM() != nil || k.PrivatePEM() != nil {
		t.Error("the zero Key signs")
	}
}
