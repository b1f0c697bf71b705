package migrate_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/migrate"
)

const plainFunction = `apiVersion: example.com/v1
kind: A
metadata:
  name: a
  annotations:
    config.kubernetes.io/function: |
      container:
        image: example.com/set-labels:v1
`

// Line ends and the byte order mark stay, and so does a file without a newline at its end.
func TestLineEndsStay(t *testing.T) {
	crlf := "\xef\xbb\xbf# head\r\n" + strings.ReplaceAll(plainFunction, "\n", "\r\n") + "spec: 1"
	dir := plant(t, map[string]string{"fn.yaml": crlf})
	moved(t, dir, migrate.FormExec)
	want := "\xef\xbb\xbf# head\r\n" + strings.ReplaceAll(strings.Replace(plainFunction,
		"    config.kubernetes.io/function: |\n      container:\n        image: example.com/set-labels:v1\n",
		"    krmsafe.dev/function: |\n      wasip1:\n        image: wasm.example.com/set-labels"+digest+"\n    config.kubernetes.io/function: |\n      exec:\n        path: krmsafe\n", 1), "\n", "\r\n") + "spec: 1"
	if diff := cmp.Diff(want, snapshot(t, dir)["fn.yaml"]); diff != "" {
		t.Errorf("migrated (-want +got):\n%s", diff)
	}
}

// A symbolic link is neither read nor written through, whatever it is called, and counts as left; what it leads to
// inside the tree is read where it lies.
func TestSymbolicLinksAreNotFollowed(t *testing.T) {
	outside := plant(t, map[string]string{"kustomization.yaml": "transformers: [fn.yaml]\n", "fn.yaml": plainFunction})
	dir := plant(t, map[string]string{"kustomization.yaml": "transformers: [link.yaml, dir/fn.yaml, file]\n", "own/fn.yaml": plainFunction})
	for link, to := range map[string]string{
		"link.yaml": filepath.Join(outside, "fn.yaml"), "dir": outside, "file": filepath.Join(outside, "fn.yaml"), "inside.yaml": "own/fn.yaml", "Kptfile": "/nowhere",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	before := snapshot(t, outside)
	told := moved(t, dir, migrate.FormWasip1)
	if diff := cmp.Diff(before, snapshot(t, outside)); diff != "" {
		t.Errorf("outside of the tree (-before +after):\n%s", diff)
	}
	want := `own/fn.yaml:6 config.kubernetes.io/function container moves
Kptfile skipped: it is a symbolic link, which is not followed
dir skipped: it is a symbolic link, which is not followed
kustomization.yaml skipped: transformers[1] lists "dir/fn.yaml", which cannot be read: it is no file under the directory, or lies behind a symbolic link
kustomization.yaml skipped: transformers[2] lists "file", which cannot be read: it is no file under the directory, or lies behind a symbolic link
link.yaml skipped: it is a symbolic link, which is not followed
`
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// What a kustomization or a Kptfile names beyond the directory is not read, and not written.
func TestPathEscapes(t *testing.T) {
	parent := plant(t, map[string]string{
		"out.yaml": plainFunction, "tree/kustomization.yaml": "generators: [../out.yaml, a/../../out.yaml, sub/../fn.yaml]\n",
		"tree/fn.yaml": plainFunction, "tree/Kptfile": "pipeline: {mutators: [{image: ../out.yaml, configPath: ../out.yaml}]}\n",
	})
	told := moved(t, filepath.Join(parent, "tree"), migrate.FormWasip1)
	want := `Kptfile:1 pipeline.mutators[0] container blocked migrate.no_variant: none is known
fn.yaml:6 config.kubernetes.io/function container moves
kustomization.yaml skipped: generators[0] lists "../out.yaml", which lies outside of the directory
kustomization.yaml skipped: generators[1] lists "a/../../out.yaml", which lies outside of the directory
`
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if got := snapshot(t, parent)["out.yaml"]; got != plainFunction {
		t.Errorf("out.yaml = %q", got)
	}
}

// A registry that could not be asked, or a file that changed meanwhile, leaves the whole tree as it was.
func TestAllOrNothing(t *testing.T) {
	dir := plant(t, map[string]string{"a.yaml": plainFunction, "b.yaml": plainFunction, "c.yaml": plainFunction})
	before := snapshot(t, dir)
	tree, err := migrate.Open(dir, krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tree.Close() }()
	asked := 0
	failing := func(ctx context.Context, f *migrate.Function) (migrate.Variant, *migrate.Reason, error) {
		if asked++; asked == 3 {
			return migrate.Variant{}, nil, errors.New("the registry failed")
		}
		return known(dir)(ctx, f)
	}
	if changes, err := tree.Move(context.Background(), migrate.FormWasip1, failing); err == nil || changes != nil {
		t.Errorf("Move = %d changes, %v", len(changes), err)
	}
	if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
		t.Errorf("after an error (-before +after):\n%s", diff)
	}
	again, err := migrate.Open(dir, krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	changes, err := again.Move(context.Background(), migrate.FormWasip1, known(dir))
	if err != nil || len(changes) != 3 {
		t.Fatalf("Move = %d changes, %v", len(changes), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "c.yaml"), []byte("changed: meanwhile\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before = snapshot(t, dir)
	if err := again.Write(changes); err == nil {
		t.Error("a file that changed meanwhile was overwritten")
	}
	if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
		t.Errorf("after a change meanwhile (-before +after):\n%s", diff)
	}
}

// Sizes, depths and aliases are bounded, and one bad file does not keep others from moving.
func TestHostileFiles(t *testing.T) {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		p := string(rune('0' + i))
		bomb += "a" + string(rune('1'+i)) + ": &a" + string(rune('1'+i)) + " [" + strings.Repeat("*a"+p+",", 8) + "*a" + p + "]\n"
	}
	marked := "# config.kubernetes.io/function\n"
	dir := plant(t, map[string]string{
		"bomb.yaml": bomb + marked, "deep.yaml": strings.Repeat("[", 5000) + marked, "nul.yaml": "a: \x00\n" + marked, "latin.yaml": "a: \xff\n" + marked,
		"twice.yaml": plainFunction + "metadata: {}\n", "fine.yaml": plainFunction, "quiet-bomb.yaml": bomb,
		"inner.yaml": strings.Replace(plainFunction, "      container:\n        image: example.com/set-labels:v1\n", "      a: &a [x]\n      container: {image: &i example.com/x, network: *i}\n", 1),
	})
	told := moved(t, dir, migrate.FormWasip1)
	for _, want := range []string{"bomb.yaml:1   blocked migrate.unreadable", "deep.yaml:1   blocked", "nul.yaml:1   blocked", "latin.yaml:1   blocked", "twice.yaml:1   blocked", "fine.yaml:6 config.kubernetes.io/function container moves", "inner.yaml:6 config.kubernetes.io/function  blocked"} {
		if !strings.Contains(told, want) {
			t.Errorf("told:\n%s\nwithout %q", told, want)
		}
	}
	limits := krm.DefaultLimits()
	limits.Bytes = 4000
	if _, err := migrate.Open(dir, limits); err == nil {
		t.Error("more bytes were read than allowed")
	}
}

// The walk enters no hidden folder, and a base in one is looked at all the same, and what it lists.
func TestHiddenBase(t *testing.T) {
	dir := plant(t, map[string]string{
		"kustomization.yaml":           "resources: [app/.base, .gone]\ncomponents: [.part]\n",
		"app/.base/kustomization.yaml": "resources: [../../.again, ../.base]\ntransformers: [fn.yaml, .fns]\n",
		"app/.base/fn.yaml":            plainFunction,
		"app/.base/.fns/Kustomization": "resources: [fn.yaml]\n",
		"app/.base/.fns/fn.yaml":       plainFunction,
		".again/kustomization.yml":     "validators:\n- |\n  " + strings.ReplaceAll(plainFunction, "\n", "\n  "),
		".part/kustomization.yaml":     "generators: [fn.yaml]\n",
		".part/fn.yaml":                plainFunction,
		".unused/kustomization.yaml":   "generators: [fn.yaml]\n",
		".unused/fn.yaml":              plainFunction,
	})
	told := moved(t, dir, migrate.FormWasip1)
	want := `.again/kustomization.yml:8 validators[0].config.kubernetes.io/function container moves
.part/fn.yaml:6 config.kubernetes.io/function container moves
app/.base/.fns/fn.yaml:6 config.kubernetes.io/function container moves
app/.base/fn.yaml:6 config.kubernetes.io/function container moves
kustomization.yaml skipped: resources[1] lists ".gone", which cannot be read: it is no file or base under the directory, or lies behind a symbolic link
`
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// A program is not the installed krmsafe for being called so: a tree may hold one of that name.
func TestProgramCalledKrmsafe(t *testing.T) {
	for command, installed := range map[string]bool{
		"krmsafe": true, "krmsafe exec --image r/x@sha256:0": true, "krmsafe.exe": true,
		"./krmsafe": false, "bin/krmsafe": false, "/tmp/krmsafe": false, "krmsafe-evil": false, "krmsafe/../evil": false, "evil krmsafe": false, " krmsafe": false, "krmsafe;evil": false,
	} {
		for name, text := range map[string]string{
			"Kptfile": "pipeline: {mutators: [{exec: '" + command + "'}]}\n",
			"fn.yaml": "metadata: {annotations: {config.kubernetes.io/function: \"exec: {path: '" + command + "'}\"}}\n",
		} {
			told := moved(t, plant(t, map[string]string{name: text}), migrate.FormWasip1)
			if (strings.Contains(told, "] krmsafe ") || strings.Contains(told, "/function krmsafe ")) != installed {
				t.Errorf("%q in a %s: %s", command, name, told)
			}
			// Of these only one line is read by krmsafe run --pipeline.
			if done := name == "Kptfile" && strings.Contains(command, "exec --image"); strings.HasSuffix(told, " done\n") != done {
				t.Errorf("%q in a %s: %s", command, name, told)
			}
		}
	}
}

// However many functions a small file holds, only so many are looked at.
func TestFunctionsAreBounded(t *testing.T) {
	for name, text := range map[string]string{
		"kustomization.yaml": "transformers:\n" + strings.Repeat("- '{}'\n", migrate.MaxFunctions+1),
		"Kustomization":      "generators:\n" + strings.Repeat("- missing.yaml\n", migrate.MaxFunctions+1),
		"Kptfile":            "pipeline:\n  mutators:\n" + strings.Repeat("  - image: a\n", migrate.MaxFunctions+1),
		"patch.yaml":         strings.Repeat("- path: /metadata/configFn\n", migrate.MaxFunctions+1),
	} {
		_, err := migrate.Open(plant(t, map[string]string{name: text}), krm.DefaultLimits())
		if e, ok := errors.AsType[*krm.SyntaxError](err); !ok || e.Code != "migrate.limit.functions" {
			t.Errorf("%s: Open = %v", name, err)
		}
	}
}

// Nothing that a tree holds names modules: a FunctionMap in it is a file like others.
func TestMapInTheTreeIsIgnored(t *testing.T) {
	dir := plant(t, map[string]string{
		"functions.yaml": "apiVersion: krmsafe.dev/v1alpha1\nkind: FunctionMap\nfunctions:\n- {container: evil.example.org/x:v1, wasip1: {file: evil.wasm}}\n",
		"fn.yaml":        strings.Replace(plainFunction, "example.com/set-labels:v1", "evil.example.org/x:v1", 1),
	})
	if told := moved(t, dir, migrate.FormWasip1); told != "fn.yaml:6 config.kubernetes.io/function container blocked migrate.no_variant: none is known\n" {
		t.Errorf("told %q", told)
	}
}

// Whatever a file holds, migrating it once leaves nothing that migrating it twice would change, every function that moved
// names a module then, and a file of which nothing moved keeps its bytes.
func FuzzMigrate(f *testing.F) {
	f.Add("fn.yaml", plainFunction)
	f.Add("kustomization.yaml", "transformers:\n- |\n  "+strings.ReplaceAll(plainFunction, "\n", "\n  "))
	f.Add("Kptfile", "pipeline:\n  mutators:\n  - image: example.com/x # c\n    configMap: {a: b}\n")
	f.Add("fn.yaml", "metadata: {configFn: {container: {image: example.com/x}}, name: a, annotations: {x: y}}")
	f.Add("fn.yaml", "metadata:\n  annotations:\n    config.kubernetes.io/container: example.com/x\r\n    a: b\r\n")
	f.Add("fn.yaml", `{"metadata":{"annotations":{"config.k8s.io/function":"exec: {path: ./fn.sh}"}}}`)
	f.Fuzz(func(t *testing.T, name, text string) {
		if name != "Kptfile" && name != "kustomization.yaml" {
			name = "fn.yaml"
		}
		dir := plant(t, map[string]string{name: text})
		for _, form := range []migrate.Form{migrate.FormExec, migrate.FormWasip1} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			first := moved(t, dir, form)
			once := snapshot(t, dir)[name]
			if !strings.Contains(first, " moves\n") && once != text {
				t.Fatalf("nothing moved, and %q became %q", text, once)
			}
			second := moved(t, dir, form)
			if twice := snapshot(t, dir)[name]; twice != once {
				t.Fatalf("%q became %q and then %q", text, once, twice)
			}
			if strings.Count(second, " done\n") != strings.Count(first, " done\n")+strings.Count(first, " moves\n") {
				t.Fatalf("%q became %q; told at first:\n%s\nand then:\n%s", text, once, first, second)
			}
		}
	})
}
