package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/verify"
)

func publicPEM(t *testing.T, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func ecdsaPEM(t *testing.T, curve elliptic.Curve) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return publicPEM(t, &k.PublicKey)
}

func rsaPEM(t *testing.T, bits int) []byte {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return publicPEM(t, &k.PublicKey)
}

func TestKeys(t *testing.T) {
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private := newKey(t).PrivatePEM()
	block := func(kind string) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("x")}) }
	p256 := ecdsaPEM(t, elliptic.P256())
	tests := []struct {
		name string
		pem  []byte
		code string
	}{
		{"P-256", p256, ""},
		{"P-384", ecdsaPEM(t, elliptic.P384()), ""},
		{"RSA 2048", rsaPEM(t, 2048), ""},
		{"P-521", ecdsaPEM(t, elliptic.P521()), "trust.key"},
		{"RSA 1024", rsaPEM(t, 1024), "trust.key"},
		{"ed25519", publicPEM(t, ed), "trust.ed25519"},
		{"private key", private, "trust.private_key"},
		{"cosign's private key", block("ENCRYPTED SIGSTORE PRIVATE KEY"), "trust.private_key"},
		{"old cosign's private key", block("ENCRYPTED COSIGN PRIVATE KEY"), "trust.private_key"},
		{"certificate", block("CERTIFICATE"), "trust.key"},
		{"garbage in PEM", block("PUBLIC KEY"), "trust.key"},
		{"two keys", append(append([]byte(nil), p256...), p256...), "trust.key"},
		{"not PEM", []byte("hello"), "trust.key"},
		{"empty", nil, "trust.key"},
		{"huge", make([]byte, 1<<20), "trust.key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verify.New(verify.TrustPolicy{Rules: []verify.Rule{{
				Match: []string{"**"}, Authorities: []verify.Authority{{Key: &verify.Key{PEM: tt.pem}}},
			}}})
			if tt.code == "" {
				if err != nil {
					t.Fatalf("New = %v", err)
				}
				return
			}
			var p *verify.PolicyError
			if !errors.As(err, &p) || p.Code != tt.code {
				t.Fatalf("New = %v, want %s", err, tt.code)
			}
			if tt.name == "RSA 1024" && !strings.Contains(p.Message, "1024 bits") {
				t.Errorf("New = %v, want it to say how many bits there are", err)
			}
		})
	}
}

func TestTrustingNobodyIsAnError(t *testing.T) {
	for name, p := range map[string]verify.TrustPolicy{
		"zero":           {},
		"no authorities": {Rules: []verify.Rule{{Match: []string{"**"}}}},
		"empty authority": {Rules: []verify.Rule{{
			Match: []string{"**"}, Authorities: []verify.Authority{{Name: "nobody"}},
		}}},
		"no match": {Rules: []verify.Rule{{Authorities: []verify.Authority{{Key: &verify.Key{PEM: newKey(t).PublicPEM()}}}}}},
	} {
		v, err := verify.New(p)
		var pe *verify.PolicyError
		if v != nil || !errors.As(err, &pe) {
			t.Errorf("%s: New = %v, %v, want a PolicyError", name, v, err)
		}
	}
}
