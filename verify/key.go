package verify

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature"
)

// minRSABits is the smallest RSA modulus accepted, as cosign and Sigstore's
// algorithm registry have it.
const minRSABits = 2048

// maxKeyBytes bounds a PEM file given as a key.
const maxKeyBytes = 64 << 10

// A publicKey is a key that may verify signatures.
type publicKey struct {
	id       string // "sha256:" + hex of the PKIX DER form
	verifier signature.Verifier
}

// parseKey reads exactly one public key in PEM form. Every other thing that
// people hand over by mistake is refused by its name.
func parseKey(data []byte) (*publicKey, error) {
	if len(data) > maxKeyBytes {
		return nil, keyError("the key is %d bytes of PEM; at most %d are read", len(data), maxKeyBytes)
	}
	block, rest := pem.Decode(data)
	if block == nil {
		return nil, &PolicyError{
			Code: "trust.key", Message: "the key is not PEM",
			Hint: "give the public key that `cosign generate-key-pair` writes to cosign.pub",
		}
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, keyError("the key file holds more than one PEM block")
	}
	if err := refuseBlock(block.Type); err != nil {
		return nil, err
	}
	var (
		key any
		err error
	)
	if block.Type == "RSA PUBLIC KEY" {
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	} else {
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil {
		return nil, keyError("the public key cannot be read: %s", oneLine(err.Error()))
	}
	return newPublicKey(key)
}

func refuseBlock(kind string) error {
	switch {
	case kind == "PUBLIC KEY" || kind == "RSA PUBLIC KEY":
		return nil
	case strings.Contains(kind, "PRIVATE KEY"):
		return &PolicyError{
			Code:    "trust.private_key",
			Message: fmt.Sprintf("the key is a private key (PEM type %q); verification needs the public key and must never see the private one", kind),
			Hint:    "give cosign.pub, or make it with `cosign public-key --key cosign.key`",
		}
	case strings.Contains(kind, "CERTIFICATE"):
		return &PolicyError{
			Code:    "trust.key",
			Message: fmt.Sprintf("the key is a certificate (PEM type %q), not a public key", kind),
			Hint:    "trust certificates by identity: --certificate-identity and --certificate-oidc-issuer, or keyless in the trust policy",
		}
	}
	return keyError("the PEM type %q is not a public key", kind)
}

func newPublicKey(key crypto.PublicKey) (*publicKey, error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
			return nil, keyError("the key is ECDSA on %s; P-256 and P-384 are supported", k.Curve.Params().Name)
		}
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits {
			return nil, keyError("the key is RSA with %d bits; at least %d are needed", bits, minRSABits)
		}
	case ed25519.PublicKey:
		return nil, &PolicyError{
			Code:    "trust.ed25519",
			Message: "the key is ed25519, which Sigstore's tools sign with in ways that they do not verify themselves",
			Hint:    "use an ECDSA P-256 key, the one `cosign generate-key-pair` makes",
		}
	default:
		return nil, keyError("a public key of type %T is not supported; use ECDSA P-256, P-384 or RSA", key)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, keyError("the public key cannot be encoded: %s", oneLine(err.Error()))
	}
	v, err := signature.LoadDefaultVerifier(key)
	if err != nil {
		return nil, keyError("the public key cannot be used: %s", oneLine(err.Error()))
	}
	sum := sha256.Sum256(der)
	return &publicKey{id: "sha256:" + hex.EncodeToString(sum[:]), verifier: v}, nil
}

func keyError(format string, args ...any) error {
	return &PolicyError{Code: "trust.key", Message: fmt.Sprintf(format, args...)}
}
