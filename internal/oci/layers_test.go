package oci_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
)

// TestFetchLayers reads an artifact of two files, and refuses it by its tag, by
// another digest, and with a byte changed.
func TestFetchLayers(t *testing.T) {
	blobs := layout.Blobs{}
	title := func(d layout.Descriptor, name string) layout.Descriptor {
		return d.Annotated("org.opencontainers.image.title", name)
	}
	artifact := blobs.AddManifest(layout.Manifest{
		SchemaVersion: 2, MediaType: layout.TypeManifest, Config: blobs.Empty(), ArtifactType: "application/vnd.test",
		Layers: []layout.Descriptor{
			title(blobs.Add("application/vnd.test.layer", []byte("package a")), "a.rego"),
			title(blobs.Add("application/vnd.test.layer", []byte("package b")), "../b.rego"),
		},
	})
	dir := t.TempDir()
	if err := blobs.Save(dir, artifact.Named("v1"), blobs.Index(artifact).Named("index")); err != nil {
		t.Fatal(err)
	}
	client, err := oci.New(oci.Config{Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(suffix string) ([]oci.Layer, error) {
		ref, err := oci.ParseRef("oci-layout:" + dir + suffix)
		if err != nil {
			t.Fatal(err)
		}
		return client.FetchLayers(context.Background(), ref)
	}
	layers, err := fetch(":v1@" + artifact.Digest)
	if err != nil || len(layers) != 2 || layers[0].Title != "a.rego" || layers[1].Title != "../b.rego" || string(layers[1].Bytes) != "package b" {
		t.Errorf("FetchLayers = %+v, %v", layers, err)
	}
	var ref *oci.RefError
	if _, err := fetch(":v1"); !errors.As(err, &ref) || ref.Code != "ref.not_pinned" {
		t.Errorf("by a tag alone: %v", err)
	}
	if layers, err := fetch(":v1@sha256:" + strings.Repeat("0", 64)); err == nil {
		t.Errorf("by another digest: %+v", layers)
	}
	blob := filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(layers[0].Digest, "sha256:"))
	if err := os.WriteFile(blob, []byte("package x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var bad *oci.ArtifactError
	if layers, err := fetch(":v1@" + artifact.Digest); !errors.As(err, &bad) {
		t.Errorf("with a byte changed: %+v, %v", layers, err)
	}
}
