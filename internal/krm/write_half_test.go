package krm_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

func TestWriteIsAllOrNothing(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, map[string]string{"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n"})
	d, out := open(t, dir, func(s string) string {
		s = strings.Replace(s, "name: a\n", "name: a\n    labels: {x: y}\n", 1)
		return s + "- {apiVersion: v1, kind: ConfigMap, metadata: {name: new, annotations: {config.kubernetes.io/path: z/new.yaml}}}\n"
	})
	plan, err := d.Plan(out)
	if err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	// A name that the file system cannot hold fails when the file is written, after a.yaml was staged.
	plan[1].Path = "z/" + strings.Repeat("n", 300) + ".yaml"
	if err := d.Write(plan, krm.WriteOptions{}); err == nil {
		t.Fatal("Write of an impossible name succeeded")
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("the tree changed (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(dir, "z")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder was left behind: %v", err)
	}
}

func TestWriteTakesBackWhatFailedHalfWay(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"a.yaml":     "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n",
		"b.yaml":     "apiVersion: v1\nkind: Pod\nmetadata:\n  name: b\n",
		"sub/c.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: c\n",
	}
	function := func(s string) string {
		s = strings.NewReplacer("name: a\n", "name: a\n    labels: {x: y}\n", "name: c\n", "name: c\n    labels: {x: y}\n").Replace(s)
		i := strings.Index(s, "name: b\n")
		i = strings.LastIndex(s[:i], "- apiVersion")
		end := i + 1 + strings.Index(s[i+1:], "- apiVersion")
		return s[:i] + s[end:] + "- {apiVersion: v1, kind: ConfigMap, metadata: {name: new, annotations: {config.kubernetes.io/path: y/z/new.yaml}}}\n"
	}
	full := errors.New("no space left on device")
	failed := map[string]bool{}
	for at := 0; ; at++ {
		dir := writeTree(t, files)
		if err := os.Chmod(filepath.Join(dir, "a.yaml"), 0o600); err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		d, out := open(t, dir, function)
		plan, err := d.Plan(out)
		if err != nil {
			t.Fatal(err)
		}
		n, step := 0, ""
		d.Fault(func(what, name string) error {
			if what == "link" { // a copy is kept instead
				return full
			}
			if n++; n == at+1 {
				step = what
				return full
			}
			return nil
		})
		err = d.Write(plan, krm.WriteOptions{AllowDelete: true})
		if step == "" {
			if err != nil || len(tree(t, dir)) != len(files) {
				t.Fatalf("Write = %v, and the tree is %v", err, tree(t, dir))
			}
			break
		}
		failed[step] = true
		if !errors.Is(err, full) {
			t.Errorf("step %d, %s, failed and Write = %v", at, step, err)
		}
		if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
			t.Errorf("step %d, %s, failed and the tree changed (-want +got):\n%s", at, step, diff)
		}
		if _, err := os.Stat(filepath.Join(dir, "y")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("step %d, %s, failed and left a folder behind: %v", at, step, err)
		}
	}
	if want := map[string]bool{"mkdir": true, "create": true, "write": true, "rename": true}; !cmp.Equal(want, failed) {
		t.Errorf("these steps failed: %v, want %v", failed, want)
	}
}

func TestWriteKeepsTheFileItCannotPutBack(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, map[string]string{
		"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", "b.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: b}\n",
	})
	d, out := open(t, dir, func(s string) string { return strings.ReplaceAll(s, "kind: Pod", "kind: Pod\n  spec: {x: y}") })
	plan, err := d.Plan(out)
	if err != nil {
		t.Fatal(err)
	}
	d.Fault(func(what, name string) error {
		if what == "undo" || what == "rename" && name == "b.yaml" {
			return errors.New("input/output error")
		}
		return nil
	})
	err = d.Write(plan, krm.WriteOptions{})
	if err == nil || !strings.Contains(err.Error(), `"a.yaml" could not be put back; it is kept as ".krmsafe-1-0.old"`) {
		t.Errorf("Write = %v", err)
	}
	kept, err := os.ReadFile(filepath.Join(dir, ".krmsafe-1-0.old"))
	if want := "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"; string(kept) != want {
		t.Errorf("what is kept is %q, %v, want %q", kept, err, want)
	}
}
