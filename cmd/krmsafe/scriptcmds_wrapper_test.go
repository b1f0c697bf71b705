package main_test

import (
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/registry"
	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
)

// refuses CODE krmsafe ARGS… runs a verb that a client starts, and wants that exit
// code, a reason on standard error, and on standard output a ResourceList with the
// one resource of the script's input and an error among its results.
func refuses(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: refuses CODE COMMAND ARGS…")
	}
	got, want := exitCode(ts, args)
	out := ts.ReadFile("stdout")
	switch {
	case got != want || want == 0:
		ts.Fatalf("%v: exit code %d, want %d", args[1:], got, want)
	case !strings.Contains(ts.ReadFile("stderr"), "krmsafe: error: "):
		ts.Fatalf("%v: no reason on standard error", args[1:])
	case strings.Count(out, "kind: ResourceList\n") != 1 || !strings.Contains(out, "name: settings") || !strings.Contains(out, "severity: error"):
		ts.Fatalf("%v: refused, and on standard output there is: %q", args[1:], out)
	}
}

// expand FILE replaces $VARIABLES in a file, for those whose readers want absolute
// paths.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
}

// mixed REPO TAG MODULE KEYFILE serves a registry in which a reference leads to an
// index of a container image for linux/amd64 and of a module, signed with a new key
// whose public half goes to KEYFILE. It sets $REGISTRY to the registry's address.
func mixed(t *testing.T) func(*testscript.TestScript, bool, []string) {
	t.Helper()
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 4 {
			ts.Fatalf("usage: mixed REPO TAG MODULE KEYFILE")
		}
		module, err := os.ReadFile(ts.MkAbs(args[2]))
		ts.Check(err)
		blobs := layout.Blobs{}
		native := blobs.Image("linux", "amd64", layout.GzipLayer(layout.File{Name: "fn", Body: []byte("\x7fELF")}))
		wasm := blobs.CNCF(module, nil)
		index := blobs.Index(native.For("linux", "amd64"), wasm.For("wasip1", "wasm"))
		key, err := sigstore.NewKey()
		ts.Check(err)
		bundle, err := key.SignBundle(wasm.Digest, nil)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[3]), key.PublicPEM(), 0o600))
		r := registry.New(t)
		r.Put(args[0], blobs, index.Named(args[1]), native, wasm, blobs.Bundle(wasm, bundle))
		ts.Setenv("REGISTRY", r.Host)
	}
}
