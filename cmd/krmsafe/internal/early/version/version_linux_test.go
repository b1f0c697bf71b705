package version_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/cmd/krmsafe/internal/early/version"
)

// TestReadAgreesWithTheRuntime reads this very program both ways.
func TestReadAgreesWithTheRuntime(t *testing.T) {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("the test has no list of modules")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	want := version.Info{Version: build.Main.Version, Modules: map[string]string{}}
	for _, d := range build.Deps {
		for _, e := range version.Engines() {
			if d.Path == e {
				want.Modules[e] = d.Version
			}
		}
	}
	got, ok := version.Read(exe)
	if !ok {
		t.Fatal("Read found nothing in the test's own executable")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Read differs from runtime/debug (-want +got):\n%s", diff)
	}
}

// TestReadGivesUp cuts this program short at every place that Read looks at, and
// gives it what is no program.
func TestReadGivesUp(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	note := bytes.Index(program, []byte("\xff Go buildinf:"+"\x08\x02"))
	if note < 0 {
		t.Fatal("the test's own executable has no note of the linker")
	}
	for name, content := range map[string][]byte{
		"empty":         nil,
		"text":          []byte("#!/bin/sh\necho krmsafe\n"),
		"file header":   program[:63],
		"segments":      program[:64+40],
		"before note":   program[:note],
		"inside note":   program[:note+20],
		"inside lists":  program[:note+200],
		"too many":      slices.Concat(program[:56], []byte{0xff, 0xff}, program[58:4096]),
		"without magic": slices.Concat(program[:note], make([]byte, 64), program[note+64:]),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "program")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if info, ok := version.Read(path); ok {
				t.Errorf("Read = %v, want nothing", info)
			}
		})
	}
}
