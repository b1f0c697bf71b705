package pipeline_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/internal/cache"
	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/registry"
	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
	"github.com/krmsafe/krmsafe/internal/testkit/stamp"
	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/verify"
)

// BenchmarkVerify is what a signature costs a run: resolving the reference at a
// registry on loopback, reading its manifest, module and evidence from the cache
// and verifying them.
func BenchmarkVerify(b *testing.B) {
	key, err := sigstore.NewKey()
	if err != nil {
		b.Fatal(err)
	}
	blobs := layout.Blobs{}
	artifact := blobs.CNCF(stamp.Module(), nil)
	bundle, err := key.SignBundle(artifact.Digest, nil)
	if err != nil {
		b.Fatal(err)
	}
	server := registry.New(b)
	server.Referrers = true
	server.Put("fns/stamp", blobs, artifact.Named("v1"), blobs.Bundle(artifact, bundle))

	kept, err := cache.Open(filepath.Join(b.TempDir(), "cache"), 1<<30, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	client, err := oci.New(oci.Config{Cache: kept})
	if err != nil {
		b.Fatal(err)
	}
	verifier, err := verify.New(verify.TrustPolicy{Rules: []verify.Rule{{
		Match: []string{"**"}, Authorities: []verify.Authority{{Key: &verify.Key{PEM: key.PublicPEM()}}},
	}}})
	if err != nil {
		b.Fatal(err)
	}
	p, err := pipeline.New(pipeline.Config{Registry: client, Verifier: verifier, Policy: baseline(b), KRM: krm.DefaultLimits()})
	if err != nil {
		b.Fatal(err)
	}
	req := pipeline.Request{Image: server.Host + "/fns/stamp:v1", Input: &krm.ResourceList{}, FailOn: pipeline.FailNever}
	for b.Loop() {
		rep, err := p.Verify(context.Background(), req)
		if err != nil {
			b.Fatal(err)
		}
		if !rep.Outcome.OK {
			b.Fatalf("refused: %s", rep.Outcome.Message)
		}
	}
}

func baseline(tb testing.TB) *policy.Policy {
	tb.Helper()
	library, err := policy.SourcesFS(policies.FS, "lib")
	if err != nil {
		tb.Fatal(err)
	}
	defaults, err := policy.SourcesFS(policies.FS, "baseline")
	if err != nil {
		tb.Fatal(err)
	}
	p, err := policy.Load(context.Background(), policy.Config{Library: library, Defaults: defaults})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}
