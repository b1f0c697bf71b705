// Package sigstore signs digests the way cosign 3 does with a key: in process,
// with the standard library alone and a key that lives as long as the process.
//
// It is for tests, for fixtures and for the demo. It knows the shape of a
// Sigstore bundle v0.3 with a public key and no transparency log, which is
// what `cosign sign --key` writes when its signing config names no services. It
// does not verify anything: package verify must agree with cosign, not with
// the code that makes its tests.
package sigstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
)

// The media and predicate types that cosign 3 writes.
const (
	BundleMediaType   = "application/vnd.dev.sigstore.bundle.v0.3+json"
	PayloadType       = "application/vnd.in-toto+json"
	StatementType     = "https://in-toto.io/Statement/v1"
	SignPredicateType = "https://sigstore.dev/cosign/sign/v1"
)

// A Key is an ECDSA P-256 key pair, the kind `cosign generate-key-pair` makes.
// The zero Key cannot sign.
type Key struct {
	private *ecdsa.PrivateKey
}

// NewKey makes a key pair from the system's randomness.
func NewKey() (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("making a P-256 key: %w", err)
	}
	return Key{private: private}, nil
}

// PublicPEM returns the public key as cosign.pub holds it: one PEM block
// "PUBLIC KEY" in PKIX form. It returns nil for the zero Key.
func (k Key) PublicPEM() []byte {
	der := k.publicDER()
	if der == nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// PrivatePEM returns the private key as one unencrypted PEM block "PRIVATE
// KEY" in PKCS #8 form, which `cosign import-key-pair` reads. It returns nil
// for the zero Key.
func (k Key) PrivatePEM() []byte {
	if k.private == nil {
		return nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// ID returns "sha256:" and the hex digest of the public key in PKIX form, the
// name that package verify reports the key by.
func (k Key) ID() string {
	sum := sha256.Sum256(k.publicDER())
	return "sha256:" + hex.EncodeToString(sum[:])
}

// SignBundle returns the bundle with which cosign 3 signs an image of the
// digest "sha256:…", with the given annotations (`cosign sign -a`), which may
// be nil.
func (k Key) SignBundle(digest string, annotations map[string]string) ([]byte, error) {
	return k.Attest(digest, annotations, SignPredicateType, []byte("{}"))
}

// Attest returns a bundle like SignBundle's with another predicate, which must
// be JSON.
func (k Key) Attest(digest string, annotations map[string]string, predicateType string, predicate []byte) ([]byte, error) {
	algorithm, hexDigest, ok := strings.Cut(digest, ":")
	if !ok {
		return nil, fmt.Errorf("digest %q: want algorithm:hex", digest)
	}
	subject := map[string]any{"digest": map[string]string{algorithm: hexDigest}}
	if len(annotations) > 0 {
		subject["annotations"] = annotations
	}
	statement, err := json.Marshal(map[string]any{
		"_type":         StatementType,
		"subject":       []any{subject},
		"predicateType": predicateType,
		"predicate":     json.RawMessage(predicate),
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the statement: %w", err)
	}
	return k.SignPayload(PayloadType, statement)
}

// SignPayload returns a bundle around a DSSE envelope with any payload, well
// formed or not.
func (k Key) SignPayload(payloadType string, payload []byte) ([]byte, error) {
	if k.private == nil {
		return nil, fmt.Errorf("signing with the zero Key")
	}
	sig, err := k.sign(preAuthEncoding(payloadType, payload))
	if err != nil {
		return nil, err
	}
	return k.bundle(map[string]any{
		"dsseEnvelope": map[string]any{
			"payload":     base64.StdEncoding.EncodeToString(payload),
			"payloadType": payloadType,
			"signatures":  []any{map[string]string{"sig": base64.StdEncoding.EncodeToString(sig)}},
		},
	})
}

// SignBlob returns the bundle that `cosign sign-blob --bundle` writes for the
// content of a file.
func (k Key) SignBlob(content []byte) ([]byte, error) {
	if k.private == nil {
		return nil, fmt.Errorf("signing with the zero Key")
	}
	sig, err := k.sign(content)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	return k.bundle(map[string]any{
		"messageSignature": map[string]any{
			"messageDigest": map[string]string{"algorithm": "SHA2_256", "digest": base64.StdEncoding.EncodeToString(sum[:])},
			"signature":     base64.StdEncoding.EncodeToString(sig),
		},
	})
}

func (k Key) bundle(content map[string]any) ([]byte, error) {
	hint := sha256.Sum256(k.publicDER())
	content["mediaType"] = BundleMediaType
	content["verificationMaterial"] = map[string]any{
		"publicKey": map[string]string{"hint": base64.StdEncoding.EncodeToString(hint[:])},
	}
	out, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encoding the bundle: %w", err)
	}
	return out, nil
}

func (k Key) sign(message []byte) ([]byte, error) {
	sum := sha256.Sum256(message)
	sig, err := ecdsa.SignASN1(rand.Reader, k.private, sum[:])
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return sig, nil
}

func (k Key) publicDER() []byte {
	if k.private == nil {
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		return nil
	}
	return der
}

// preAuthEncoding is the byte string that a DSSE signature covers (DSSE
// protocol, "PAE").
func preAuthEncoding(payloadType string, payload []byte) []byte {
	head := fmt.Sprintf("DSSEv1 %d %s %d ", len(payloadType), payloadType, len(payload))
	return append([]byte(head), payload...)
}
