package verify_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
	"github.com/krmsafe/krmsafe/verify"
)

// policyFiles are the files that the policies of these tests name.
func policyFiles(t *testing.T) func(string) ([]byte, error) {
	t.Helper()
	k, i := newKey(t), newInstance(t)
	root, err := i.TrustedRoot()
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"acme.pub": k.PublicPEM(), "cosign.key": k.PrivatePEM(), "ed25519.pub": publicPEM(t, ed), "root.json": root, "junk.json": []byte("{}"),
	}
	return func(name string) ([]byte, error) {
		b, ok := files[name]
		if !ok {
			return nil, errors.New("no such file")
		}
		return b, nil
	}
}

const head = "apiVersion: krmsafe.dev/v1alpha1\nkind: TrustPolicy\n"

const fullPolicy = head + `trustRoot: {file: root.json, sct: none, timestamp: tsa}
rules:
- name: acme
  match: ["ghcr.io/acme/fns/**"]
  require: {signatures: 2, digestRef: true, allOf: [ci]}
  authorities:
  - name: ci
    keyless:
      identities:
      - {issuer: https://token.actions.githubusercontent.com, subjectRegexp: '^https://github\.com/acme/.*$'}
      extensions: {sourceRepositoryURI: https://github.com/acme/fns, runnerEnvironment: github-hosted}
      extensionsRegexp: {sourceRepositoryRef: '^refs/tags/v.*$'}
    annotations: {env: prod}
    timestamp: any
  - name: offline
    key: {file: acme.pub, validUntil: 2027-01-01T00:00:00Z}
    tlog: required
  attestations:
  - {predicateType: https://slsa.dev/provenance/v1, authorities: [ci], min: 1}
  attestationsAsSignatures: [https://example.com/approved/v1]
  repositoryIdentity: any
- match: ["file://./fns/*.wasm"]
  pin: ["sha256:cbdcf3d1f7e7ba5ffbd4b2d3e0ec9bb1f0ba8e5ed2e1d4cd0d9e5a3c5a1f0b4e"]
mirrors: [{prefix: ghcr.io/acme, location: registry.internal/acme}]
`

func TestParseTrustPolicy(t *testing.T) {
	read := policyFiles(t)
	got, err := verify.ParseTrustPolicy("trust.yaml", []byte(fullPolicy), read)
	if err != nil {
		t.Fatal(err)
	}
	root, _ := read("root.json")
	key, _ := read("acme.pub")
	want := verify.TrustPolicy{
		Root: verify.TrustRoot{JSON: root, Source: "root.json"},
		Rules: []verify.Rule{
			{
				Name: "acme", Match: []string{"ghcr.io/acme/fns/**"}, Signers: 2, DigestRef: true, AllOf: []string{"ci"},
				Authorities: []verify.Authority{
					{
						Name: "ci", SCT: verify.None, Annotations: map[string]string{"env": "prod"},
						Keyless: &verify.Keyless{
							Identities:       []verify.Identity{{Issuer: issuer, SubjectRegexp: `^https://github\.com/acme/.*$`}},
							Extensions:       map[string]string{"sourceRepositoryURI": "https://github.com/acme/fns", "runnerEnvironment": "github-hosted"},
							ExtensionsRegexp: map[string]string{"sourceRepositoryRef": "^refs/tags/v.*$"},
						},
					},
					{
						Name: "offline", Log: verify.Required,
						Key: &verify.Key{PEM: key, Source: "acme.pub", ValidUntil: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
					},
				},
				Attestations:             []verify.Requirement{{PredicateType: "https://slsa.dev/provenance/v1", Authorities: []string{"ci"}, Signers: 1}},
				AttestationsAsSignatures: []string{"https://example.com/approved/v1"},
				AnyRepository:            true,
			},
			{Match: []string{"file://./fns/*.wasm"}, Pin: []string{"sha256:cbdcf3d1f7e7ba5ffbd4b2d3e0ec9bb1f0ba8e5ed2e1d4cd0d9e5a3c5a1f0b4e"}},
		},
		Mirrors: []verify.Mirror{{Prefix: "ghcr.io/acme", Location: "registry.internal/acme"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("ParseTrustPolicy (-want +got):\n%s", d)
	}
	if _, err := verify.New(got); err != nil {
		t.Errorf("New does not accept what ParseTrustPolicy returned: %v", err)
	}
}

// Each error names its line, before anything else happens.
func TestTrustPolicyErrors(t *testing.T) {
	rule := func(body string) string {
		return head + "trustRoot: {file: root.json}\nrules:\n- match: ['**']\n" + body
	}
	authority := func(body string) string { return rule("  authorities:\n  - " + body + "\n") }
	identities := func(body string) string { return authority("keyless:\n      identities:\n      - " + body) }
	tests := []struct {
		name, yaml, code string
		line             int
	}{
		{"empty", "", "trust.yaml", 0},
		{"not yaml", head + "rules: [", "trust.yaml", 3},
		{"not a mapping", "- a\n", "trust.type", 1},
		{"two documents", head + "rules: []\n---\nkind: x\n", "trust.yaml", 4},
		{"another kind", "apiVersion: krmsafe.dev/v1alpha1\nkind: ClusterImagePolicy\n", "trust.kind", 2},
		{"another version", "apiVersion: krmsafe.dev/v9\nkind: TrustPolicy\n", "trust.kind", 2},
		{"no rules", head, "trust.nobody", 0},
		{"unknown field", head + "rules: []\nsubjects: []\n", "trust.field", 4},
		{"unknown field of a rule", rule("  allow: true\n"), "trust.field", 6},
		{"unknown field of an identity", identities("{issuer: https://i, subject: s, subjectRegExp: x}"), "trust.field", 9},
		{"duplicate field", head + "kind: TrustPolicy\n", "trust.duplicate", 3},
		{"duplicate field of an identity", identities("{issuer: https://i, subject: s,\n        issuer: https://j}"), "trust.duplicate", 10},
		{"anchor", rule("  name: &x a\n"), "trust.yaml", 6},
		{"alias of nothing", head + "rules: *x\n", "trust.yaml", 0},
		{"tag", rule("  name: !!str 1\n"), "trust.yaml", 6},
		{"null", rule("  authorities:\n"), "trust.yaml", 6},
		{"number for text", rule("  name: 1\n"), "trust.type", 6},
		{"text for a number", rule("  require: {signatures: two}\n"), "trust.type", 6},
		{"yes for true", rule("  require: {digestRef: yes}\n"), "trust.type", 6},
		{"text for a list", rule("  authorities: ci\n"), "trust.type", 6},
		{"bad time", authority("key: {file: acme.pub, validUntil: tomorrow}"), "trust.type", 7},
		{"negative signatures", rule("  require: {signatures: -1}\n  authorities: [{key: {file: acme.pub}}]\n"), "trust.signers", 6},
		{"no authorities", rule("  name: x\n"), "trust.nobody", 5},
		{"no match", head + "rules:\n- authorities: [{key: {file: acme.pub}}]\n", "trust.match", 4},
		{"empty pattern", head + "rules:\n- match: ['']\n  authorities: [{key: {file: acme.pub}}]\n", "trust.match", 4},
		{"another name of Docker Hub", head + "rules:\n- match: ['index.docker.io/a/b']\n  authorities: [{key: {file: acme.pub}}]\n", "trust.match", 4},
		{"pattern with a digest", head + "rules:\n- match: ['a/b@sha256:x']\n  authorities: [{key: {file: acme.pub}}]\n", "trust.match", 4},
		{"one pattern in two rules", head + "rules:\n- match: [a/b]\n  authorities: [{key: {file: acme.pub}}]\n- match: [c/d,\n    a/b]\n  authorities: [{key: {file: acme.pub}}]\n", "trust.match", 7},
		{"empty authority", authority("name: x"), "trust.nobody", 7},
		{"key and keyless", authority("{key: {file: acme.pub}, keyless: {identities: [{issuer: a, subject: b}]}}"), "trust.authority", 7},
		{"issuer without subject", identities("issuer: https://i"), "trust.identity", 9},
		{"subject without issuer", identities("subject: s"), "trust.identity", 9},
		{"no identities", authority("keyless: {identities: []}"), "trust.identity", 7},
		{"subject and expression", identities("{issuer: https://i, subject: s, subjectRegexp: ^s$}"), "trust.identity", 9},
		{"unanchored expression", identities("{issuer: https://i, subjectRegexp: dev@example}"), "trust.regexp", 9},
		{"no beginning", identities("{issuer: https://i, subjectRegexp: dev@example.com$}"), "trust.regexp", 9},
		{"escaped end", identities("{issuer: https://i, subjectRegexp: '^dev@example.com\\$'}"), "trust.regexp", 9},
		{"half an anchor", identities("{issuer: https://i, subjectRegexp: ^dev@example}"), "trust.regexp", 9},
		{"unanchored issuer", identities("issuerRegexp: .*\n        subject: s"), "trust.regexp", 9},
		{"broken expression", identities("{issuer: https://i, subjectRegexp: '^(x$'}"), "trust.regexp", 9},
		{"unanchored extension", authority("keyless: {identities: [{issuer: a, subject: b}], extensionsRegexp: {buildTrigger: push}}"), "trust.regexp", 7},
		{"unknown extension", authority("keyless: {identities: [{issuer: a, subject: b}], extensions: {trigger: push}}"), "trust.extension", 7},
		{"empty extension", authority("keyless: {identities: [{issuer: a, subject: b}], extensions: {buildTrigger: ''}}"), "trust.extension", 7},
		{"ed25519", authority("key: {file: ed25519.pub}"), "trust.ed25519", 7},
		{"private key", authority("key: {file: cosign.key}"), "trust.private_key", 7},
		{"no such file", authority("key: {file: nowhere.pub}"), "trust.key", 7},
		{"file and pem", authority("key: {file: acme.pub, pem: x}"), "trust.key", 7},
		{"neither file nor pem", authority("key: {validUntil: 2027-01-01T00:00:00Z}"), "trust.key", 7},
		{"window the wrong way round", authority("key: {file: acme.pub, validFrom: 2027-01-01T00:00:00Z, validUntil: 2026-01-01T00:00:00Z}"), "trust.window", 7},
		{"window without a root", head + "rules:\n- match: ['**']\n  authorities:\n  - key: {file: acme.pub, validUntil: 2027-01-01T00:00:00Z}\n", "trust.root", 6},
		{"keyless without a root", head + "rules:\n- match: ['**']\n  authorities:\n  - keyless: {identities: [{issuer: a, subject: b}]}\n", "trust.root", 6},
		{"sct for a key", authority("{key: {file: acme.pub}, sct: required}"), "trust.mode", 7},
		{"unknown mode", authority("{key: {file: acme.pub}, tlog: maybe}"), "trust.mode", 7},
		{"unknown timestamp mode", authority("{key: {file: acme.pub}, timestamp: none}"), "trust.mode", 7},
		{"unknown repository mode", rule("  repositoryIdentity: warn\n  authorities: [{key: {file: acme.pub}}]\n"), "trust.mode", 6},
		{"two authorities of one name", rule("  authorities:\n  - {name: a, key: {file: acme.pub}}\n  - {name: a, key: {file: acme.pub}}\n"), "trust.authority", 8},
		{"unknown name in allOf", rule("  require: {allOf: [b]}\n  authorities: [{name: a, key: {file: acme.pub}}]\n"), "trust.authority", 6},
		{"unknown name in attestations", rule("  authorities: [{name: a, key: {file: acme.pub}}]\n  attestations:\n  - {predicateType: x, authorities: [b]}\n"), "trust.authority", 8},
		{"attestation without a type", rule("  authorities: [{name: a, key: {file: acme.pub}}]\n  attestations:\n  - {min: 1}\n"), "trust.attestation", 8},
		{"short name of an attestation", rule("  authorities: [{name: a, key: {file: acme.pub}}]\n  attestations:\n  - {predicateType: slsaprovenance1}\n"), "trust.attestation", 8},
		{"pin and authorities", rule("  pin: ['sha256:" + strings.Repeat("a", 64) + "']\n  authorities: [{name: a, key: {file: acme.pub}}]\n"), "trust.pin", 6},
		{"bad pin", rule("  pin: ['sha256:abc']\n"), "trust.pin", 6},
		{"unknown builtin", head + "trustRoot: {builtin: public}\n", "trust.root", 3},
		{"empty trust root", head + "trustRoot: {tlog: none}\n", "trust.root", 3},
		{"broken trust root", head + "trustRoot:\n  file: junk.json\nrules:\n- match: [a]\n  pin: []\n", "trust.root", 4},
		{"mirror without a place", head + "rules:\n- match: [a]\n  pin: ['sha256:" + strings.Repeat("a", 64) + "']\nmirrors:\n- prefix: a\n", "trust.mirror", 7},
		{"too large", head + "# " + strings.Repeat("x", 1<<20), "trust.limit", 0},
	}
	read := policyFiles(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verify.ParseTrustPolicy("trust.yaml", []byte(tt.yaml), read)
			var p *verify.PolicyError
			if !errors.As(err, &p) {
				t.Fatalf("ParseTrustPolicy = %v, want a PolicyError", err)
			}
			if p.Code != tt.code || p.Line != tt.line || p.File != "trust.yaml" {
				t.Errorf("ParseTrustPolicy = %s at line %d, want %s at line %d\n%v\n%s", p.Code, p.Line, tt.code, tt.line, err, tt.yaml)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %q", err)
			}
		})
	}
}

func TestModesOfTheTrustRootHoldForCertificatesAlone(t *testing.T) {
	p, err := verify.ParseTrustPolicy("trust.yaml", []byte(head+`trustRoot: {file: root.json, tlog: none, sct: none, timestamp: tsa}
rules:
- match: ['**']
  authorities:
  - keyless: {identities: [{issuer: a, subject: b}]}
  - keyless: {identities: [{issuer: c, subject: d}]}
    tlog: required
    sct: required
  - key: {file: acme.pub}
`), policyFiles(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range p.Rules[0].Authorities {
		got = append(got, fmt.Sprintf("%s,%s,%s", a.Log, a.SCT, a.TSA))
	}
	if want := []string{"none,none,required", "required,required,required", ",,"}; !cmp.Equal(got, want) {
		t.Errorf("modes = %q, want %q", got, want)
	}
}

func TestFlags(t *testing.T) {
	i := newInstance(t)
	root := rootOf(t, i).JSON
	k := newKey(t)
	good := certified(t, i, workflow, digest)
	github := verify.Flags{CertificateIdentity: subject, CertificateOIDCIssuer: issuer, TrustedRoot: root}
	with := func(change func(*verify.Flags)) verify.Flags {
		f := github
		change(&f)
		return f
	}
	tests := []struct {
		name     string
		flags    verify.Flags
		evidence verify.Evidence
		code     string
	}{
		{"key", verify.Flags{Keys: []verify.Key{{PEM: k.PublicPEM()}}}, signed(t, k, digest, nil), ""},
		{"key and annotation", verify.Flags{Keys: []verify.Key{{PEM: k.PublicPEM()}}, Annotations: map[string]string{"a": "b"}}, signed(t, k, digest, nil), "verify.annotation"},
		{"key with log", verify.Flags{Keys: []verify.Key{{PEM: k.PublicPEM()}}, RequireTLog: true}, signed(t, k, digest, nil), "verify.tlog"},
		{"key with timestamp", verify.Flags{Keys: []verify.Key{{PEM: k.PublicPEM()}}, UseSignedTimestamps: true}, signed(t, k, digest, nil), "verify.timestamp"},
		{"key with type", verify.Flags{Keys: []verify.Key{{PEM: k.PublicPEM()}}, PredicateTypes: []string{"x"}}, signed(t, k, digest, nil), "verify.attestation"},
		{"key with short type", verify.Flags{Keys: []verify.Key{{PEM: k.PublicPEM()}}, PredicateTypes: []string{"slsaprovenance1"}}, signed(t, k, digest, nil), "verify.attestation"},
		{"identity", github, good, ""},
		{"identity by expression", verify.Flags{CertificateIdentityRegexp: "^https://github\\.com/acme/.*$", CertificateOIDCIssuerRegexp: "^https://.*$", TrustedRoot: root}, good, ""},
		{"workflow", with(func(f *verify.Flags) {
			f.GitHubWorkflowTrigger, f.GitHubWorkflowName, f.GitHubWorkflowRepository, f.GitHubWorkflowRef = "push", "release", "acme/fns", "refs/tags/v1"
			f.GitHubWorkflowSHA = "1234567890abcdef1234567890abcdef12345678"
		}), good, ""},
		{"another trigger", with(func(f *verify.Flags) { f.GitHubWorkflowTrigger = "pull_request" }), good, "verify.identity"},
		{"another name", with(func(f *verify.Flags) { f.GitHubWorkflowName = "x" }), good, "verify.identity"},
		{"another repository", with(func(f *verify.Flags) { f.GitHubWorkflowRepository = "x" }), good, "verify.identity"},
		{"another ref", with(func(f *verify.Flags) { f.GitHubWorkflowRef = "x" }), good, "verify.identity"},
		{"another commit", with(func(f *verify.Flags) { f.GitHubWorkflowSHA = "x" }), good, "verify.identity"},
		{"the public instance by default", verify.Flags{CertificateIdentity: subject, CertificateOIDCIssuer: issuer}, good, "verify.tlog"},
		{"no log", with(func(f *verify.Flags) { f.InsecureIgnoreTLog = true }), certified(t, i, sigstore.Request{Subject: subject, Issuer: issuer, NoLog: true}, digest), ""},
		{"no sct", with(func(f *verify.Flags) { f.InsecureIgnoreSCT = true }), certified(t, i, sigstore.Request{Subject: subject, Issuer: issuer, NoSCT: true}, digest), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := tt.flags.TrustPolicy()
			if err != nil {
				t.Fatal(err)
			}
			if tt.code == "" {
				accepted(t, newVerifier(t, p), image, tt.evidence)
			} else if r := refused(t, newVerifier(t, p), image, tt.evidence); r.Code != tt.code {
				t.Errorf("code = %s, want %s (%s)", r.Code, tt.code, r.Message)
			}
		})
	}
	for name, f := range map[string]verify.Flags{
		"nobody":                            {},
		"insecure flags alone":              {InsecureIgnoreTLog: true, InsecureIgnoreSCT: true},
		"annotations alone":                 {Annotations: map[string]string{"a": "b"}},
		"identity without issuer":           {CertificateIdentity: subject},
		"issuer without identity":           {CertificateOIDCIssuer: issuer},
		"workflow alone":                    {GitHubWorkflowRepository: "acme/fns"},
		"unanchored identity":               {CertificateIdentityRegexp: "dev@example", CertificateOIDCIssuer: issuer},
		"identity and expression":           {CertificateIdentity: subject, CertificateIdentityRegexp: "^x$", CertificateOIDCIssuer: issuer},
		"private key":                       {Keys: []verify.Key{{PEM: k.PrivatePEM()}}},
		"a trusted root that is not one":    {CertificateIdentity: subject, CertificateOIDCIssuer: issuer, TrustedRoot: []byte("{}")},
		"neither log nor timestamp to hold": {Keys: []verify.Key{{PEM: k.PublicPEM(), ValidUntil: time.Now()}}},
	} {
		if _, err := f.TrustPolicy(); err == nil {
			t.Errorf("%s: TrustPolicy accepts %+v", name, f)
		}
	}
}

// The sample shows every field, so that it can be copied from.
func TestSampleShowsEveryField(t *testing.T) {
	text, err := os.ReadFile("testdata/trust-policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify.ParseTrustPolicy("trust-policy.yaml", text, func(name string) ([]byte, error) {
		return policyFiles(t)(map[string]string{"trusted_root.json": "root.json"}[name] + map[string]string{"acme.pub": name}[name])
	}); err != nil {
		t.Fatal(err)
	}
	for _, field := range verify.TrustPolicyFields() {
		if field != "pem" && !regexp.MustCompile(`(?m)^[ -]*(\{)?`+field+`:`).Match(text) {
			t.Errorf("the sample does not show the field %s", field)
		}
	}
}
