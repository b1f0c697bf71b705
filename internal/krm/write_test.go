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

// open reads a directory and lets a function, an edit of the text it is shown, run over it.
func open(t *testing.T, dir string, function func(string) string) (*krm.Directory, *krm.ResourceList) {
	t.Helper()
	d, err := krm.OpenDirectory(dir, krm.DefaultLimits(), krm.Skip{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	x, err := krm.NewExchange(d.List, krm.View{}, random())
	if err != nil {
		t.Fatal(err)
	}
	out, err := x.Output([]byte(function(string(x.Input()))), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return d, out.List
}

// tree reads every file under a directory, with its mode.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if e.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(p)
			files[name] = "-> " + to
			return err
		}
		b, err := os.ReadFile(p)
		files[name] = info.Mode().String() + "\n" + string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestWriteInPlace(t *testing.T) {
	t.Parallel()
	const two = "# licence\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: one # 1\n\n\n--- # next\n\napiVersion: v1\nkind: Pod\nmetadata: {name: two}\n\n---\nvalues: x\n"
	const mode = "-rw-r--r--\n"
	for _, tt := range []struct {
		name        string
		files       map[string]string
		function    func(string) string
		want        map[string]string // files that differ, "" for those that are gone
		allowDelete bool
	}{
		{"nothing changes", map[string]string{"a.yaml": "\xef\xbb\xbf" + two, "b.yaml": strings.ReplaceAll(two, "\n", "\r\n")}, func(s string) string { return s }, nil, false},
		{
			"one document changes",
			map[string]string{"a.yaml": two, "b.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: x}"},
			replaced("name: one # 1\n", "name: one\n    labels: {a: b}\n"),
			map[string]string{"a.yaml": mode + strings.Replace(two, "name: one # 1\n", "name: one # 1\n  labels:\n    a: b\n", 1)},
			false,
		},
		{
			"line ends, byte order mark and a missing last line end are kept",
			map[string]string{"a.yaml": "\xef\xbb\xbf" + strings.TrimSuffix(strings.ReplaceAll("apiVersion: v1\nkind: Pod\nmetadata:\n  name: w # w\n", "\n", "\r\n"), "\r\n")},
			replaced("name: w # w", "name: w\n    labels: {a: b}"),
			map[string]string{"a.yaml": mode + "\xef\xbb\xbfapiVersion: v1\r\nkind: Pod\r\nmetadata:\r\n  name: w # w\r\n  labels:\r\n    a: b"},
			false,
		},
		{
			"the first document goes",
			map[string]string{"a.yaml": two},
			func(s string) string {
				i, j := strings.Index(s, "- apiVersion"), strings.LastIndex(s, "- apiVersion")
				return s[:i] + s[j:]
			},
			map[string]string{"a.yaml": mode + "# licence\n--- # next\n\napiVersion: v1\nkind: Pod\nmetadata: {name: two}\n\n---\nvalues: x\n"},
			true,
		},
		{
			"the only document goes",
			map[string]string{"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", "b.yaml": two},
			func(s string) string {
				i, j := strings.Index(s, "- apiVersion"), strings.Index(s, "- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: one")
				return s[:i] + s[j:]
			},
			map[string]string{"a.yaml": ""},
			true,
		},
		{
			"new resources",
			map[string]string{"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: x}"},
			appended("- {apiVersion: v1, kind: ConfigMap, metadata: {name: \"system:N\"}}\n" +
				"- {apiVersion: v1, kind: ConfigMap, metadata: {name: n, annotations: {config.kubernetes.io/path: a.yaml}}}\n" +
				"- {apiVersion: v1, kind: ConfigMap, metadata: {name: o, annotations: {config.kubernetes.io/path: sub/dir/o.yaml, config.kubernetes.io/index: '1'}}}\n" +
				"- {apiVersion: v1, kind: ConfigMap, metadata: {name: p, annotations: {config.kubernetes.io/path: sub/dir/o.yaml, config.kubernetes.io/index: '0'}}}\n"),
			map[string]string{
				"a.yaml":                  mode + "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \"n\"\n",
				"configmap_system-n.yaml": mode + "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: system:N\n",
				"sub/dir/o.yaml":          mode + "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: p\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: o\n",
			},
			false,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := writeTree(t, tt.files)
			want := tree(t, dir)
			d, out := open(t, dir, tt.function)
			plan, err := d.Plan(out)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
				t.Fatalf("a plan changes the tree (-want +got):\n%s", diff)
			}
			export := filepath.Join(t.TempDir(), "new")
			if err := d.Export(export, plan); err != nil {
				t.Fatal(err)
			}
			if err := d.Write(plan, krm.WriteOptions{AllowDelete: tt.allowDelete}); err != nil {
				t.Fatal(err)
			}
			for name, body := range tt.want {
				if want[name] = body; body == "" {
					delete(want, name)
				}
			}
			if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, tree(t, export)); diff != "" {
				t.Errorf("exported tree (-want +got):\n%s", diff)
			}
			if len(plan) != len(tt.want) {
				t.Errorf("the plan names %d files, want %d", len(plan), len(tt.want))
			}
		})
	}
}

func TestWriteKeepsModes(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, map[string]string{"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n"})
	if err := os.Chmod(filepath.Join(dir, "a.yaml"), 0o640); err != nil {
		t.Fatal(err)
	}
	d, out := open(t, dir, replaced("name: x", "name: x, labels: {a: b}"))
	plan, err := d.Plan(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Write(plan, krm.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a.yaml": "-rw-r-----\napiVersion: v1\nkind: Pod\nmetadata: {name: x, labels: {a: b}}\n"}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

// TestWriteAttacks carries out what a function, or whoever shares the directory, can try against the writer, and sees
// the tree unchanged.
func TestWriteAttacks(t *testing.T) {
	t.Parallel()
	outside := writeTree(t, map[string]string{"x.yaml": "mine\n"})
	at := func(path string) func(string) string {
		return appended("- {apiVersion: v1, kind: ConfigMap, metadata: {name: new, annotations: {config.kubernetes.io/path: \"" + path + "\"}}}\n")
	}
	labelled := replaced("name: a\n", "name: a\n    labels: {x: y}\n")
	for _, tt := range []struct {
		name, code string
		function   func(string) string
		between    func(t *testing.T, dir string) // after the function ran, before anything is written
	}{
		{"through a linked folder", "write.link", at("link/x.yaml"), nil},
		{"over a link", "write.exists", at("link.yaml"), nil},
		{"over a file that was not read", "write.exists", at("hidden/values.yaml"), func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Mkdir(filepath.Join(dir, "hidden"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "hidden/values.yaml"), []byte("x: y\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{"below a file", "write.exists", at("a.yaml/x.yaml"), nil},
		{"beside a file that differs in case", "write.case", at("A.yaml"), nil},
		{"deletes a file", "write.delete", func(s string) string { return wrap("  []\n") }, nil},
		{"deletes one of two resources of a file", "write.delete", func(s string) string {
			i, j := strings.Index(s, "name: l1"), strings.Index(s, "name: l2")
			i, j = strings.LastIndex(s[:i], "\n- ")+1, strings.LastIndex(s[:j], "\n- ")+1
			return s[:i] + s[j:]
		}, nil},
		{"a file was replaced by a link", "write.changed", labelled, func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Remove(filepath.Join(dir, "a.yaml")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(outside, "x.yaml"), filepath.Join(dir, "a.yaml")); err != nil {
				t.Fatal(err)
			}
		}},
		{"a file was written meanwhile", "write.changed", labelled, func(t *testing.T, dir string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("apiVersion: v1\nkind: Pod\nmetadata:\n  name: b\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{"a file is gone", "write.changed", labelled, func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Remove(filepath.Join(dir, "a.yaml")); err != nil {
				t.Fatal(err)
			}
		}},
		{"a folder became a link", "write.link", replaced("name: c\n", "name: c\n    labels: {x: y}\n"), func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Rename(filepath.Join(dir, "sub"), filepath.Join(dir, "was")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("was", filepath.Join(dir, "sub")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := writeTree(t, map[string]string{
				"a.yaml":     "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n",
				"l.yaml":     "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: l1}}\n- {apiVersion: v1, kind: Pod, metadata: {name: l2}}\n",
				"sub/c.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: c\n",
			})
			for from, to := range map[string]string{"link": outside, "link.yaml": filepath.Join(outside, "x.yaml")} {
				if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
					t.Fatal(err)
				}
			}
			d, out := open(t, dir, tt.function)
			if tt.between != nil {
				tt.between(t, dir)
			}
			before := tree(t, dir)
			plan, err := d.Plan(out)
			if err == nil {
				err = d.Write(plan, krm.WriteOptions{})
			}
			we, ok := errors.AsType[*krm.WriteError](err)
			if !ok || we.Code != tt.code {
				t.Errorf("Plan and Write = %v, want %s", err, tt.code)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("the tree changed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(map[string]string{"x.yaml": "-rw-r--r--\nmine\n"}, tree(t, outside)); diff != "" {
				t.Errorf("a file outside changed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWriteIsAllOrNothing lets the last file of a plan fail and demands that the first is as it was.
// TestWriteTakesBackWhatFailedHalfWay lets each step of writing fail in turn, as a full disk or a file system that was
// remounted does, and demands the tree as it was.
// TestWriteKeepsTheFileItCannotPutBack fails while it takes back, too, and then says where the file is.
