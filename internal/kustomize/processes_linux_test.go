package kustomize_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoProcessIsStarted asks the kernel whether a build had a child: never, for trees that are built and for attacks;
// and for a base that is a repository only git, which is looked at by name.
func TestNoProcessIsStarted(t *testing.T) {
	program, alive := canary(t)
	repo := repository(t, modules+red+"-- base/kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- base/fn.yaml --\n"+config("Paint", "../blue"))
	log := gitLog(t)
	for _, tt := range []struct{ name, tree, children, says string }{
		{"plain", cm + "-- kustomization.yaml --\nresources: [cm.yaml]\n", "none", "error: <nil>"},
		{"a function", cm + "-- same.wasm --\n-- kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- fn.yaml --\n" + config("Fn", "same"), "none", "error: <nil>"},
		{"a program", cm + "-- kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- fn.yaml --\n" + fn("exec: {path: "+program+"}"), "none", "not run by krmsafe"},
		{"a container", cm + "-- kustomization.yaml --\nresources: [cm.yaml]\nvalidators: [fn.yaml]\n-- fn.yaml --\n" + fn("container: {image: x}"), "none", "not run by krmsafe"},
		{"an option for git", "-- kustomization.yaml --\nresources: ['" + repo + "?ref=--upload-pack=" + program + "']\n", "none", "no version"},
		{"a chart", "-- kustomization.yaml --\nhelmCharts: [{name: x, repo: 'https://127.0.0.1:1'}]\n", "none", "--enable-helm|inflates"},
		{"a repository", "-- kustomization.yaml --\nresources: ['" + repo + "//base']\n", "some", "error: <nil>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.RemoveAll(log); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "KRMSAFE_TEST_BUILD="+tree(t, tt.tree))
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(out), "children: "+tt.children+"\n") {
				t.Errorf("want children: %s, got %s", tt.children, out)
			}
			found := false
			for want := range strings.SplitSeq(tt.says, "|") {
				found = found || strings.Contains(string(out), want)
			}
			if !found {
				t.Errorf("want %q, got %s", tt.says, out)
			}
			if _, err := os.Stat(log); (err == nil) != (tt.children == "some") {
				t.Errorf("git's log: %v", err)
			}
			alive()
		})
	}
}

// gitLog puts a git first in PATH that writes down how it is called.
func gitLog(t *testing.T) string {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	if err := os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\necho \"$@\" >> "+log+"\nexec "+git+" \"$@\"\n"), 0o700); err != nil { // #nosec G306 -- a program
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return log
}
