package verify_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/krmsafe/krmsafe/verify"
)

// The fixtures stand for what a registry or a layout would give.
func mustRead(name string) []byte {
	b, err := os.ReadFile(filepath.Join("../testdata/signed", name))
	if err != nil {
		panic(err)
	}
	return b
}

const exampleDigest = "sha256:3d24eb0d5f6a84ce9f19f194322b9400e58546c884949bba9ce3312adbd2b90b"

var exampleBundle = verify.Evidence{
	Kind: verify.Bundle, Source: "referrer",
	Bytes: mustRead("cosign3-key/blobs/sha256/cc96457e205a73c6f69803c00567f1e3698b2bbf803f3a4dc8668376b63dfecb"),
}

// An artifact that cosign signed with a key.
func ExampleNew() {
	v, err := verify.New(verify.TrustPolicy{Rules: []verify.Rule{{
		Match: []string{"ghcr.io/acme/fns/**"},
		Authorities: []verify.Authority{{
			Name:        "offline",
			Key:         &verify.Key{PEM: mustRead("cosign3-key.pub"), Source: "cosign.pub"},
			Annotations: map[string]string{"env": "prod"},
		}},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := v.Verify(context.Background(), verify.Subject{Reference: "ghcr.io/acme/fns/cat:v1", Digest: exampleDigest}, []verify.Evidence{exampleBundle})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range p.Signatures() {
		fmt.Println(s.Authority, s.Type, s.KeyID[:19], s.Annotations["env"])
	}
	// Output: offline key sha256:ec5cee8b977e prod
}

// A refusal has a code for programs, a sentence for people and a reason for
// each piece of evidence.
func ExampleVerifier_Verify_refusal() {
	v, err := verify.New(verify.TrustPolicy{Rules: []verify.Rule{{
		Match:       []string{"ghcr.io/acme/fns/**"},
		Authorities: []verify.Authority{{Name: "offline", Key: &verify.Key{PEM: mustRead("cosign3-other.pub")}}},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = v.Verify(context.Background(), verify.Subject{Reference: "ghcr.io/acme/fns/cat:v1", Digest: exampleDigest}, []verify.Evidence{exampleBundle})
	var r *verify.RefusalError
	if errors.As(err, &r) {
		fmt.Println(r.Code)
		for _, c := range r.Candidates {
			fmt.Println(c.Source, c.Code)
		}
	}
	// Output:
	// verify.key
	// referrer verify.key
}

// A trust policy as a file, for a workflow of GitHub's and for files by digest.
func ExampleParseTrustPolicy() {
	policy := `
apiVersion: krmsafe.dev/v1alpha1
kind: TrustPolicy
trustRoot: {builtin: public-good}
rules:
- match: ["ghcr.io/acme/fns/**"]
  authorities:
  - name: release
    keyless:
      identities:
      - issuer: https://token.actions.githubusercontent.com
        subjectRegexp: ^https://github\.com/acme/fns/\.github/workflows/release\.yml@refs/tags/.*$
      extensions: {sourceRepositoryURI: https://github.com/acme/fns, runnerEnvironment: github-hosted}
  attestations:
  - {predicateType: https://slsa.dev/provenance/v1, authorities: [release]}
- match: ["file://./fns/*.wasm"]
  pin: ["sha256:3d24eb0d5f6a84ce9f19f194322b9400e58546c884949bba9ce3312adbd2b90b"]
`
	p, err := verify.ParseTrustPolicy("trust.yaml", []byte(policy), os.ReadFile)
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := verify.New(p)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Rule("ghcr.io/acme/fns/cat:v1"))
	fmt.Println(v.Rule("ghcr.io/other/cat:v1"))
	// Output:
	// ghcr.io/acme/fns/** <nil>
	//  no rule of the trust policy matches "ghcr.io/other/cat"
}

// Cosign's flags as one rule for every reference. What cosign would let pass
// unseen is an error here.
func ExampleFlags_TrustPolicy() {
	f := verify.Flags{CertificateIdentityRegexp: "dev@example.com", CertificateOIDCIssuer: "https://accounts.google.com"}
	_, err := f.TrustPolicy()
	fmt.Println(err)
	f.CertificateIdentityRegexp = `^.*@example\.com$`
	_, err = f.TrustPolicy()
	fmt.Println(err)
	// Output:
	// the expression for the subject "dev@example.com" is not anchored: it must begin with ^ and end with $, else it matches more than it says
	// <nil>
}

// Moving from policy-controller.
func ExampleImportClusterImagePolicy() {
	p, err := verify.ImportClusterImagePolicy("policy.yaml", []byte(`
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: acme}
spec:
  images: [{glob: "ghcr.io/acme/**"}]
  authorities:
  - keyless:
      identities: [{issuer: https://accounts.google.com, subject: dev@example.com}]
`), verify.TrustRoot{})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := verify.FormatTrustPolicy(p)
	fmt.Print(string(text), err)
	// Output:
	// apiVersion: krmsafe.dev/v1alpha1
	// kind: TrustPolicy
	// trustRoot:
	//   builtin: public-good
	// rules:
	//   - name: acme
	//     match:
	//       - ghcr.io/acme/**
	//     authorities:
	//       - name: authority-0
	//         keyless:
	//           identities:
	//             - issuer: https://accounts.google.com
	//               subject: dev@example.com
	//         tlog: required
	// <nil>
}

// A key that is to count for a while needs somebody who vouches for the time.
func ExampleKey() {
	_, err := verify.New(verify.TrustPolicy{Rules: []verify.Rule{{
		Match: []string{"**"},
		Authorities: []verify.Authority{{Key: &verify.Key{
			PEM: mustRead("cosign3-key.pub"), ValidUntil: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		}}},
	}}})
	fmt.Println(err)
	// Output: authority "key" needs a trusted root: it asks for a certificate, a log or a timestamp
}
