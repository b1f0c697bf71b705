package krm_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

func yamlFile(p string) bool { return strings.HasSuffix(p, ".yaml") }

func TestOpenFiles(t *testing.T) {
	outside := writeTree(t, map[string]string{"secret.yaml": "s: 1\n"})
	dir := writeTree(t, map[string]string{
		"a.yaml": "a: 1\n", "sub/b.yaml": "{{ not YAML", "sub/c.txt": "", ".git/d.yaml": "", "e.json": "{}",
	})
	for link, to := range map[string]string{
		"out.yaml": filepath.Join(outside, "secret.yaml"), "dir": outside, "in.yaml": "a.yaml", "same": "sub", "hidden": ".git", "txt": "sub/c.txt",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := krm.OpenFiles(dir, krm.DefaultLimits(), yamlFile)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if diff := cmp.Diff([]string{"a.yaml", "sub/b.yaml"}, d.Files()); diff != "" {
		t.Errorf("Files (-want +got):\n%s", diff)
	}
	var unread []string
	for _, s := range d.List.Skipped {
		unread = append(unread, s.Path)
	}
	if diff := cmp.Diff([]string{"dir", "hidden", "out.yaml"}, unread); diff != "" {
		t.Errorf("Skipped (-want +got):\n%s", diff)
	}
	for _, name := range []string{"../x.yaml", "/etc/passwd", "out.yaml", "dir/secret.yaml", "same/b.yaml", "none.yaml", "sub"} {
		if err := d.Add(name); err == nil {
			t.Errorf("Add(%q) read a file", name)
		}
	}
	if err := d.Add("e.json"); err != nil || string(d.File("e.json")) != "{}" {
		t.Errorf("Add = %v, File = %q", err, d.File("e.json"))
	}
	change := krm.FileChange{Path: "a.yaml", Before: d.File("a.yaml"), After: []byte("a: 2\n")}
	if err := d.Write([]krm.FileChange{change, {Path: "sub/c.txt", After: []byte("x")}}, krm.WriteOptions{}); err == nil {
		t.Error("Write changed a file that was not read")
	}
	if err := d.Write([]krm.FileChange{change}, krm.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "a.yaml")); string(got) != "a: 2\n" {
		t.Errorf("a.yaml = %q", got)
	}
}

func TestOpenFilesBounded(t *testing.T) {
	dir := writeTree(t, map[string]string{"a.yaml": strings.Repeat("#", 600), "b.yaml": strings.Repeat("#", 600)})
	limits := krm.DefaultLimits()
	limits.Bytes = 1000
	_, err := krm.OpenFiles(dir, limits, yamlFile)
	if e, ok := errors.AsType[*krm.SyntaxError](err); !ok || e.Code != "input.limit.bytes" {
		t.Errorf("OpenFiles of 1200 bytes within 1000 = %v", err)
	}
	limits = krm.DefaultLimits()
	limits.Files = 2
	_, err = krm.OpenFiles(dir, limits, yamlFile)
	if e, ok := errors.AsType[*krm.SyntaxError](err); !ok || e.Code != "input.limit.files" {
		t.Errorf("OpenFiles of two files within two entries = %v", err)
	}
}
