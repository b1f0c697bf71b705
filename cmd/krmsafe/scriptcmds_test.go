package main_test

import (
	"flag"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
)

var update = flag.Bool("update", false, "rewrite golden files")

// exitCode runs CODE COMMAND ARGS… and gives the exit code, and the one that is
// wanted.
func exitCode(ts *testscript.TestScript, args []string) (got, want int) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Exec returns it as it is
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	return got, want
}

// status CODE krmsafe ARGS… runs krmsafe and wants that exit code. On every
// code but 0 it wants nothing on standard output as well: that holds for each
// refusal there is, so no script has to ask for it.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE COMMAND ARGS…")
	}
	got, want := exitCode(ts, args)
	if got != want {
		ts.Fatalf("%v: exit code %d, want %d", args[1:], got, want)
	}
	if out := ts.ReadFile("stdout"); want != 0 && out != "" {
		ts.Fatalf("%v: refused, and yet on standard output: %q", args[1:], out)
	}
}

// publish DIR TAG MODULE [KEYFILE] packs a module into an OCI layout and signs
// it with a new key whose public half goes to KEYFILE.
func publish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: publish DIR TAG MODULE [KEYFILE]")
	}
	module, err := os.ReadFile(ts.MkAbs(args[2]))
	ts.Check(err)
	blobs := layout.Blobs{}
	artifact := blobs.CNCF(module, nil)
	entries := []layout.Descriptor{artifact.Named(args[1])}
	if len(args) == 4 {
		key, err := sigstore.NewKey()
		ts.Check(err)
		bundle, err := key.SignBundle(artifact.Digest, nil)
		ts.Check(err)
		entries = append(entries, blobs.Bundle(artifact, bundle))
		ts.Check(os.WriteFile(ts.MkAbs(args[3]), key.PublicPEM(), 0o600))
	}
	ts.Check(blobs.Save(ts.MkAbs(args[0]), entries...))
	ts.Setenv("DIGEST", artifact.Digest)
}

// tamper DIR flips a bit in the largest blob of an OCI layout.
func tamper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tamper DIR")
	}
	names, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "blobs", "sha256", "*"))
	ts.Check(err)
	var largest string
	var blob []byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		ts.Check(err)
		if string(data[:4]) == "\x00asm" && len(data) > len(blob) {
			largest, blob = name, data
		}
	}
	blob[len(blob)/2] ^= 1
	ts.Check(os.WriteFile(largest, blob, 0o600))
}

// function NAME builds one of the functions written with kyaml to NAME.wasm.
func function(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: function NAME")
	}
	path, err := built(args[0])
	ts.Check(err)
	ts.Check(os.Symlink(path, ts.MkAbs(args[0]+".wasm")))
}

// kustomize builds kustomize, of the version that testdata/kustomize/go.mod names,
// and puts it into the script's folder.
func kustomize(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: kustomize")
	}
	path, err := build("kustomize", "../../testdata/kustomize", nil, "sigs.k8s.io/kustomize/kustomize/v5")
	ts.Check(err)
	ts.Check(os.Symlink(path, ts.MkAbs("kustomize")))
}

func built(name string) (string, error) {
	return build(name+".wasm", "../../testdata/functions", []string{"GOOS=wasip1", "GOARCH=wasm"}, "./"+name)
}

var (
	builds sync.Map // name → func() (string, error)
	temps  sync.Map // the folders that builds are in
)

// build compiles a package of the module in a folder, once, and gives the path.
func build(name, dir string, env []string, pkg string) (string, error) {
	build, _ := builds.LoadOrStore(name, sync.OnceValues(func() (string, error) {
		temp, err := os.MkdirTemp("", "krmsafe-built-")
		if err != nil {
			return "", err
		}
		temps.Store(temp, nil)
		out := filepath.Join(temp, name)
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, pkg)
		cmd.Dir = dir
		cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
		cmd.Stderr = os.Stderr
		return out, cmd.Run()
	}))
	return build.(func() (string, error))()
}

// serve NAME serves an HTTP registry that answers every request as NAME says,
// and sets $REGISTRY to its address: closed (nobody listens), failing (500),
// denying (401).
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: registry closed|failing|denying")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv("REGISTRY", listener.Addr().String())
	if args[0] == "closed" {
		ts.Check(listener.Close())
		return
	}
	code := map[string]int{"failing": http.StatusInternalServerError, "denying": http.StatusUnauthorized}[args[0]]
	if code == 0 {
		ts.Fatalf("unknown registry %q", args[0])
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })}
	go func() { _ = server.Serve(listener) }()
	ts.Defer(func() { _ = server.Close() })
}
