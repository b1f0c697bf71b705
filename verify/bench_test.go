package verify_test

import (
	"testing"

	"github.com/krmsafe/krmsafe/verify"
)

// BenchmarkVerify is what verification adds to a run: the trusted root is read
// and everything is verified, as a process that runs one function does it.
func BenchmarkVerify(b *testing.B) {
	for _, name := range []string{"cosign3-key", "cosign3-keyless", "cosign-rekor1"} {
		b.Run(name, func(b *testing.B) {
			l := readLayout(b, name)
			s := verify.Subject{Reference: "127.0.0.1:15001/fns/x:v1", Digest: l.digest}
			policy := verify.TrustPolicy{
				Root: verify.TrustRoot{PublicGood: true, JSON: readFixture(b, "loopback-root.json")},
				Rules: []verify.Rule{{Match: []string{"**"}, AnyRepository: true, Authorities: []verify.Authority{
					{Name: "key", Key: &verify.Key{PEM: readFixture(b, "cosign3-key.pub")}},
					identity("ci", loopbackGitHub, loopbackWorkflow),
				}}},
			}
			b.ReportAllocs()
			for b.Loop() {
				v, err := verify.New(policy)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := v.Verify(b.Context(), s, l.bundles); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
