package verify_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/verify"
)

// indented puts a PEM block under a YAML block scalar.
func indented(pem []byte, by string) string {
	return strings.ReplaceAll(strings.TrimSpace(string(pem)), "\n", "\n"+by)
}

func TestImportClusterImagePolicy(t *testing.T) {
	k := newKey(t)
	policy := `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata:
  name: acme
  uid: 0d1f
  managedFields: [{manager: kubectl}]
spec:
  mode: enforce
  images:
  - glob: ghcr.io/acme/**
  - glob: "*"
  - glob: index.docker.io/acme/*
  authorities:
  - name: ci
    keyless:
      url: https://fulcio.sigstore.dev
      identities:
      - {issuer: https://token.actions.githubusercontent.com, subjectRegExp: ^https://github\.com/acme/.*$}
      insecureIgnoreSCT: true
    ctlog: {url: https://rekor.sigstore.dev}
  - key:
      hashAlgorithm: sha256
      data: |
        ` + indented(k.PublicPEM(), "        ") + `
    ctlog: {}
    signatureFormat: bundle
status: {conditions: []}
`
	got, err := verify.ImportClusterImagePolicy("cip.yaml", []byte(policy), verify.TrustRoot{})
	if err != nil {
		t.Fatal(err)
	}
	want := verify.TrustPolicy{
		Root: verify.TrustRoot{PublicGood: true},
		Rules: []verify.Rule{{
			Name: "acme", Match: []string{"ghcr.io/acme/**", "docker.io/library/*", "docker.io/acme/*"},
			Authorities: []verify.Authority{
				{
					Name: "ci", Log: verify.Required, SCT: verify.None,
					Keyless: &verify.Keyless{Identities: []verify.Identity{{Issuer: issuer, SubjectRegexp: `^https://github\.com/acme/.*$`}}},
				},
				{Name: "authority-1", Log: verify.None, Key: &verify.Key{PEM: k.PublicPEM()}},
			},
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("ImportClusterImagePolicy (-want +got):\n%s", d)
	}
	accepted(t, newVerifier(t, got), verify.Subject{Reference: "ghcr.io/acme/fn:v1", Digest: digest}, signed(t, k, digest, nil))
}

func TestImportedAttestationsStandForTheSignature(t *testing.T) {
	k := newKey(t)
	policy := `apiVersion: policy.sigstore.dev/v1alpha1
kind: ClusterImagePolicy
metadata: {name: slsa}
spec:
  images: [{glob: "**"}]
  authorities:
  - name: builder
    ctlog: {}
    key:
      data: |
        ` + indented(k.PublicPEM(), "        ") + `
    attestations:
    - {name: must-have-slsa, predicateType: slsaprovenance1}
`
	p, err := verify.ImportClusterImagePolicy("cip.yaml", []byte(policy), verify.TrustRoot{})
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, p)
	att, err := k.Attest(digest, nil, "https://slsa.dev/provenance/v1", []byte(`{}`))
	accepted(t, v, image, bundleEvidence(t, att, err))
	if r := refused(t, v, image, signed(t, k, digest, nil)); r.Code != "verify.attestation" {
		t.Errorf("code = %s, want verify.attestation", r.Code)
	}
}

func TestClusterImagePolicyThatCannotBeExpressed(t *testing.T) {
	policy := func(spec string) string {
		return "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: x}\nspec:\n" + spec
	}
	authority := func(body string) string {
		return policy("  images: [{glob: '**'}]\n  authorities:\n  - " + body + "\n")
	}
	identity := "identities: [{issuer: https://i, subject: s}]"
	tests := []struct {
		name, yaml, code string
		line             int
	}{
		{"another kind", "apiVersion: v1\nkind: ConfigMap\n", "trust.kind", 2},
		{"mode warn", policy("  mode: warn\n"), "trust.import", 5},
		{"resource selector", policy("  images: [{glob: '**'}]\n  match: [{resource: pods}]\n"), "trust.import", 6},
		{"policy in CUE", policy("  policy: {type: cue, data: x}\n"), "trust.import", 5},
		{"static", authority("static: {action: pass}"), "trust.import", 7},
		{"secret", authority("key: {secretRef: {name: x}}"), "trust.import", 7},
		{"key management", authority("key: {kms: gcpkms://x}"), "trust.import", 7},
		{"hash", authority("key: {data: x, hashAlgorithm: sha512}"), "trust.import", 7},
		{"source", authority("{keyless: {" + identity + "}, source: [{oci: x}]}"), "trust.import", 7},
		{"ca certificate", authority("keyless: {" + identity + ", ca-cert: {data: x}}"), "trust.import", 7},
		{"another log", authority("{keyless: {" + identity + "}, ctlog: {url: https://rekor.internal}}"), "trust.import", 7},
		{"another authority", authority("keyless: {" + identity + ", url: https://fulcio.internal}"), "trust.import", 7},
		{"trust root that is not given", authority("keyless: {" + identity + ", trustRootRef: mine}"), "trust.root", 7},
		{"policy of an attestation", authority("{keyless: {" + identity + "}, attestations: [{name: a, predicateType: custom, policy: {type: rego, data: x}}]}"), "trust.import", 7},
		{"attestations of one of two", authority("{name: a, keyless: {" + identity + "}, attestations: [{name: a, predicateType: custom}]}\n  - {name: b, keyless: {" + identity + "}}"), "trust.import", 7},
		{"unanchored expression", authority("keyless: {identities: [{issuerRegExp: .*, subject: s}]}"), "trust.regexp", 7},
		{"no issuer", authority("keyless: {identities: [{subject: s}]}"), "trust.identity", 7},
		{"nobody", policy("  images: [{glob: '**'}]\n"), "trust.nobody", 5},
		{"empty glob", policy("  images: [{glob: ''}]\n"), "trust.match", 5},
		{"two documents", policy("  images: []\n---\n" + policy("")), "trust.yaml", 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verify.ImportClusterImagePolicy("cip.yaml", []byte(tt.yaml), verify.TrustRoot{})
			var p *verify.PolicyError
			if !errors.As(err, &p) || p.Code != tt.code || p.Line != tt.line {
				t.Errorf("ImportClusterImagePolicy = %+v, want %s at line %d\n%s", err, tt.code, tt.line, tt.yaml)
			}
		})
	}
}

func TestImportKwctl(t *testing.T) {
	k, i := newKey(t), newInstance(t)
	config := `apiVersion: v1
allOf:
- kind: githubAction
  owner: acme
  repo: null
  annotations: null
- kind: pubKey
  owner: somebody
  key: |
    ` + indented(k.PublicPEM(), "    ") + `
  annotations: {env: prod}
anyOf: null
`
	p, err := verify.ImportKwctl("config.yml", []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	if want := (verify.Identity{Issuer: issuer, SubjectRegexp: `^https://github\.com/acme/.*$`}); p.Rules[0].Authorities[0].Keyless.Identities[0] != want {
		t.Errorf("identity = %+v, want %+v", p.Rules[0].Authorities[0].Keyless.Identities[0], want)
	}
	p.Root = rootOf(t, i)
	v := newVerifier(t, p)
	byKey := signed(t, k, digest, map[string]string{"env": "prod"})
	accepted(t, v, image, certified(t, i, workflow, digest), byKey)
	if r := refused(t, v, image, byKey); r.Code != "verify.all_of" {
		t.Errorf("with one of two: code = %s, want verify.all_of", r.Code)
	}
	p, err = verify.ImportKwctl("config.yml", []byte(`apiVersion: v1
anyOf:
  minimumMatches: 1
  signatures:
  - {kind: genericIssuer, issuer: https://token.actions.githubusercontent.com, subject: {urlPrefix: https://github.com/acme}}
  - {kind: genericIssuer, issuer: https://accounts.google.com, subject: {equal: dev@example.com}}
`))
	if err != nil {
		t.Fatal(err)
	}
	p.Root = rootOf(t, i)
	v = newVerifier(t, p)
	accepted(t, v, image, certified(t, i, workflow, digest))
	other := workflow
	other.Subject = "https://github.com/acme-evil/fns/.github/workflows/release.yml@refs/tags/v1"
	if r := refused(t, v, image, certified(t, i, other, digest)); r.Code != "verify.identity" {
		t.Errorf("a name that begins alike: code = %s, want verify.identity", r.Code)
	}
}

func TestKwctlConfigThatCannotBeExpressed(t *testing.T) {
	tests := []struct {
		name, yaml, code string
		line             int
	}{
		{"another version", "apiVersion: v2\n", "trust.kind", 1},
		{"nobody", "apiVersion: v1\n", "trust.nobody", 0},
		{"certificate", "apiVersion: v1\nallOf:\n- {kind: certificate, certificate: x}\n", "trust.import", 3},
		{"unknown kind", "apiVersion: v1\nallOf:\n- {kind: notary}\n", "trust.import", 3},
		{"both", "apiVersion: v1\nallOf: [{kind: githubAction, owner: a}]\nanyOf: {signatures: [{kind: githubAction, owner: a}]}\n", "trust.import", 3},
		{"several matches that one may meet", "apiVersion: v1\nanyOf:\n  minimumMatches: 2\n  signatures:\n  - {kind: githubAction, owner: a}\n  - {kind: githubAction, owner: b}\n", "trust.import", 5},
		{"more matches than signatures", "apiVersion: v1\nanyOf: {minimumMatches: 2, signatures: [{kind: githubAction, owner: a}]}\n", "trust.signers", 2},
		{"no matches", "apiVersion: v1\nanyOf: {minimumMatches: 0, signatures: [{kind: githubAction, owner: a}]}\n", "trust.signers", 2},
		{"no owner", "apiVersion: v1\nallOf: [{kind: githubAction}]\n", "trust.identity", 2},
		{"no subject", "apiVersion: v1\nallOf: [{kind: genericIssuer, issuer: a}]\n", "trust.identity", 2},
		{"no issuer", "apiVersion: v1\nallOf: [{kind: genericIssuer, subject: {equal: a}}]\n", "trust.identity", 2},
		{"bad key", "apiVersion: v1\nallOf: [{kind: pubKey, key: x}]\n", "trust.key", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verify.ImportKwctl("config.yml", []byte(tt.yaml))
			var p *verify.PolicyError
			if !errors.As(err, &p) || p.Code != tt.code || p.Line != tt.line {
				t.Errorf("ImportKwctl = %+v, want %s at line %d", err, tt.code, tt.line)
			}
		})
	}
}

// What FormatTrustPolicy writes, ParseTrustPolicy reads as the same policy.
func TestFormatTrustPolicy(t *testing.T) {
	read := policyFiles(t)
	want, err := verify.ParseTrustPolicy("trust.yaml", []byte(fullPolicy), read)
	if err != nil {
		t.Fatal(err)
	}
	text, err := verify.FormatTrustPolicy(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := verify.ParseTrustPolicy("trust.yaml", text, read)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want.Rules[0].Authorities[1].Key.Source = "" // keys are written out
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s\n%s", d, text)
	}
}
