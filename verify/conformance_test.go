//go:build conformance

package verify_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/verify"
)

// The suite is github.com/sigstore/sigstore-conformance; its cases are not
// ours to carry. With a clone of it at DIR:
//
//	go test -tags conformance -run TestConformance ./verify -args -suite DIR
var suite = flag.String("suite", "", "a clone of sigstore-conformance")

// What a case leaves out, as the suite's own client has it.
const (
	suiteIdentity = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
	suiteIssuer   = "https://token.actions.githubusercontent.com"
)

func TestConformance(t *testing.T) {
	base := filepath.Join(*suite, "test", "assets", "bundle-verify")
	cases, err := os.ReadDir(base)
	if err != nil {
		t.Fatalf("reading the suite: %v", err)
	}
	ran := 0
	for _, c := range cases {
		if !c.IsDir() {
			continue
		}
		ran++
		t.Run(c.Name(), func(t *testing.T) {
			byFile, byDigest := conform(t, base, c.Name())
			if want := !strings.HasSuffix(c.Name(), "_fail"); (byFile == nil) != want || (byDigest == nil) != want {
				t.Errorf("by file: %v, by digest: %v, want accepted %v", byFile, byDigest, want)
			}
		})
	}
	if ran == 0 {
		t.Fatal("the suite holds no cases")
	}
}

func conform(t *testing.T, base, name string) (byFile, byDigest error) {
	t.Helper()
	read := func(file string) []byte {
		b, err := os.ReadFile(filepath.Join(base, name, file))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return b
	}
	text := func(file, otherwise string) string {
		if b := read(file); b != nil {
			return strings.TrimSpace(string(b))
		}
		return otherwise
	}
	artifact := read("artifact")
	if artifact == nil {
		var err error
		if artifact, err = os.ReadFile(filepath.Join(base, "a.txt")); err != nil {
			t.Fatal(err)
		}
	}
	bundle := read("bundle.sigstore.json")
	policy := verify.TrustPolicy{Root: verify.TrustRoot{JSON: read("trusted_root.json")}}
	policy.Root.PublicGood = len(policy.Root.JSON) == 0
	authority := identity("suite", text("issuer", suiteIssuer), text("identity", suiteIdentity))
	if key := read("key.pub"); key != nil {
		authority = verify.Authority{Key: &verify.Key{PEM: key}, Log: verify.Required}
	}
	policy.Rules = []verify.Rule{{Match: []string{"**"}, Authorities: []verify.Authority{authority}, AttestationsAsSignatures: predicateTypeOf(bundle)}}
	v, err := verify.New(policy)
	if err != nil {
		return err, err
	}
	e := []verify.Evidence{{Kind: verify.Bundle, Bytes: bundle}}
	s := verify.Subject{Reference: "file://artifact", File: true, Digest: digestOf(string(artifact))}
	_, byDigest = v.Verify(t.Context(), s, e)
	s.Content = artifact
	_, byFile = v.Verify(t.Context(), s, e)
	return byFile, byDigest
}

// predicateTypeOf lets the suite's attestations count: it asks whether a
// bundle is valid, not what for.
func predicateTypeOf(bundle []byte) []string {
	var b struct{ DsseEnvelope struct{ Payload string } }
	var st struct{ PredicateType string }
	if json.Unmarshal(bundle, &b) != nil {
		return nil
	}
	payload, err := base64.StdEncoding.DecodeString(b.DsseEnvelope.Payload)
	if err != nil || json.Unmarshal(payload, &st) != nil || st.PredicateType == "" {
		return nil
	}
	return []string{st.PredicateType}
}
