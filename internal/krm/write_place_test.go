package krm_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// TestWriteIntoALinkOfTheLastMoment does not follow a link that takes a file's place at the last moment.
func TestWriteIntoALinkOfTheLastMoment(t *testing.T) {
	t.Parallel()
	outside := writeTree(t, map[string]string{"x.yaml": "mine\n"})
	for _, step := range []string{"create", "write", "link", "rename"} {
		dir := writeTree(t, map[string]string{"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n"})
		d, out := open(t, dir, replaced("name: a\n", "name: a\n    labels: {x: y}\n"))
		plan, err := d.Plan(out)
		if err != nil {
			t.Fatal(err)
		}
		d.Fault(func(what, _ string) error {
			if what != step {
				return nil
			}
			step = ""
			return errors.Join(os.Remove(filepath.Join(dir, "a.yaml")), os.Symlink(filepath.Join(outside, "x.yaml"), filepath.Join(dir, "a.yaml")))
		})
		_ = d.Write(plan, krm.WriteOptions{}) // it may win the race, or lose it
		if diff := cmp.Diff(map[string]string{"x.yaml": "-rw-r--r--\nmine\n"}, tree(t, outside)); diff != "" {
			t.Errorf("a file outside changed (-want +got):\n%s", diff)
		}
	}
}

// TestWriteIntoAList writes back what changed in a List, and nothing else of it.
func TestWriteIntoAList(t *testing.T) {
	t.Parallel()
	const list = "# all\napiVersion: v1\nkind: List\nmetadata: {}\nitems:\n# the first\n- apiVersion: v1\n  kind: Pod # p\n  metadata:\n    name: one\n\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: two} # flow\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: three}\n"
	for _, tt := range []struct {
		name, file, want string
		function         func(string) string
	}{
		{"a field", list, strings.Replace(list, "name: one\n", "name: one\n    labels:\n      a: b\n", 1), replaced("name: one\n", "name: one\n    labels: {a: b}\n")},
		{"in CRLF", strings.ReplaceAll(list, "\n", "\r\n"), strings.ReplaceAll(strings.Replace(list, "name: one\n", "name: one\n    labels:\n      a: b\n", 1), "\n", "\r\n"), replaced("name: one\n", "name: one\n    labels: {a: b}\n")},
		{"in flow style", list, strings.Replace(list, "{name: two}", "{name: two, labels: {a: b}}", 1), replaced("name: two", "name: two, labels: {a: b}")},
		{
			"one of them goes", list, "# all\napiVersion: v1\nkind: List\nmetadata: {}\nitems:\n# the first\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: two} # flow\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: three}\n",
			func(s string) string { return dropped(s, "name: one") },
		},
		{"all of them go", list, "apiVersion: v1\nkind: Pod\nmetadata: {name: three}\n", func(s string) string { return dropped(dropped(s, "name: one"), "name: two") }},
		{
			"a List of one stays a List", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: one}}\n", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: one, labels: {a: b}}}\n",
			replaced("name: one", "name: one, labels: {a: b}"),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := writeTree(t, map[string]string{"l.yaml": tt.file})
			d, out := open(t, dir, tt.function)
			plan, err := d.Plan(out)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Write(plan, krm.WriteOptions{AllowDelete: true}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]string{"l.yaml": "-rw-r--r--\n" + tt.want}, tree(t, dir)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWriteRenames leaves a resource that got another name where it was.
func TestWriteRenames(t *testing.T) {
	t.Parallel()
	const before = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: one # ours\n  # why\n  labels: {a: b}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: two}\n"
	for _, tt := range []struct {
		name, from, to, want string
		delete               bool
	}{
		{"another name", "name: one # ours", "name: three", strings.Replace(before, "name: one #", "name: three #", 1), false},
		{"another kind", "kind: Namespace", "kind: Node", "apiVersion: v1\nkind: Pod\nmetadata: {name: two}\n---\napiVersion: v1\nkind: Node\nmetadata:\n  name: one\n  labels:\n    a: b\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := writeTree(t, map[string]string{"a.yaml": before})
			d, out := open(t, dir, replaced(tt.from, tt.to))
			plan, err := d.Plan(out)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Check(plan, krm.WriteOptions{}); (err != nil) != tt.delete {
				t.Errorf("Check = %v", err)
			}
			if err := d.Write(plan, krm.WriteOptions{AllowDelete: true}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]string{"a.yaml": "-rw-r--r--\n" + tt.want}, tree(t, dir)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
		})
	}
}

// dropped is a ResourceList without the item that holds a text.
func dropped(s, text string) string {
	head, _, _ := strings.Cut(s, text)
	i := strings.LastIndex(head, "- apiVersion")
	if j := strings.Index(s[i+1:], "- apiVersion"); j >= 0 {
		return s[:i] + s[i+1+j:]
	}
	return s[:i]
}

// TestWriteMoves moves a resource to another file, but only where that is allowed.
func TestWriteMoves(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"a.yaml": "# a\napiVersion: v1\nkind: Pod\nmetadata:\n  name: a # here\n",
		"b.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: b}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: c}\n",
	}
	moves := func(from, to string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, "'"+from+"'", to) }
	}
	for _, tt := range []struct {
		name     string
		function func(string) string
		want     map[string]string
		code     string
	}{
		{"to a new file", moves("a.yaml", "sub/a.yaml"), map[string]string{"a.yaml": "", "sub/a.yaml": "# a\napiVersion: v1\nkind: Pod\nmetadata:\n  name: a # here\n"}, ""},
		{"to a file that is there", moves("a.yaml", "b.yaml"), map[string]string{"a.yaml": "", "b.yaml": files["b.yaml"] + "---\n# a\napiVersion: v1\nkind: Pod\nmetadata:\n  name: a # here\n"}, ""},
		{"out of the directory", moves("a.yaml", "../a.yaml"), nil, "output.path"},
		{"to a hidden file", moves("a.yaml", ".github/workflows/a.yaml"), nil, "output.path"},
		{"over a kustomization", moves("a.yaml", "kustomization.yaml"), nil, "output.path"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := writeTree(t, files)
			d, err := krm.OpenDirectory(dir, krm.DefaultLimits(), krm.Skip{})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close() //nolint:errcheck // only read from
			for _, allowed := range []bool{false, true} {
				x, err := krm.NewExchange(d.List, krm.View{Moves: allowed}, random())
				if err != nil {
					t.Fatal(err)
				}
				out, err := x.Output([]byte(tt.function(string(x.Input()))), krm.DefaultLimits())
				if !allowed || tt.code != "" {
					if oe, ok := errors.AsType[*krm.OutputError](err); !ok || oe.Code != "output.path" {
						t.Errorf("Output = %v, want output.path", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				plan, err := d.Plan(out.List)
				if err != nil {
					t.Fatal(err)
				}
				if err := d.Write(plan, krm.WriteOptions{}); err != nil {
					t.Fatal(err)
				}
				want := map[string]string{}
				for _, m := range []map[string]string{files, tt.want} {
					for name, body := range m {
						if want[name] = "-rw-r--r--\n" + body; body == "" {
							delete(want, name)
						}
					}
				}
				if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
					t.Errorf("tree (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestFunctionsInARow runs a second function over what the first made.
func TestFunctionsInARow(t *testing.T) {
	t.Parallel()
	dir := writeTree(t, map[string]string{"a.yaml": "# a\napiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n"})
	d, out := open(t, dir, appended("- {apiVersion: v1, kind: ConfigMap, metadata: {name: new}}\n"))
	x, err := krm.NewExchange(out, krm.View{}, random())
	if err != nil {
		t.Fatal(err)
	}
	second, err := x.Output(bytes.ReplaceAll(x.Input(), []byte("name: new"), []byte("name: new\n    namespace: x")), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	plan, err := d.Plan(second.List)
	if err != nil {
		t.Fatal(err)
	}
	want := []krm.FileChange{{Path: "x/configmap_new.yaml", After: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: new\n  namespace: x\n")}}
	if diff := cmp.Diff(want, plan); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}
