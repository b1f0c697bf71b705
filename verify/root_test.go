package verify_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/verify"
)

func rootPolicy(root verify.TrustRoot) verify.TrustPolicy {
	return verify.TrustPolicy{Root: root, Rules: []verify.Rule{{Match: []string{"**"}, Authorities: []verify.Authority{identity("ci", issuer, subject)}}}}
}

func TestTrustedRootsThatCannotBeUsed(t *testing.T) {
	good := string(rootOf(t, newInstance(t)).JSON)
	for name, text := range map[string]string{
		"not json":                "hello",
		"not an object":           "[]",
		"half":                    good[:len(good)/2],
		"a second that is broken": good + "\n{",
		"empty object":            "{}",
		"another media type":      strings.Replace(good, "trustedroot+json;version=0.1", "trustedroot+json;version=9", 1),
		"a name twice":            strings.Replace(good, `"tlogs":`, `"tlogs":[],"tlogs":`, 1),
		"an unknown name":         strings.Replace(good, `"tlogs":`, `"logs":`, 1),
		"a log without a key":     `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[{"baseUrl":"https://x","hashAlgorithm":"SHA2_256"}]}`,
		"an empty authority":      `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","certificateAuthorities":[{}]}`,
		"an empty tsa":            `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","timestampAuthorities":[{"certChain":{"certificates":[{}]}}]}`,
		"seventeen of them":       strings.Repeat(good, 17),
		"far too large":           strings.Repeat(" ", 5<<20) + good,
	} {
		v, err := verify.New(rootPolicy(verify.TrustRoot{JSON: []byte(text), Source: "root.json"}))
		var p *verify.PolicyError
		if v != nil || !errors.As(err, &p) || p.Code != "trust.root" || !strings.HasPrefix(p.Message, "root.json: ") {
			t.Errorf("%s: New = %v, %v, want trust.root that names the file", name, v, err)
		}
	}
}

// A trusted root makes a Verifier or an error, never a panic, and whoever it
// trusts, it does not trust what another instance signed.
func FuzzTrustedRoot(f *testing.F) {
	f.Add(verify.PublicGood())
	f.Add(fixture(f, "loopback-root.json"))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","certificateAuthorities":[{"certChain":{"certificates":[]}}]}`))
	bundle := fixture(f, "blob", "cosign3-keyless.json")
	content := fixture(f, "blob", "cat.wasm")
	loopback := fixture(f, "loopback-root.json")
	f.Fuzz(func(t *testing.T, root []byte) {
		v, err := verify.New(verify.TrustPolicy{Root: verify.TrustRoot{JSON: root}, Rules: []verify.Rule{{
			Match: []string{"**"}, Authorities: []verify.Authority{identity("ci", loopbackGitHub, loopbackWorkflow)},
		}}})
		var p *verify.PolicyError
		if err != nil {
			if v != nil || !errors.As(err, &p) {
				t.Fatalf("New = %v, %v, want a PolicyError alone", v, err)
			}
			return
		}
		s := verify.Subject{Reference: "file://cat.wasm", File: true, Digest: digestOf(string(content)), Content: content}
		if _, err := v.Verify(t.Context(), s, []verify.Evidence{{Kind: verify.Bundle, Bytes: bundle}}); err == nil && !bytes.ContainsRune(root, '\\') && !sharesKeys(root, loopback) {
			t.Error("a root without the instance's keys accepts what it signed")
		}
	})
}

// sharesKeys reports whether the log's and the authority's keys of the second
// root are in the first.
func sharesKeys(root, other []byte) bool {
	for _, part := range bytes.Split(other, []byte(`"rawBytes"`))[1:] {
		value := bytes.Split(part, []byte(`"`))[1]
		if len(value) > 40 && bytes.Contains(root, value[:40]) {
			return true
		}
	}
	return false
}
