package krmfilter_test

import (
	"errors"
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
	"github.com/krmsafe/krmsafe/krmfilter"
	"github.com/krmsafe/krmsafe/verify"
)

// publish packs a module into an OCI layout, signed by a key.
func publish(t *testing.T, module []byte, key sigstore.Key) string {
	t.Helper()
	blobs := layout.Blobs{}
	artifact := blobs.CNCF(module, nil)
	bundle, err := key.SignBundle(artifact.Digest, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := blobs.Save(dir, artifact.Named("v1"), blobs.Bundle(artifact, bundle)); err != nil {
		t.Fatal(err)
	}
	return "oci-layout:" + dir + ":v1"
}

// TestImageIsVerified runs an artifact that the trusted key signed, and not one that another key did.
func TestImageIsVerified(t *testing.T) {
	t.Parallel()
	ours, err := sigstore.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := sigstore.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	j := judge(t, krmfilter.Config{Registry: krmfilter.Registry{Offline: true}, Trust: verify.TrustPolicy{Rules: []verify.Rule{{
		Match: []string{"**"}, Authorities: []verify.Authority{{Name: "acme", Key: &verify.Key{PEM: ours.PublicPEM(), Source: "acme.pub"}}},
	}}}})
	nodes := read(t, shop)
	f := krmfilter.Filter{Judge: j, Context: within(t), Image: publish(t, asm.Cat(), ours)}
	if out, err := f.Filter(nodes); err != nil || len(out) != 2 || out[0] != nodes[0] {
		t.Errorf("Filter = %v, %v", out, err)
	}
	f.Image = publish(t, asm.Cat(), theirs)
	out, err := f.Filter(nodes)
	var refused *krmfilter.RefusedError
	if !errors.As(err, &refused) || refused.Stage != "verify" || out != nil {
		t.Errorf("Filter = %v, %v, want a refusal at verify", out, err)
	}
}
