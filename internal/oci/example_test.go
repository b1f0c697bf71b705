package oci_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
)

func ExampleParseRef() {
	ref, _ := oci.ParseRef("ghcr.io/acme/fns/label:v1")
	fmt.Println(ref.Registry, ref.Repository, ref.Tag, ref.Pinned())

	_, err := oci.ParseRef("acme/label:v1")
	var bad *oci.RefError
	if errors.As(err, &bad) {
		fmt.Println(bad.Code)
	}
	// Output:
	// ghcr.io acme/fns/label v1 false
	// ref.registry
}

func ExampleClient_Push() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir) //nolint:errcheck // an example
	ctx := context.Background()

	client, _ := oci.New(oci.Config{Offline: true})
	ref, _ := oci.ParseRef("oci-layout:" + filepath.Join(dir, "fn") + ":v1")
	digest, err := client.Push(ctx, ref, layout.Module, oci.PushOptions{})
	fmt.Println(digest, err)

	artifact, err := client.Fetch(ctx, ref)
	fmt.Println(artifact.Digest == digest, artifact.Layout, len(artifact.Module), err)
	// Output:
	// sha256:aeb0651bfcce2e2a7ff35ed1b2d82fbdc7288e6822c6daf81b812860d463c242 <nil>
	// true cncf-wasm 8 <nil>
}

func ExampleClient_Pull() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir) //nolint:errcheck // an example
	ctx := context.Background()
	from := filepath.Join(dir, "from")
	_, _ = layout.Write(from, layout.Module, layout.Options{Tag: "v1", Bundles: [][]byte{[]byte("a bundle")}})

	client, _ := oci.New(oci.Config{Offline: true})
	ref, _ := oci.ParseRef("oci-layout:" + from + ":v1")
	artifact, err := client.Pull(ctx, ref, filepath.Join(dir, "to"))
	fmt.Println(len(artifact.Evidence), artifact.Evidence[0].Kind, err)
	// Output: 1 bundle <nil>
}
