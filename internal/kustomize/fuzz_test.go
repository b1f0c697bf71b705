package kustomize_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/kustomize"
)

// FuzzBuild gives the guard trees of whatever shape. Properties: no program is started, no configuration reaches kyaml's
// own runtime or kustomize's search for plugins, and a build that ran no function is stock kustomize's, byte for byte.
func FuzzBuild(f *testing.F) {
	const good = "{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, annotations: {config.kubernetes.io/function: 'wasip1: {file: same.wasm}'}}}\n"
	const bare = "resources: [fn.yaml]\n"
	for _, seed := range [][3]string{
		{"resources: [cm.yaml]\ntransformers: [fn.yaml]\n", good, bare},
		{"resources: [cm.yaml]\ntransformers: [fns]\n", good, bare + "commonAnnotations: {a: b}\n"},
		{"resources: [cm.yaml]\nvalidators: [fns, fn.yaml]\n", strings.Replace(good, "wasip1: {file: same.wasm}", "exec: {path: evil.sh}", 1), bare},
		{"resources: [cm.yaml]\ngenerators:\n- |\n  " + good, "{apiVersion: v1, kind: Fn, metadata: {name: fn, configFn: {container: {image: x}}}}", bare},
		{"resources: [fns, cm.yaml]\nnamePrefix: a-\n", "{apiVersion: builtin, kind: PrefixTransformer, metadata: {name: p}, prefix: b-}", bare + "patches:\n- patch: |\n    {apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, configFn: {exec: {path: evil.sh}}}}\n"},
		{"resources: [cm.yaml]\ntransformers: [fns]\n", good, bare + "patches:\n- target: {kind: Fn}\n  patch: |\n    - {op: add, path: /metadata/annotations/a, value: b}\n"},
		{"components: [fns]\nresources: [cm.yaml]\n", good, "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ntransformers: [fn.yaml]\n"},
		{"resources: [cm.yaml]\ntransformers: [fns]\n", good, bare + "labels:\n- pairs: {config.kubernetes.io/container: x}\n  fields: [{path: metadata/annotations, create: true}]\n"},
		{"Transformers: [fn.yaml]\nresources: ['file:///x?ref=--upload-pack=evil.sh', 'https://127.0.0.1:1/x']\n", good, bare},
		{"resources: [cm.yaml]\ntransformers: [fn.yaml]\n", "{apiVersion: ../../x, kind: Fn, metadata: {name: fn, annotations: {internal.config.kubernetes.io/previousKinds: X, config.kubernetes.io/container: y}}}", bare},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, kustomization, function, folder string) {
		if len(kustomization)+len(function)+len(folder) > 4096 {
			return
		}
		program, alive := canary(t)
		t.Setenv("PATH", filepath.Dir(program)) // no git: nothing is fetched here
		root, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"kustomization.yaml": kustomization, "fn.yaml": function, "fns/kustomization.yaml": folder, "fns/fn.yaml": function,
			"cm.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {color: red}}\n", "same.wasm": "", "fns/same.wasm": "",
		} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		lib := library()
		out, err := buildWith(t, root, kustomize.Options{Runner: lib, Root: root})
		alive()
		var own *kustomize.BuildError
		if errors.As(err, &own) && pastTheGuard(own) {
			t.Errorf("past the guard: %v", err)
		}
		if err != nil || len(lib.calls) > 0 {
			return
		}
		want, failed := stock(root)
		if failed != nil || want != out {
			t.Errorf("built %q, stock: %q, %v", out, want, failed)
		}
	})
}
