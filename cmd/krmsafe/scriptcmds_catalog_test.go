package main_test

import (
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/krmsafe/krmsafe/internal/testkit/layout"
)

// pushCatalog DIR FILE packs a catalog into an OCI layout as oras does, and sets
// $CATALOG to its digest.
func pushCatalog(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: push-catalog DIR FILE")
	}
	blobs := layout.Blobs{}
	manifest := layout.Manifest{SchemaVersion: 2, MediaType: layout.TypeManifest, Config: blobs.Empty()}
	manifest.Layers = append(manifest.Layers, blobs.Add("application/yaml", []byte(ts.ReadFile(args[1]))))
	artifact := blobs.AddManifest(manifest)
	ts.Check(blobs.Save(ts.MkAbs(args[0]), artifact.Named("v1")))
	ts.Setenv("CATALOG", artifact.Digest)
}
