package krm_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// TestIgnoreFiles holds .krmignore to what gitignore(5) says of each kind of line.
func TestIgnoreFiles(t *testing.T) {
	t.Parallel()
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n"
	all := []string{"a.yaml", "b.yaml", "docs/a.yaml", "docs/deep/a.yaml", "docs/deep/c d.yaml", "test/b.yaml", "x/test/b.yaml", "x/y.yaml", "#1.yaml", "!2.yaml"}
	for _, tt := range []struct {
		name, text string
		want       []string // files that are read
	}{
		{"nothing", "\n# a.yaml\n\n", all},
		{"a name, anywhere", "a.yaml\n", without(all, "a.yaml", "docs/a.yaml", "docs/deep/a.yaml")},
		{"a name, here", "/a.yaml\n", without(all, "a.yaml")},
		{"a path", "docs/a.yaml", without(all, "docs/a.yaml")},
		{"a folder, anywhere", "test/\n", without(all, "test/b.yaml", "x/test/b.yaml")},
		{"a folder by name", "test\n", without(all, "test/b.yaml", "x/test/b.yaml")},
		{"a folder's line fits no file", "a.yaml/\n", all},
		{"a star stays in its segment", "docs/*.yaml\n", without(all, "docs/a.yaml")},
		{"two stars do not", "docs/**\n", without(all, "docs/a.yaml", "docs/deep/a.yaml", "docs/deep/c d.yaml")},
		{"two stars in front", "**/deep/a.yaml\n", without(all, "docs/deep/a.yaml")},
		{"two stars in between", "docs/**/a.yaml\n", without(all, "docs/a.yaml", "docs/deep/a.yaml")},
		{"a class", "[ab].yaml\n", []string{"docs/deep/c d.yaml", "x/y.yaml", "#1.yaml", "!2.yaml"}},
		{"taken back", "*.yaml\n!y.yaml\n", []string{"x/y.yaml"}},
		{"the last line decides", "!a.yaml\na.yaml\n", without(all, "a.yaml", "docs/a.yaml", "docs/deep/a.yaml")},
		{"nothing is taken back out of a folder", "docs\n!docs/a.yaml\n", without(all, "docs/a.yaml", "docs/deep/a.yaml", "docs/deep/c d.yaml")},
		{"spaces at the end", "docs/deep/c d.yaml   \r\n", without(all, "docs/deep/c d.yaml")},
		{"a quoted sign", "\\#1.yaml\n\\!2.yaml\n", without(all, "#1.yaml", "!2.yaml")},
		{"a bad pattern fits nothing", "[a\n", all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{".krmignore": tt.text}
			for _, name := range all {
				files[name] = pod
			}
			if diff := cmp.Diff(sorted(tt.want), read(t, writeTree(t, files), krm.Skip{Ignored: true})); diff != "" {
				t.Errorf("files read (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(sorted(all), read(t, writeTree(t, files), krm.Skip{})); diff != "" {
				t.Errorf("files read where nothing is left out (-want +got):\n%s", diff)
			}
		})
	}
}

// TestIgnoreFilesBelow lets an ignore file hold for its own folder.
func TestIgnoreFilesBelow(t *testing.T) {
	t.Parallel()
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n"
	dir := writeTree(t, map[string]string{
		".krmignore": "a.yaml\n", "sub/.krmignore": "/b.yaml\n!a.yaml\n",
		"a.yaml": pod, "b.yaml": pod, "sub/a.yaml": pod, "sub/b.yaml": pod, "sub/sub/b.yaml": pod,
	})
	if diff := cmp.Diff([]string{"b.yaml", "sub/a.yaml", "sub/sub/b.yaml"}, read(t, dir, krm.Skip{Ignored: true})); diff != "" {
		t.Errorf("files read (-want +got):\n%s", diff)
	}
}

// TestNestedPackages leaves out what has a Kptfile of its own, and says so.
func TestNestedPackages(t *testing.T) {
	t.Parallel()
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n"
	const kptfile = "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata: {name: x}\n"
	dir := writeTree(t, map[string]string{"Kptfile": kptfile, "a.yaml": pod, "db/Kptfile": kptfile, "db/b.yaml": pod, "db/sub/c.yaml": pod, "web/d.yaml": pod})
	if diff := cmp.Diff([]string{"a.yaml", "web/d.yaml"}, read(t, dir, krm.Skip{Packages: true})); diff != "" {
		t.Errorf("files read (-want +got):\n%s", diff)
	}
	d, err := krm.OpenDirectory(dir, krm.DefaultLimits(), krm.Skip{Packages: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // only read from
	if want := []krm.LeftOut{{Path: "db", Reason: "a package of its own"}}; !cmp.Equal(want, d.List.LeftOut) {
		t.Errorf("LeftOut = %v, want %v", d.List.LeftOut, want)
	}
}

// read lists the files of which resources are read.
func read(t *testing.T, dir string, skip krm.Skip) []string {
	t.Helper()
	d, err := krm.OpenDirectory(dir, krm.DefaultLimits(), skip)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // only read from
	names := []string{}
	for _, it := range d.List.Items {
		names = append(names, it.Path)
	}
	return names
}

func without(all []string, gone ...string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(gone, s) })
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// TestManifestsOfOtherNames: kustomize and kubectl read more names than krmsafe does. What a tree keeps from a validator
// that way is named.
func TestManifestsOfOtherNames(t *testing.T) {
	t.Parallel()
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n"
	dir := writeTree(t, map[string]string{
		"a.yaml": pod, ".x.yaml": pod, ".d/deep/y.yaml": pod, ".e/README": "x", "b.YAML": pod, "c.Yml": pod,
		"p.json": `{"apiVersion": "v1", "kind": "Pod"}`, "q.JSON": `{"\u0061piVersion": "v1"}`, "package.json": `{"name": "x"}`,
		".z.json": `{"apiVersion": "v1"}`, ".tool.json": `{}`, ".git/h.yaml": pod, "sub/.krmignore": "\n", "fn.YAML": pod, "README": "x",
	})
	d, err := krm.OpenDirectory(dir, krm.DefaultLimits(), krm.Skip{Ignored: true, Files: []string{"fn.YAML"}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close() //nolint:errcheck // only read from
	var got []string
	for _, l := range d.List.LeftOut {
		got = append(got, l.Path)
	}
	want := []string{".d", ".x.yaml", ".z.json", "b.YAML", "c.Yml", "p.json", "q.JSON"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}
