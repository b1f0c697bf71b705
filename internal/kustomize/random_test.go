package kustomize_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/kustomize"
)

// ingredients are what a tree may be made of: what a fuzzer of bytes does not find together in time.
var ingredients = struct{ fields, functions, folders, patches []string }{
	fields: []string{
		"namePrefix: a-\n", "namespace: ns\n", "commonLabels: {a: b}\n", "components: [part]\n", "resources: [cm.yaml]\n", "resources: [cm.yaml, base]\n", "resources: [base]\n",
		"transformers: [fn.yaml]\n", "transformers: [fns]\n", "transformers: [fns, fn.yaml, pre.yaml]\n", "validators: [fn.yaml]\n", "validators: [fns]\n", "generators: [fn.yaml]\n", "generators: [fns]\n",
		"Transformers: [fn.yaml]\n", "transformers: [github.com/a/b]\n", "transformers: ['https://127.0.0.1:1/x.yaml']\n", "bases: [base]\n", "configurations: [cm.yaml]\n",
		"buildMetadata: [originAnnotations, transformerAnnotations]\n", "sortOptions: {order: fifo}\n", "configMapGenerator: [{name: g, files: [fn.yaml, fns/kustomization.yaml]}]\n",
		"transformers:\n- |-\n  INLINE\n", "validators:\n- |-\n  INLINE\n", "patches: [{target: {kind: ConfigMap}, patch: '[{op: add, path: /data/x, value: y}]'}]\n",
	},
	functions: []string{
		"config.kubernetes.io/function: 'wasip1: {file: same.wasm}'", "config.k8s.io/function: 'wasip1: {file: same.wasm}'", "config.kubernetes.io/function: 'exec: {path: CANARY}'",
		"config.kubernetes.io/function: 'container: {image: x}'", "config.kubernetes.io/container: x", "config.kubernetes.io/function: '{}'", "a: b",
		"internal.config.kubernetes.io/previousKinds: X", "config.kubernetes.io/local-config: 'true'",
	},
	folders: []string{
		"namePrefix: x-\n", "commonAnnotations: {config.kubernetes.io/function: 'wasip1: {file: same.wasm}'}\n", "commonAnnotations: {config.kubernetes.io/function: 'exec: {path: CANARY}'}\n",
		"commonAnnotations: {config.kubernetes.io/container: x}\n", "transformers: [fn.yaml]\n", "configMapGenerator: [{name: x}]\n", "components: [../part]\n", "PATCH", "PATCH", "", "",
	},
	patches: []string{
		"{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, annotations: {config.kubernetes.io/function: 'wasip1: {file: same.wasm}'}}}", "{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, configFn: {exec: {path: CANARY}}}}",
		"{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn}, $patch: delete}", "{apiVersion: ../../x, kind: Fn, metadata: {name: fn}}", "[{op: replace, path: /kind, value: Other}]",
		"[{op: add, path: /metadata/annotations/a, value: b}]", "[{op: remove, path: /metadata/annotations}]", "[{op: add, path: /metadata/configFn, value: {exec: {path: CANARY}}}]",
	},
}

// randomTree composes a tree.
func randomTree(r *rand.Rand, program string) string {
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	function := func() string {
		kind := []string{"Fn", "Fn", "Fn", "ConfigMap", "PrefixTransformer"}[r.IntN(5)]
		version := "example.com/v1"
		if kind == "PrefixTransformer" {
			version = "builtin"
		}
		annotations := pick(ingredients.functions)
		if r.IntN(3) == 0 {
			annotations += ", " + pick(ingredients.functions[2:])
		}
		return fmt.Sprintf("{apiVersion: %s, kind: %s, prefix: z-, metadata: {name: fn, annotations: {%s}}}", version, kind, annotations)
	}
	kustomization := func() string {
		text := ""
		for range 1 + r.IntN(4) {
			if f := pick(ingredients.fields); !strings.Contains(text, strings.SplitN(f, ":", 2)[0]+":") {
				text += f
			}
		}
		return strings.ReplaceAll(text, "INLINE", function())
	}
	folder := "resources: [fn.yaml]\n" + pick(ingredients.folders)
	folder = strings.ReplaceAll(folder, "PATCH", "patches:\n- target: {kind: Fn}\n  patch: |-\n    "+pick(ingredients.patches)+"\n")
	text := cm + "-- same.wasm --\n-- base/same.wasm --\n-- part/same.wasm --\n-- kustomization.yaml --\n" + kustomization() + "-- fn.yaml --\n" + function() + "\n-- fns/fn.yaml --\n" + function() +
		"\n-- fns/kustomization.yaml --\n" + folder + "-- pre.yaml --\n{apiVersion: builtin, kind: PrefixTransformer, metadata: {name: p}, prefix: q-, fieldSpecs: [{path: metadata/name}]}\n" +
		"-- base/kustomization.yaml --\nresources: [other.yaml]\ntransformers: [../fns]\n-- base/other.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: other}}\n" +
		"-- part/kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nvalidators: [fn.yaml]\n-- part/fn.yaml --\n" + function() + "\n"
	return strings.ReplaceAll(text, "CANARY", program)
}

// TestRandomTrees holds composed trees to what FuzzBuild asks of any.
func TestRandomTrees(t *testing.T) {
	program, alive := canary(t)
	t.Setenv("PATH", filepath.Dir(program)) // no git: nothing is fetched here
	r := rand.New(rand.NewPCG(1, 2))
	built, ran := 0, 0
	for i := range 400 {
		text := randomTree(r, program)
		root := tree(t, text)
		lib := library()
		out, err := buildWith(t, root, kustomize.Options{Runner: lib, Root: root})
		alive()
		var own *kustomize.BuildError
		if errors.As(err, &own) && pastTheGuard(own) {
			t.Fatalf("tree %d, past the guard: %v\n%s", i, err, text)
		}
		if err == nil {
			built++
		}
		if len(lib.calls) > 0 {
			ran++
		}
		if err == nil && len(lib.calls) == 0 {
			if want, failed := stock(root); failed != nil || want != out {
				t.Fatalf("tree %d: built %q, stock: %q, %v\n%s", i, out, want, failed, text)
			}
		}
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
	}
	if built < 30 || ran < 15 {
		t.Errorf("of 400 trees %d were built and %d ran functions: the mixture shows too little", built, ran)
	}
	t.Logf("%d built, %d ran functions", built, ran)
}

// pastTheGuard says whether kustomize's own complaint tells of a function that the guard should have stopped.
func pastTheGuard(err *kustomize.BuildError) bool {
	for _, reached := range []string{"couldn't execute function", "FunctionSpec", "Go object code", "unexecutable plugin", "not a generator", "not a transformer", "docker"} {
		if strings.Contains(err.Message, reached) {
			return true
		}
	}
	return false
}
