package pipeline_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/verify"
)

// codeKey is the key under which testdata/signed/cosign3-code has compiled code.
const codeKey = "b696a08f55e133242b9d4e987656995e2da2c19e4c2b1c9216cdb6a181913e6b"

// What cosign signed, the function with one key and its compiled code with another, is
// told apart: the one key vouches for the one and not for the other.
func TestCodeSignedByCosign(t *testing.T) {
	signed := filepath.Join("..", "..", "testdata", "signed")
	public := func(who string) []verify.Authority {
		pem, err := os.ReadFile(filepath.Join(signed, "cosign3-code-"+who+".pub"))
		if err != nil {
			t.Fatal(err)
		}
		return []verify.Authority{{Name: who, Key: &verify.Key{PEM: pem, Source: who}}}
	}
	client, err := oci.New(oci.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := oci.ParseRef("oci-layout:" + filepath.Join(signed, "cosign3-code") + ":v1")
	if err != nil {
		t.Fatal(err)
	}
	function, err := client.Fetch(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := client.FindCode(t.Context(), function, codeKey[1:]+"0"); err != nil || len(found) > 0 {
		t.Errorf("FindCode of another key = %+v, %v, want none", found, err)
	}
	found, err := client.FindCode(t.Context(), function, codeKey)
	if err != nil || len(found) != 1 {
		t.Fatalf("FindCode = %+v, %v, want one", found, err)
	}
	code, err := client.ReadCode(t.Context(), found[0])
	if err != nil || string(code) != "machine code for nobody\n" {
		t.Errorf("ReadCode = %q, %v", code, err)
	}
	for _, tc := range []struct {
		authors, compilers string
		function, code     bool
	}{{"author", "compiler", true, true}, {"author", "author", true, false}, {"compiler", "compiler", false, true}} {
		trust := verify.TrustPolicy{Rules: []verify.Rule{{
			Name: "ours", Match: []string{"**"}, Authorities: public(tc.authors), CompiledCode: public(tc.compilers),
		}}}
		verifier, err := verify.New(trust)
		if err != nil {
			t.Fatal(err)
		}
		codeVerifier, err := verify.NewCode(trust)
		if err != nil {
			t.Fatal(err)
		}
		check := func(what string, p *verify.Provenance, err error, want bool) {
			t.Helper()
			if got := err == nil && p.Verified() && len(p.Signatures()) == 1; got != want || (err == nil) != want {
				t.Errorf("functions by the %s, code by the %s: the %s is verified: %v, %v, want %v", tc.authors, tc.compilers, what, got, err, want)
			}
		}
		p, err := verifier.Verify(t.Context(), verify.Subject{Reference: ref.String(), Digest: function.Digest}, evidenceOf(function.Evidence))
		check("function", p, err, tc.function)
		p, err = codeVerifier.Verify(t.Context(), ref.String(), verify.Subject{Reference: found[0].Ref, Digest: found[0].Digest}, evidenceOf(found[0].Evidence))
		check("code", p, err, tc.code)
	}
}

func evidenceOf(all []oci.Evidence) (out []verify.Evidence) {
	for _, e := range all {
		out = append(out, verify.Evidence{
			Kind: verify.Kind(e.Kind), MediaType: e.MediaType, Digest: e.Manifest, Source: e.Source, Bytes: e.Bytes, Annotations: e.Annotations,
		})
	}
	return out
}
