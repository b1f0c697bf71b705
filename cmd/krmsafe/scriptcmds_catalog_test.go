package main_test

import (
	"crypto/sha256"
	"fmt"
	"os"

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

// pin MODULE FILE PATTERN writes a trust policy whose one rule lets the bytes of a
// module run by a name that fits the pattern.
func pin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: pin MODULE FILE PATTERN")
	}
	text := fmt.Sprintf("apiVersion: krmsafe.dev/v1alpha1\nkind: TrustPolicy\nrules:\n- match: [%q]\n  pin: [\"sha256:%x\"]\n",
		args[2], sha256.Sum256([]byte(ts.ReadFile(args[0]))))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}
