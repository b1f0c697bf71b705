package kustomize_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/kustomize"
)

const modules = "-- same.wasm --\n-- blue.wasm --\n-- none.wasm --\n-- make.wasm --\n-- refuse.wasm --\n-- mutate.wasm --\n-- mark.wasm --\n-- forge.wasm --\n-- rename.wasm --\n"

func config(kind, module string) string {
	return "{apiVersion: example.com/v1, kind: " + kind + ", metadata: {name: " + strings.ToLower(kind) + ", annotations: {config.kubernetes.io/function: 'wasip1: {file: " + module + ".wasm}'}}}\n"
}

const red = "-- base/cm.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {color: red}\n" +
	"-- base/pod.yaml --\napiVersion: v1\nkind: Pod\nmetadata: {name: pod}\nspec: {containers: [{name: c, image: i, envFrom: [{configMapRef: {name: cm}}]}]}\n"

// blue is what the base comes to with its names prefixed.
func blue(prefix, color string) string {
	return "apiVersion: v1\ndata:\n  color: " + color + "\nkind: ConfigMap\nmetadata:\n  name: " + prefix + "cm\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: " + prefix +
		"pod\nspec:\n  containers:\n  - envFrom:\n    - configMapRef:\n        name: " + prefix + "cm\n    image: i\n    name: c\n"
}

// TestFunctionsInTheirPlaces: wherever kustomize takes functions from, they run, and names keep up with references.
func TestFunctionsInTheirPlaces(t *testing.T) {
	base := modules + red + "-- base/kustomization.yaml --\nresources: [cm.yaml, pod.yaml]\n"
	folder := func(fn, more string) string {
		return base + "-- app/kustomization.yaml --\nresources: [../base]\nnamePrefix: p-\ntransformers: [../fns]\n-- fns/fn.yaml --\n" + fn + "-- fns/kustomization.yaml --\nresources: [fn.yaml]\n" + more
	}
	const bare = "{apiVersion: example.com/v1, kind: Paint, metadata: {name: paint}}\n"
	for _, tt := range []struct {
		name, tree, want string
		roles            []string
	}{
		{"nested base", modules + red + "-- base/kustomization.yaml --\nresources: [cm.yaml, pod.yaml]\ntransformers: [fn.yaml]\n-- base/fn.yaml --\n" + config("Paint", "../blue") +
			"-- app/kustomization.yaml --\nresources: [../base]\nnamePrefix: p-\n", blue("p-", "blue"), []string{"transformer"}},
		{"inline", base + "-- app/kustomization.yaml --\nresources: [../base]\nnamePrefix: p-\ntransformers:\n- |-\n  " + config("Paint", "../blue"), blue("p-", "blue"), []string{"transformer"}},
		{
			"inline and file", base + "-- app/kustomization.yaml --\nresources: [../base]\nnamePrefix: p-\ntransformers:\n- fn.yaml\n- |-\n  " + config("Same", "../same") + "-- app/fn.yaml --\n" + config("Paint", "../blue"),
			blue("p-", "blue"),
			[]string{"transformer", "transformer"},
		},
		{"component", base + "-- app/kustomization.yaml --\nresources: [../base]\nnamePrefix: p-\ncomponents: [../part]\n-- part/kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ntransformers: [fn.yaml]\n-- part/fn.yaml --\n" +
			config("Paint", "../blue"), blue("p-", "blue"), []string{"transformer"}},
		{"folder, common annotation", folder(bare, "commonAnnotations: {config.kubernetes.io/function: 'wasip1: {file: ../blue.wasm}'}\n"), blue("p-", "blue"), []string{"transformer"}},
		{"folder, name prefix", folder(bare, "namePrefix: x-\nnamespace: ns\ncommonLabels: {a: b}\ncommonAnnotations: {config.kubernetes.io/function: 'wasip1: {file: ../blue.wasm}'}\n"), blue("p-", "blue"), []string{"transformer"}},
		{"folder, strategic merge", folder(bare, "patches:\n- patch: |\n    {apiVersion: example.com/v1, kind: Paint, metadata: {name: paint, annotations: {config.kubernetes.io/function: 'wasip1: {file: ../blue.wasm}'}}}\n"), blue("p-", "blue"), []string{"transformer"}},
		{"folder, strategic merge from a file", folder(bare, "patchesStrategicMerge: [p.yaml]\n-- fns/p.yaml --\n{apiVersion: example.com/v1, kind: Paint, metadata: {name: paint, annotations: {config.kubernetes.io/function: 'wasip1: {file: ../blue.wasm}'}}}\n"), blue("p-", "blue"), []string{"transformer"}},
		{"folder, JSON 6902", folder(bare, "patches:\n- target: {kind: Paint}\n  patch: |\n    - {op: add, path: /metadata/annotations, value: {config.kubernetes.io/function: 'wasip1: {file: ../blue.wasm}'}}\n"), blue("p-", "blue"), []string{"transformer"}},
		{"folder, another runtime patched away", folder("{apiVersion: example.com/v1, kind: Paint, metadata: {name: paint, annotations: {config.kubernetes.io/function: 'container: {image: x}'}}}\n",
			"commonAnnotations: {config.kubernetes.io/function: 'wasip1: {file: ../blue.wasm}'}\n"), blue("p-", "blue"), []string{"transformer"}},
		{"validator first", base + "-- app/kustomization.yaml --\nresources: [../base]\nnamePrefix: p-\nvalidators: [fn.yaml]\n-- app/fn.yaml --\n" + config("Check", "../same"), blue("p-", "red"), []string{"validator"}},
		{
			"transformer and validator", base + "-- app/kustomization.yaml --\nresources: [../base]\nnamePrefix: p-\nvalidators: [v.yaml]\ntransformers: [t.yaml]\n-- app/v.yaml --\n" + config("Check", "../same") + "-- app/t.yaml --\n" + config("Paint", "../blue"),
			blue("p-", "blue"),
			[]string{"transformer", "validator"},
		},
		{
			"one kind in two roles", base + "-- app/kustomization.yaml --\nresources: [../base]\nnamePrefix: p-\nvalidators: [v.yaml]\ntransformers: [t.yaml]\n-- app/v.yaml --\n" + config("Paint", "../same") + "-- app/t.yaml --\n" + config("Paint", "../blue"),
			blue("p-", "blue"),
			[]string{"transformer", "validator"},
		},
		{
			"one base twice", modules + red + "-- base/kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- base/fn.yaml --\n" + config("Paint", "../blue") +
				"-- a/kustomization.yaml --\nresources: [../base]\nnamePrefix: a-\n-- b/kustomization.yaml --\nresources: [../base]\nnamePrefix: b-\n-- app/kustomization.yaml --\nresources: [../a, ../b]\n",
			"apiVersion: v1\ndata:\n  color: blue\nkind: ConfigMap\nmetadata:\n  name: a-cm\n---\napiVersion: v1\ndata:\n  color: blue\nkind: ConfigMap\nmetadata:\n  name: b-cm\n",
			[]string{"transformer", "transformer"},
		},
		{
			"generator", modules + "-- app/kustomization.yaml --\ngenerators: [fn.yaml]\nnamePrefix: p-\n-- app/fn.yaml --\n" + config("Make", "../make"),
			"apiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\nmetadata:\n  name: p-made-4h2mbtbbt6\n",
			[]string{"generator"},
		},
		{
			"builtin beside a function", base + "-- app/kustomization.yaml --\nresources: [../base]\ntransformers: [fn.yaml, pre.yaml]\n-- app/fn.yaml --\n" + config("Paint", "../blue") + "-- app/pre.yaml --\n{apiVersion: builtin, kind: PrefixTransformer, metadata: {name: x}, prefix: p-, fieldSpecs: [{path: metadata/name}]}\n",
			blue("p-", "blue"),
			[]string{"transformer"},
		},
		{
			"marked by a validator", base + "-- app/kustomization.yaml --\nresources: [../base]\nvalidators: [fn.yaml]\n-- app/fn.yaml --\n" + config("Check", "../mark"),
			strings.ReplaceAll(blue("", "red"), "metadata:\n  name", "metadata:\n  labels:\n    validated-by: mark\n  name"),
			[]string{"validator"},
		},
		{"bookkeeping forged", base + "-- app/kustomization.yaml --\nresources: [../base]\nnamePrefix: p-\ntransformers: [fn.yaml]\n-- app/fn.yaml --\n" + config("Forge", "../forge"), blue("p-", "red"), []string{"transformer"}},
		{"everything taken away", base + "-- app/kustomization.yaml --\nresources: [../base]\ntransformers: [fn.yaml]\n-- app/fn.yaml --\n" + config("None", "../none"), "", []string{"transformer"}},
		{
			"wrapped for a stock client", base + "-- app/kustomization.yaml --\nresources: [../base]\nnamePrefix: p-\ntransformers: [fn.yaml]\n-- app/fn.yaml --\n{apiVersion: example.com/v1, kind: Paint, metadata: {name: paint, annotations: {config.kubernetes.io/function: 'exec: {path: krmsafe}', krmsafe.dev/function: 'wasip1: {file: ../blue.wasm}'}}}\n",
			blue("p-", "blue"),
			[]string{"transformer"},
		},
		{
			"text that looks like a function", modules + "-- app/kustomization.yaml --\nresources: [fn.yaml]\nconfigMapGenerator: [{name: g, files: [fn.yaml], options: {disableNameSuffixHash: true}}]\n-- app/fn.yaml --\n" + config("Fn", "gone"),
			"apiVersion: v1\ndata:\n  fn.yaml: |\n    " + config("Fn", "gone") + "kind: ConfigMap\nmetadata:\n  name: g\n---\napiVersion: example.com/v1\nkind: Fn\nmetadata:\n  annotations:\n    config.kubernetes.io/function: 'wasip1: {file: gone.wasm}'\n  name: fn\n", nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, alive := canary(t)
			f := library()
			f.does["mark"] = func(in string) string {
				return strings.ReplaceAll(in, "  metadata:\n", "  metadata:\n    labels: {validated-by: mark}\n")
			}
			f.does["forge"] = func(in string) string {
				return strings.ReplaceAll(in, "kind: ConfigMap\n  metadata:\n", "kind: ConfigMap\n  metadata:\n    annotations: {internal.config.kubernetes.io/previousNames: 'a,b,c', internal.config.kubernetes.io/previousKinds: X}\n")
			}
			if diff := cmp.Diff(tt.want, mustBuild(t, tree(t, tt.tree), "app", f)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			var roles []string
			for _, c := range f.calls {
				roles = append(roles, c.Role)
			}
			if diff := cmp.Diff(tt.roles, roles); diff != "" {
				t.Errorf("roles, -want +got:\n%s", diff)
			}
			alive()
		})
	}
}

// TestWhatAFunctionSees: kustomize's own notes are no business of a function's; its configuration is.
func TestWhatAFunctionSees(t *testing.T) {
	f := library()
	mustBuild(t, tree(t, modules+red+"-- base/kustomization.yaml --\nresources: [cm.yaml]\nnamePrefix: a-\nbuildMetadata: [originAnnotations]\n-- app/kustomization.yaml --\nresources: [../base]\nnamePrefix: b-\nbuildMetadata: [originAnnotations, transformerAnnotations]\ntransformers: [fn.yaml]\n-- app/fn.yaml --\n"+config("Same", "../same")), "app", f)
	text, err := f.calls[0].Input.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "internal.config") || strings.Contains(string(text), "config.kubernetes.io/origin") {
		t.Errorf("the function sees kustomize's notes:\n%s", text)
	}
	for _, want := range []string{"name: b-a-cm", "functionConfig:", "config.kubernetes.io/local-config", "config.kubernetes.io/function"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the input has no %q:\n%s", want, text)
		}
	}
}

// TestRefusalsEndTheBuild: what the runner says is what the build says.
func TestRefusalsEndTheBuild(t *testing.T) {
	f := library()
	_, err := build(t, tree(t, modules+red+"-- base/kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- base/fn.yaml --\n"+config("Fn", "../refuse")+
		"-- app/kustomization.yaml --\ncomponents: [../part]\nresources: [../base]\n-- part/kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: x-\n"), "app", f)
	if !errors.Is(err, errRefused) {
		t.Errorf("Build = %v, want %v", err, errRefused)
	}
}

// TestValidatorsMayNotChange is a validator that mends what it should only judge.
func TestValidatorsMayNotChange(t *testing.T) {
	for _, module := range []string{"blue", "none"} {
		f := library()
		_, err := build(t, tree(t, modules+red+"-- base/kustomization.yaml --\nresources: [cm.yaml]\nvalidators: [fn.yaml]\n-- base/fn.yaml --\n"+config("Fn", "../"+module)), "base", f)
		var r *kustomize.RefusedError
		if !errors.As(err, &r) || r.Code != "build.validator" || !r.Output {
			t.Errorf("Build = %v, want build.validator", err)
		}
	}
}

// TestListsAreNotShown: a patch makes a list of what was none when kustomize looked for them.
func TestListsAreNotShown(t *testing.T) {
	for _, apiVersion := range []string{"v1", "config.kubernetes.io/v1"} {
		f := library()
		_, err := build(t, tree(t, modules+"-- app/kustomization.yaml --\nresources: [base]\ntransformers: [fn.yaml]\n-- app/fn.yaml --\n"+config("Fn", "../same")+
			"-- app/base/kustomization.yaml --\nresources: [r.yaml]\npatches:\n- target: {kind: ResourceList}\n  patch: |-\n    - {op: add, path: /items, value: [{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}]}\n"+
			"-- app/base/r.yaml --\n{apiVersion: "+apiVersion+", kind: ResourceList, metadata: {name: r}}\n"), "app", f)
		refused(t, err, f, "build.input")
	}
}

// repository makes a git repository of a tree and gives its address.
func repository(t *testing.T, text string) string {
	t.Helper()
	dir := tree(t, text)
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "x"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %s", args, out)
		}
	}
	return "file://" + filepath.ToSlash(dir)
}

// TestRepositories are bases that git fetches: their functions run, from files of the repository.
func TestRepositories(t *testing.T) {
	repo := repository(t, modules+red+"-- base/kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- base/fn.yaml --\n"+config("Paint", "../blue"))
	want := "apiVersion: v1\ndata:\n  color: blue\nkind: ConfigMap\nmetadata:\n  name: cm\n"
	f := library()
	if got := mustBuild(t, tree(t, "-- kustomization.yaml --\nresources: ['"+repo+"//base?ref=HEAD']\n"), ".", f); got != want {
		t.Errorf("as a base: %s", got)
	}
	if got, err := buildWith(t, repo+"//base", kustomize.Options{Runner: f}); err != nil || got != want {
		t.Errorf("as the target: %s, %v", got, err)
	}
	for _, c := range f.calls {
		if c.Kustomization != "(clone)/base" {
			t.Errorf("the function is of %q", c.Kustomization)
		}
	}
}

// TestRepositoryAttacks are repositories that reach for what is not theirs.
func TestRepositoryAttacks(t *testing.T) {
	program, alive := canary(t)
	secret := repository(t, red+"-- base/kustomization.yaml --\nresources: [cm.yaml]\n")
	for _, tt := range []struct{ name, text, code string }{
		{"a program", "-- base/kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- base/fn.yaml --\n" + fn("exec: {path: "+program+"}"), "build.function.runtime"},
		{"a module outside", "-- base/kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- base/fn.yaml --\n" + fn("wasip1: {file: ../../x.wasm}"), "build.workspace"},
		{"a repository of this machine", "-- base/kustomization.yaml --\nresources: ['" + secret + "//base']\n", "build.repository"},
		{"a repository of this machine, in capitals", "-- base/kustomization.yaml --\nresources: ['FILE" + strings.TrimPrefix(secret, "file") + "//base']\n", "build.repository"},
	} {
		f := library()
		root := tree(t, "-- kustomization.yaml --\nresources: ['"+repository(t, red+tt.text)+"//base']\n")
		// Not even without bounds for the local tree.
		_, err := buildWith(t, root, kustomize.Options{Runner: f, Root: root, LoadRestrictionsNone: true})
		refused(t, err, f, tt.code)
	}
	alive()
	f := library()
	_, err := buildWith(t, secret+"?ref=--upload-pack="+program, kustomize.Options{Runner: f})
	refused(t, err, f, "build.repository")
	alive()
}

// TestWorkspace: a file is relative to the kustomization that lists the function, and its bounds can be chosen.
func TestWorkspace(t *testing.T) {
	root := tree(t, modules+red+"-- base/kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- base/fn.yaml --\n"+config("Paint", "../blue"))
	f := library()
	_, err := build(t, filepath.Join(root, "base"), ".", f)
	refused(t, err, f, "build.workspace")
	_, err = buildWith(t, filepath.Join(root, "base"), kustomize.Options{Runner: f})
	refused(t, err, f, "build.workspace")
	if _, err = buildWith(t, filepath.Join(root, "base"), kustomize.Options{Runner: f, LoadRestrictionsNone: true}); err != nil {
		t.Errorf("without bounds: %v", err)
	}
	if got := f.calls[0].Spec.File; got != filepath.Join(root, "blue.wasm") {
		t.Errorf("the module is %q", got)
	}
}

// TestCatalog: a configuration without an annotation is resolved by what it is.
func TestCatalog(t *testing.T) {
	root := tree(t, red+"-- base/kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- base/fn.yaml --\n{apiVersion: example.com/v1, kind: Paint, metadata: {name: x}}\n")
	f := library()
	f.does["registry.example/blue"] = f.does["blue"]
	resolve := func(id krm.Identity) (krm.FunctionSpec, bool) {
		return krm.FunctionSpec{Image: "registry.example/blue"}, id.Group == "example.com" && id.Version == "v1" && id.Kind == "Paint"
	}
	out, err := buildWith(t, filepath.Join(root, "base"), kustomize.Options{Runner: f, Root: root, Resolve: resolve})
	if err != nil || !strings.Contains(out, "color: blue") || !f.calls[0].Catalog {
		t.Errorf("Build = %s, %v", out, err)
	}
}

// TestSurroundings are as they were when a build has ended, whichever way.
func TestSurroundings(t *testing.T) {
	before := os.Environ()
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	before = append(before, "TMPDIR="+temp)
	f := library()
	root := tree(t, modules+red+"-- base/kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- base/fn.yaml --\n"+config("Paint", "../blue"))
	mustBuild(t, root, "base", f)
	_, _ = build(t, root, "gone", f)
	left, err := filepath.Glob(filepath.Join(temp, "krmsafe-build-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	want, got := map[string]bool{}, map[string]bool{}
	for _, e := range before {
		want[e] = true
	}
	for _, e := range os.Environ() {
		got[e] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment -before +after:\n%s", diff)
	}
}
