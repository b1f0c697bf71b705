package oci_test

import (
	"context"
	"testing"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
)

// BenchmarkFetchLayout reads a 5 MiB module with a bundle from a layout on disk.
func BenchmarkFetchLayout(b *testing.B) {
	dir := b.TempDir()
	module := append(append([]byte{}, layout.Module...), make([]byte, 5<<20)...)
	if _, err := layout.Write(dir, module, layout.Options{Tag: "v1", Bundles: [][]byte{make([]byte, 4<<10)}}); err != nil {
		b.Fatal(err)
	}
	client, err := oci.New(oci.Config{Offline: true})
	if err != nil {
		b.Fatal(err)
	}
	ref, err := oci.ParseRef("oci-layout:" + dir + ":v1")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(module)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Fetch(context.Background(), ref); err != nil {
			b.Fatal(err)
		}
	}
}
