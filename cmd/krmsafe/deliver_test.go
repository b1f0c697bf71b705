package main_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/krmsafe/krmsafe/internal/testkit/layout"
)

// full FILE COMMAND ARGS… runs a command whose standard output is a file that
// takes nothing, on the input list.yaml, and wants it to fail.
func full(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: full FILE COMMAND ARGS…")
	}
	out, err := os.OpenFile(args[0], os.O_WRONLY, 0)
	ts.Check(err)
	defer func() { _ = out.Close() }()
	fails(ts, out, args[1:])
}

// gone COMMAND ARGS… runs a command whose standard output is a pipe that nobody
// reads, on the input list.yaml, and wants it to fail.
func gone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: gone COMMAND ARGS…")
	}
	r, w, err := os.Pipe()
	ts.Check(err)
	ts.Check(r.Close())
	defer func() { _ = w.Close() }()
	fails(ts, w, args)
}

func fails(ts *testscript.TestScript, stdout *os.File, args []string) {
	var path string
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		if info, err := os.Stat(dir + "/" + args[0]); err == nil && !info.IsDir() {
			path = dir + "/" + args[0]
			break
		}
	}
	var stderr bytes.Buffer
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), stdout, &stderr
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME")}
	cmd.Stdin = strings.NewReader(ts.ReadFile("list.yaml"))
	err := cmd.Run()
	_, _ = ts.Stderr().Write(stderr.Bytes())
	if err == nil {
		ts.Fatalf("%v succeeded, though nobody has its output", args)
	}
}

// lines FILE N wants that many lines in a file.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines FILE N")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	if got := strings.Count(ts.ReadFile(args[0]), "\n"); got != want {
		ts.Fatalf("%s has %d lines, want %d:\n%s", args[0], got, want, ts.ReadFile(args[0]))
	}
}

// mode FILE BITS wants a file to have these permissions, in octal.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode FILE BITS")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// bundle FILE NAME… packs files, under the names as they are given, into a
// gzipped tar file.
func bundle(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: bundle FILE NAME…")
	}
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for _, name := range args[1:] {
		text := ts.ReadFile(strings.TrimPrefix(name, "../"))
		ts.Check(archive.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o600}))
		_, err := archive.Write([]byte(text))
		ts.Check(err)
	}
	ts.Check(archive.Close())
	ts.Check(zip.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), out.Bytes(), 0o600))
}

// pushPolicy DIR NAME… packs files into an OCI layout as conftest pushes a
// policy: one layer per file, with the tag v1 and its digest in $DIGEST.
func pushPolicy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: push-policy DIR NAME…")
	}
	blobs := layout.Blobs{}
	manifest := layout.Manifest{SchemaVersion: 2, MediaType: layout.TypeManifest}
	config := blobs.Add("application/vnd.cncf.openpolicyagent.config.v1+json", []byte("{}"))
	manifest.Config = &config
	for _, name := range args[1:] {
		mediaType := "application/vnd.cncf.openpolicyagent.policy.layer.v1+rego"
		if strings.HasSuffix(name, ".json") {
			mediaType = "application/vnd.cncf.openpolicyagent.data.layer.v1+json"
		}
		layer := blobs.Add(mediaType, []byte(ts.ReadFile(name)))
		manifest.Layers = append(manifest.Layers, layer.Annotated("org.opencontainers.image.title", name))
	}
	artifact := blobs.AddManifest(manifest)
	ts.Check(blobs.Save(ts.MkAbs(args[0]), artifact.Named("v1")))
	ts.Setenv("DIGEST", artifact.Digest)
}
