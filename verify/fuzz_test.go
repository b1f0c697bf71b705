package verify_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/verify"
)

func fixture(f *testing.F, elem ...string) []byte {
	f.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{signedDir}, elem...)...))
	if err != nil {
		f.Fatal(err)
	}
	return b
}

func fuzzVerifier(f *testing.F) *verify.Verifier {
	f.Helper()
	v, err := verify.New(verify.TrustPolicy{
		Root: verify.TrustRoot{JSON: fixture(f, "loopback-root.json")},
		Rules: []verify.Rule{{Match: []string{"**"}, AttestationsAsSignatures: []string{"https://slsa.dev/provenance/v1"}, AnyRepository: true, Authorities: []verify.Authority{
			{Name: "key", Key: &verify.Key{PEM: fixture(f, "cosign3-key.pub")}},
			{Name: "ci", Keyless: &verify.Keyless{Identities: []verify.Identity{{Issuer: loopbackGitHub, Subject: loopbackWorkflow}}}},
		}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	return v
}

// judge verifies and checks what holds for any evidence: a Provenance and an
// error exclude each other, and nobody but the two authorities signs.
func judge(t *testing.T, v *verify.Verifier, s verify.Subject, e verify.Evidence) *verify.Provenance {
	t.Helper()
	p, err := v.Verify(t.Context(), s, []verify.Evidence{e})
	var r *verify.RefusalError
	switch {
	case err == nil && !p.Verified(), err != nil && p != nil:
		t.Fatalf("Verify = %v, %v", p, err)
	case err != nil && !errors.As(err, &r):
		t.Fatalf("evidence made Verify fail to judge: %v", err)
	case err != nil && (r.Code == "verify.panic" || r.Code == "verify.internal"):
		t.Fatalf("evidence made Verify refuse with %s: %s", r.Code, r.Message)
	case err != nil && (r.Message == "" || strings.Contains(r.Message, "\n") || len(r.Candidates) != 1):
		t.Fatalf("refusal %q with candidates %+v", r.Message, r.Candidates)
	case err != nil:
		return nil
	}
	for _, sig := range p.Signatures() {
		byKey := sig.Authority == "key" && sig.Type == "key" && sig.KeyID == "sha256:ec5cee8b977ec52168e87920486fb366b6fa961ae72f271bfc1134324f6f7003"
		byCI := sig.Authority == "ci" && sig.Type == "certificate" && sig.Issuer == loopbackGitHub && sig.Subject == loopbackWorkflow && len(sig.Logs) == 1
		if !byKey && !byCI {
			t.Fatalf("a signature by somebody else was accepted: %+v", sig)
		}
	}
	return p
}

// Whatever is made of a bundle, it is refused or says what was signed.
func FuzzBundle(f *testing.F) {
	content := fixture(f, "blob", "cat.wasm")
	for _, name := range []string{"cosign3-key", "cosign3-keyless", "cosign3-attest", "cosign2-key", "cosign2-keyless", "sigstore-js", "sigstore-js-attest"} {
		f.Add(fixture(f, "blob", name+".json"))
	}
	f.Add([]byte(`{"base64Signature":""}`))
	v := fuzzVerifier(f)
	s := verify.Subject{Reference: "file://cat.wasm", Digest: digestOf(string(content)), File: true, Content: content}
	f.Fuzz(func(t *testing.T, bundle []byte) {
		p := judge(t, v, s, verify.Evidence{Kind: verify.Bundle, Bytes: bundle})
		for _, sig := range p.Signatures() {
			if sig.Digest != s.Digest && sig.Format != "blob" || len(sig.Annotations) != 0 {
				t.Errorf("accepted as %+v, which nobody signed", sig)
			}
		}
		if p != nil && !json.Valid(bundle) {
			t.Error("accepted what is not JSON")
		}
	})
}

// The same for legacy signatures, whose parts can be swapped one by one.
func FuzzLegacySignature(f *testing.F) {
	var manifest struct {
		Layers []struct {
			MediaType, Digest string
			Annotations       map[string]string
		}
	}
	const digest = "sha256:3d24eb0d5f6a84ce9f19f194322b9400e58546c884949bba9ce3312adbd2b90b"
	for layout, sig := range map[string]string{
		"cosign-rekor1":  "41bd1ecb6dfc34003c637f3b82f49322fe94682c33e9bf0199285a08442799dd",
		"cosign2-legacy": "e1882ba60d4f5410cf17ca50aac23a26357b45c2c4294468bce28427c42b8902",
	} {
		if err := json.Unmarshal(fixture(f, layout, "blobs", "sha256", sig), &manifest); err != nil {
			f.Fatal(err)
		}
		for _, l := range manifest.Layers {
			a := l.Annotations
			f.Add(fixture(f, layout, "blobs", "sha256", l.Digest[7:]), a["dev.cosignproject.cosign/signature"], a["dev.sigstore.cosign/certificate"],
				a["dev.sigstore.cosign/bundle"], a["dev.sigstore.cosign/rfc3161timestamp"])
		}
	}
	v := fuzzVerifier(f)
	f.Fuzz(func(t *testing.T, payload []byte, signature, certificate, bundle, timestamp string) {
		p := judge(t, v, verify.Subject{Reference: "127.0.0.1:15001/fns/x", Digest: digest}, verify.Evidence{
			Kind: verify.LegacySignature, MediaType: "application/vnd.dev.cosign.simplesigning.v1+json", Bytes: payload,
			Annotations: map[string]string{
				"dev.cosignproject.cosign/signature": signature, "dev.sigstore.cosign/certificate": certificate,
				"dev.sigstore.cosign/bundle": bundle, "dev.sigstore.cosign/rfc3161timestamp": timestamp,
			},
		})
		for _, sig := range p.Signatures() {
			env, ok := sig.Annotations["env"]
			if sig.Digest != digest || !strings.HasPrefix(sig.DockerReference, "127.0.0.1:15001/fns/") || ok && env != "prod" || len(sig.Annotations) > 1 {
				t.Errorf("accepted as %+v, which nobody signed", sig)
			}
		}
	})
}

// Whatever policy is accepted, New accepts it too, and writing and reading it
// gives the same policy.
func FuzzTrustPolicy(f *testing.F) {
	f.Add([]byte(fullPolicy))
	f.Add([]byte(head + "rules:\n- match: [a]\n  pin: ['sha256:" + strings.Repeat("a", 64) + "']\n"))
	f.Add([]byte(head + "trustRoot: {builtin: public-good}\nrules:\n- match: [a]\n  authorities: [{key: {file: k}, tlog: required, annotations: {\"a\": \"b\\n\"}}]\n"))
	key, root := fixture(f, "cosign3-key.pub"), fixture(f, "loopback-root.json")
	read := func(name string) ([]byte, error) {
		switch {
		case strings.HasSuffix(name, ".json"):
			return root, nil
		case len(name) > 100:
			return nil, os.ErrNotExist
		}
		return key, nil
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := verify.ParseTrustPolicy("trust.yaml", text, read)
		if err != nil {
			var pe *verify.PolicyError
			if !errors.As(err, &pe) || len(p.Rules) != 0 && pe.Code == "" {
				t.Fatalf("ParseTrustPolicy = %v, want a PolicyError", err)
			}
			return
		}
		if len(p.Rules) == 0 {
			t.Fatal("a policy that trusts nobody was accepted")
		}
		if _, err := verify.New(p); err != nil {
			t.Fatalf("New = %v", err)
		}
		written, err := verify.FormatTrustPolicy(p)
		if err != nil {
			t.Fatalf("FormatTrustPolicy = %v", err)
		}
		again, err := verify.ParseTrustPolicy("trust.yaml", written, read)
		if err != nil {
			t.Fatalf("what was written does not parse: %v\n%s", err, written)
		}
		for r := range p.Rules {
			for a := range p.Rules[r].Authorities {
				if k := p.Rules[r].Authorities[a].Key; k != nil {
					k.Source = ""
				}
			}
		}
		if d := cmp.Diff(p, again); d != "" {
			t.Errorf("(-read +read again):\n%s\n%s", d, written)
		}
	})
}

// An imported policy is one that New accepts.
func FuzzImport(f *testing.F) {
	key := string(fixture(f, "cosign3-key.pub"))
	f.Add([]byte("apiVersion: v1\nanyOf:\n  signatures:\n  - kind: pubKey\n    key: |\n      " + strings.ReplaceAll(key, "\n", "\n      ")))
	f.Add([]byte("apiVersion: v1\nallOf: [{kind: githubAction, owner: a, repo: b}, {kind: genericIssuer, issuer: i, subject: {urlPrefix: https://x}}]"))
	f.Add([]byte("apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nspec:\n  images: [{glob: '**'}]\n  authorities:\n  - keyless: {identities: [{issuer: a, subject: b}]}\n    attestations: [{name: a, predicateType: vuln}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		kwctl, err1 := verify.ImportKwctl("x.yaml", text)
		cip, err2 := verify.ImportClusterImagePolicy("x.yaml", text, verify.TrustRoot{})
		for _, r := range []struct {
			p   verify.TrustPolicy
			err error
		}{{kwctl, err1}, {cip, err2}} {
			var pe *verify.PolicyError
			if r.err != nil && !errors.As(r.err, &pe) {
				t.Fatalf("import = %v, want a PolicyError", r.err)
			}
			if _, err := verify.New(r.p); r.err == nil && err != nil {
				t.Fatalf("New does not accept the imported policy: %v", err)
			}
		}
	})
}

// What is scanned as JSON is JSON with every name once.
func FuzzScanJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"a":2}`, `{"a":{"a":[{"a":null}]}}`, `{"a":1}{}`, `[]`, `{"a":"\ud800"}`, `{"\u0061":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if verify.ScanJSON(data) != nil {
			return
		}
		var members map[string]any
		if !json.Valid(data) || json.Unmarshal(data, &members) != nil {
			t.Fatalf("%q was scanned and is not a JSON object", data)
		}
		compact, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := names(data), names(compact); a != b {
			t.Errorf("%q has %d names, decoded it has %d", data, a, b)
		}
	})
}

// names counts the members of all objects.
func names(data []byte) int {
	n := 0
	var stack []int // tokens of each object so far; -1 for an array
	for dec := json.NewDecoder(strings.NewReader(string(data))); ; {
		tok, err := dec.Token()
		if err != nil {
			return n
		}
		d, isDelim := tok.(json.Delim)
		if isDelim && (d == '}' || d == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if top := len(stack) - 1; top >= 0 && stack[top] >= 0 {
			if stack[top]%2 == 0 {
				n++
			}
			stack[top]++
		}
		if isDelim && d == '{' {
			stack = append(stack, 0)
		} else if isDelim {
			stack = append(stack, -1)
		}
	}
}

// The matcher agrees with regular expressions.
func FuzzPattern(f *testing.F) {
	f.Add("ghcr.io/acme/**", "ghcr.io/acme/a/b")
	f.Add("*.io/*/x**y", "a.io/b/xzzy")
	f.Add("**a**b**", "aXb")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		got, err := verify.MatchPattern(pattern, name)
		if err != nil || len(name) > 1024 || strings.HasPrefix(pattern, "file:") || strings.HasPrefix(pattern, "oci-layout:") {
			return
		}
		var expr strings.Builder
		for i, part := range strings.Split(pattern, "**") {
			if i > 0 {
				expr.WriteString(`(?s:.*)`)
			}
			for k, literal := range strings.Split(part, "*") {
				if k > 0 {
					expr.WriteString(`[^/]*`)
				}
				expr.WriteString(regexp.QuoteMeta(literal))
			}
		}
		re, err := regexp.Compile(`\A` + expr.String() + `\z`)
		if err != nil {
			return
		}
		if strings.ToValidUTF8(pattern+name, "") != pattern+name {
			return // expressions read characters, patterns bytes
		}
		if want := re.MatchString(name); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, name, got, want)
		}
	})
}
