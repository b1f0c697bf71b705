package kustomize_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/krmsafe/krmsafe/internal/kustomize"
)

// canary puts programs first in PATH that leave a mark when somebody starts them, and gives what looks for marks.
func canary(t *testing.T) (program string, alive func()) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	mark := filepath.Join(dir, "mark")
	for _, name := range []string{"docker", "podman", "helm", "sh", "bash", "evil.sh", "kubectl"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho $0 $* >> "+mark+"\n"), 0o700); err != nil { // #nosec G306 -- a program
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return filepath.Join(dir, "evil.sh"), func() {
		t.Helper()
		if text, err := os.ReadFile(mark); err == nil {
			t.Errorf("a program was started: %s", text)
		}
	}
}

// refused wants a build to be refused with a code, in one line, and nobody to have run.
func refused(t *testing.T, err error, f *functions, code string) {
	t.Helper()
	var r *kustomize.RefusedError
	if !errors.As(err, &r) || r.Code != code {
		t.Fatalf("Build = %v (%T), want a RefusedError %s", err, err, code)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %s", err)
	}
	if len(f.calls) > 0 {
		t.Errorf("a function ran: %+v", f.calls[0].Function)
	}
}

// fn is a configuration with a function annotation; its first line says what name the file has.
func fn(annotation string) string {
	return "apiVersion: example.com/v1\nkind: Fn\nmetadata:\n  name: fn\n  annotations:\n    config.kubernetes.io/function: |\n" +
		indent(annotation, 6) + "\n"
}

func indent(text string, n int) string {
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(text, "\n", "\n"+pad)
}

const cm = "-- cm.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {color: red}\n"

// TestAttacks are trees that must not be built, whatever stock kustomize makes of them. CANARY is a program.
func TestAttacks(t *testing.T) {
	const wasip1 = "{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, annotations: {config.kubernetes.io/function: 'wasip1: {file: same.wasm}'}}}\n"
	plain := func(config string) string {
		return "-- kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- fn.yaml --\n" + config
	}
	folder := func(kustomization string) string {
		return "-- kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fns]\n-- fns/fn.yaml --\n" + wasip1 +
			"-- fns/kustomization.yaml --\nresources: [fn.yaml]\n" + kustomization
	}
	for _, tt := range []struct{ name, tree, code string }{
		{"exec", plain(fn("exec: {path: CANARY}")), "build.function.runtime"},
		{"exec as JSON", plain(fn(`{"exec": {"path": "CANARY"}}`)), "build.function.runtime"},
		{"exec with args", plain(fn("exec: {path: CANARY, args: [a], envs: [A=b]}")), "build.function.runtime"},
		{"exec beside wasip1", plain(fn("wasip1: {file: same.wasm}\nexec: {path: CANARY}")), "build.function.runtime"},
		{"exec under the older key", plain("{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, annotations: {config.k8s.io/function: 'exec: {path: CANARY}'}}}"), "build.function.runtime"},
		{"wasip1 in one key and exec in the other", plain("{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, annotations: {config.kubernetes.io/function: 'wasip1: {file: same.wasm}', config.k8s.io/function: 'exec: {path: CANARY}'}}}"), "build.function.conflict"},
		{"container", plain(fn("container: {image: example.com/fn}")), "build.function.runtime"},
		{"starlark", plain(fn("starlark: {path: fn.star}")), "build.function.runtime"},
		{"unknown runtime, which stock passes over", plain(fn("wasm: {file: same.wasm}")), "build.function.key"},
		{"no runtime, which stock passes over", plain(fn("{}")), "build.function.malformed"},
		{"deferred failure", plain(fn("deferFailure: true\nwasip1: {file: same.wasm}")), "build.function.key"},
		{"two runtimes by duplicate keys", plain(fn("wasip1: {file: same.wasm}\nwasip1: {file: blue.wasm}")), "build.function.duplicate_key"},
		{"legacy container", plain("{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, annotations: {config.kubernetes.io/container: example.com/fn}}}"), "build.legacy_function"},
		{"legacy container beside wasip1", plain("{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, annotations: {config.kubernetes.io/function: 'wasip1: {file: same.wasm}', config.kubernetes.io/container: example.com/fn}}}"), "build.legacy_function"},
		{"configFn with a container", plain("{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, configFn: {container: {image: example.com/fn}}}}"), "build.legacy_function"},
		{"configFn with a program, which stock passes over", plain("{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, configFn: {exec: {path: CANARY}}}}"), "build.legacy_function"},
		{"no function", plain("{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn}}"), "build.no_function"},
		{"a builtin that names a function", plain("{apiVersion: builtin, kind: PrefixTransformer, metadata: {name: fn, annotations: {config.kubernetes.io/function: 'wasip1: {file: same.wasm}'}}, prefix: a-}"), "build.skipped"},
		{"traversal by apiVersion", plain(strings.Replace(wasip1, "example.com/v1", "../../../../../../../../CANARYDIR", 1)), "build.function_config"},
		{"traversal by version", plain(strings.Replace(wasip1, "example.com/v1", "example.com/..", 1)), "build.function_config"},
		{"traversal by kind", plain(strings.Replace(wasip1, "kind: Fn", "kind: ../../../../../../../../CANARY", 1)), "build.function_config"},
		{"traversal by the kind that kustomize remembers", plain(strings.Replace(wasip1, "annotations: {", "annotations: {internal.config.kubernetes.io/previousKinds: ../../../../../../../../CANARY, internal.config.kubernetes.io/previousNames: fn, internal.config.kubernetes.io/previousNamespaces: default, ", 1)), "build.bookkeeping"},
		{"validator that is a program, which stock passes over", "-- kustomization.yaml --\nresources: [cm.yaml]\nvalidators: [fn.yaml]\n-- fn.yaml --\n" + fn("exec: {path: CANARY}"), "build.function.runtime"},
		{"generator that is a program", "-- kustomization.yaml --\ngenerators: [fn.yaml]\n-- fn.yaml --\n" + fn("exec: {path: CANARY}"), "build.function.runtime"},
		{"inline", "-- kustomization.yaml --\nresources: [cm.yaml]\ntransformers:\n- |\n" + indent(fn("exec: {path: CANARY}"), 2), "build.function.runtime"},
		{"capitals", "-- kustomization.yaml --\nresources: [cm.yaml]\nTransformers: [fn.yaml]\n-- fn.yaml --\n" + fn("exec: {path: CANARY}"), "build.function.runtime"},
		{"the second of two keys", "-- kustomization.yaml --\nresources: [cm.yaml]\nTransformers: [ok.yaml]\ntransformers: [fn.yaml]\n-- ok.yaml --\n" + wasip1 + "-- fn.yaml --\n" + fn("exec: {path: CANARY}"), "build.function.runtime"},
		{"anchors", "-- kustomization.yaml --\nresources: &a [fn.yaml]\ntransformers: *a\n-- fn.yaml --\n" + fn("exec: {path: CANARY}"), "build.function.runtime"},
		{"among others", plain(wasip1 + "---\n" + fn("exec: {path: CANARY}")), "build.function.runtime"},
		{"inside a list", plain("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, annotations: {config.kubernetes.io/function: 'exec: {path: CANARY}'}}}\n"), "build.function.runtime"},
		{"in a base", "-- kustomization.yaml --\nresources: [base]\n-- base/kustomization.yaml --\ntransformers: [fn.yaml]\n-- base/fn.yaml --\n" + fn("exec: {path: CANARY}"), "build.function.runtime"},
		{"in a component", "-- kustomization.yaml --\nresources: [cm.yaml]\ncomponents: [part]\n-- part/kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ntransformers: [fn.yaml]\n-- part/fn.yaml --\n" + fn("exec: {path: CANARY}"), "build.function.runtime"},
		{"by common annotations", folder("commonAnnotations: {config.kubernetes.io/function: 'exec: {path: CANARY}'}"), "build.function.runtime"},
		{"legacy by common annotations", folder("commonAnnotations: {config.kubernetes.io/container: example.com/fn}"), "build.function_folder"},
		{"remembered kind by common annotations", folder("commonAnnotations: {internal.config.kubernetes.io/previousKinds: CANARY}"), "build.function_folder"},
		{"by label fields", folder("labels:\n- pairs: {config.kubernetes.io/container: fn}\n  fields: [{path: metadata/annotations, create: true}]"), "build.function_folder"},
		{"by a patch", folder("patches:\n- patch: |\n    {apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, annotations: {config.kubernetes.io/function: 'exec: {path: CANARY}'}}}"), "build.function.runtime"},
		{"configFn by a patch", folder("patches:\n- patch: |\n    {apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, configFn: {exec: {path: CANARY}}}}"), "build.function_folder"},
		{"configFn by a patch with an escape", folder("patches:\n- patch: |\n    {apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, \"config\\u0046n\": {exec: {path: CANARY}}}}"), "build.function_folder"},
		{"configFn behind an anchor", folder("patches:\n- patch: |\n    apiVersion: example.com/v1\n    kind: Fn\n    spec: &a {configFn: {exec: {path: CANARY}}}\n    metadata: {name: fn, <<: *a}"), "build.function_folder"},
		{"configFn by JSON 6902", folder("patches:\n- target: {kind: Fn}\n  patch: |\n    [{\"op\": \"add\", \"path\": \"/metadata/configFn\", \"value\": {\"exec\": {\"path\": \"CANARY\"}}}]"), "build.function_folder"},
		{"configFn by JSON 6902, copied", folder("patches:\n- target: {kind: Fn}\n  patch: |\n    - {op: copy, from: /spec/x, path: /metadata/y}"), "build.function_folder"},
		{"kind by JSON 6902", folder("patches:\n- target: {kind: Fn}\n  patch: |\n    - {op: replace, path: /kind, value: ../../../../CANARY}"), "build.function_folder"},
		{"apiVersion by a patch with a target", folder("patches:\n- target: {kind: Fn}\n  patch: |\n    {apiVersion: ../../../../CANARY, kind: Fn, metadata: {name: fn}}"), "build.function_folder"},
		{"taken away by a patch", folder("patches:\n- patch: |\n    {apiVersion: example.com/v1, kind: Fn, metadata: {name: fn}, $patch: delete}"), "build.function_folder"},
		{"another kind allowed", folder("patches:\n- target: {kind: Fn}\n  options: {allowKindChange: true}\n  patch: |\n    {apiVersion: example.com/v1, kind: Other, metadata: {name: fn}}"), "build.function_folder"},
		{"made by a generator", folder("configMapGenerator: [{name: x, literals: [a=b]}]"), "build.function_folder"},
		{"made by a function", folder("generators: [fn.yaml]"), "build.function_folder"},
		{"changed by a function", folder("transformers: [fn.yaml]"), "build.function_folder"},
		{"by replacements", folder("replacements: [{source: {kind: Fn}, targets: [{select: {kind: Fn}, fieldPaths: [metadata.configFn]}]}]"), "build.function_folder"},
		{"by configurations", folder("configurations: [c.yaml]\n-- fns/c.yaml --\nnamePrefix: []"), "build.function_folder"},
		{"in a component of the folder", folder("components: [../part]\n-- part/kustomization.yaml --\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component"), "build.function_folder"},
		{"a folder within the folder", folder("namePrefix: a-\n-- fns/x --\n") + "-- kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [outer]\n-- outer/kustomization.yaml --\nresources: [../fns2]\n-- fns2/kustomization.yaml --\nresources: [https://example.com/x.yaml]\n", "build.remote_function"},
		{"file by HTTP", "-- kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [https://127.0.0.1:1/fn.yaml]\n", "build.remote_function"},
		{"folder by git", "-- kustomization.yaml --\nresources: [cm.yaml]\ntransformers: ['file:///nowhere/repo.git//fns']\n", "build.remote_function"},
		{"a folder that looks like a host", "-- kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [github.com/o/r]\n-- github.com/o/r/kustomization.yaml --\nresources: [fn.yaml]\n-- github.com/o/r/fn.yaml --\n" + wasip1, "build.remote_function"},
		{"a file that looks like a host", "-- kustomization.yaml --\nresources: [cm.yaml]\ntransformers: ['GitHub.com/o/r.yaml']\n-- GitHub.com/o/r.yaml --\n" + wasip1, "build.remote_function"},
		{"a name before an at", "-- kustomization.yaml --\nresources: [cm.yaml]\ntransformers: ['git@host/o/r.yaml']\n-- git@host/o/r.yaml --\n" + wasip1, "build.remote_function"},
		{"module outside", "-- kustomization.yaml --\nresources: [app]\n-- app/kustomization.yaml --\nresources: [../x]\n-- x/kustomization.yaml --\ntransformers: [fn.yaml]\n-- x/fn.yaml --\n" + fn("wasip1: {file: ../../outside.wasm}"), "build.workspace"},
		{"module by an absolute path", plain(fn("wasip1: {file: /same.wasm}")), "build.workspace"},
		{"module that is no module", plain(fn("wasip1: {file: fn.yaml}")), "build.workspace"},
		{"module that is not there", plain(fn("wasip1: {file: gone.wasm}")), "build.module"},
		{"layout outside", plain(fn("wasip1: {image: 'oci-layout:../layout:v1'}")), "build.workspace"},
		{"helm chart", "-- kustomization.yaml --\nhelmCharts: [{name: minecraft, repo: https://127.0.0.1:1}]\n", "build.helm"},
		{"helm chart as a generator", "-- kustomization.yaml --\ngenerators: [fn.yaml]\n-- fn.yaml --\n{apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: {name: x}, name: minecraft}\n", "build.helm"},
		{"an option in place of a version", "-- kustomization.yaml --\nresources: ['file:///nowhere/repo.git?ref=--upload-pack=CANARY']\n", "build.repository"},
		{"an option, escaped", "-- kustomization.yaml --\nresources: ['file:///nowhere/repo.git?ref=%2D-upload-pack=CANARY']\n", "build.repository"},
		{"an option as the older key", "-- kustomization.yaml --\nresources: ['https://127.0.0.1:1/o/r?version=--upload-pack=CANARY']\n", "build.repository"},
		{"an option in a component", "-- kustomization.yaml --\ncomponents: ['file:///nowhere/repo.git?ref=--upload-pack=CANARY']\n", "build.repository"},
		{"an option in a base", "-- kustomization.yaml --\nbases: ['file:///nowhere/repo.git?ref=--upload-pack=CANARY']\n", "build.repository"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			program, alive := canary(t)
			text := strings.NewReplacer("CANARYDIR", filepath.Dir(program), "CANARY", program).Replace(cm + "-- same.wasm --\n-- blue.wasm --\n" + tt.tree)
			root := tree(t, text)
			t.Setenv("KUSTOMIZE_PLUGIN_HOME", root)
			f := library()
			_, err := build(t, root, ".", f)
			refused(t, err, f, tt.code)
			alive()
		})
	}
}

// TestPluginHomeIsNotLookedInto: a legacy exec plugin at the place that the environment names is not found.
func TestPluginHomeIsNotLookedInto(t *testing.T) {
	program, alive := canary(t)
	root := tree(t, cm+"-- same.wasm --\n-- kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- fn.yaml --\n"+fn("wasip1: {file: same.wasm}"))
	home := filepath.Join(root, "home")
	if err := os.MkdirAll(filepath.Join(home, "example.com", "v1", "fn"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(home, "example.com", "v1", "fn", "Fn")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUSTOMIZE_PLUGIN_HOME", home)
	f := library()
	mustBuild(t, root, ".", f)
	if len(f.calls) != 1 {
		t.Errorf("the function ran %d times", len(f.calls))
	}
	alive()
	if got := os.Getenv("KUSTOMIZE_PLUGIN_HOME"); got != home {
		t.Errorf("after the build the plugin home is %q", got)
	}
}

// TestKustomizationBehindALink: kustomize reads the file that a link leads to, under another name.
func TestKustomizationBehindALink(t *testing.T) {
	for _, name := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		program, alive := canary(t)
		root := tree(t, strings.ReplaceAll(cm+"-- other.txt --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- fn.yaml --\n"+fn("exec: {path: CANARY}"), "CANARY", program))
		if err := os.Symlink("other.txt", filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
		for _, free := range []bool{false, true} {
			f := library()
			_, err := buildWith(t, root, kustomize.Options{Runner: f, Root: root, LoadRestrictionsNone: free})
			refused(t, err, f, "build.function.runtime")
		}
		alive()
	}
}

// TestModuleBehindALink: a link that leads out of the workspace names no module.
func TestModuleBehindALink(t *testing.T) {
	root := tree(t, "-- outside.wasm --\n-- in/x --\n")
	in := filepath.Join(root, "in")
	for name, text := range map[string]string{
		"cm.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}}", "kustomization.yaml": "resources: [cm.yaml]\ntransformers: [fn.yaml]\n", "fn.yaml": fn("wasip1: {file: link.wasm}"),
	} {
		if err := os.WriteFile(filepath.Join(in, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(root, "outside.wasm"), filepath.Join(in, "link.wasm")); err != nil {
		t.Fatal(err)
	}
	f := library()
	_, err := build(t, in, ".", f)
	refused(t, err, f, "build.workspace")
}

// TestNothingIsFetchedForAFunction: not even asked for. A failed GET would become a clone.
func TestNothingIsFetchedForAFunction(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	defer server.Close()
	for _, field := range []string{"generators", "transformers", "validators"} {
		f := library()
		root := tree(t, cm+"-- kustomization.yaml --\nresources: [cm.yaml]\n"+field+": ['"+server.URL+"/o/r/fn.yaml']\n")
		_, err := buildWith(t, root, kustomize.Options{Runner: f, Root: root, AllowRemote: true})
		refused(t, err, f, "build.remote_function")
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// TestRemoteFiles: a resource over HTTP needs leave, and is bounded.
func TestRemoteFiles(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte("{apiVersion: v1, kind: ConfigMap, metadata: {name: far}}\n"))
		if r.URL.Path == "/large.yaml" {
			chunk := []byte(strings.Repeat("# padding\n", 100_000))
			for range 70 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}
	}))
	defer server.Close()
	root := tree(t, "-- kustomization.yaml --\nresources: ['"+server.URL+"/cm.yaml']\n-- large/kustomization.yaml --\nresources: ['"+server.URL+"/large.yaml']\n")
	f := library()
	_, err := build(t, root, ".", f)
	refused(t, err, f, "build.remote")
	if n := asked.Load(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
	out, err := buildWith(t, root, kustomize.Options{Runner: f, Root: root, AllowRemote: true})
	if err != nil || !strings.Contains(out, "name: far") {
		t.Errorf("Build = %q, %v", out, err)
	}
	if _, err := buildWith(t, filepath.Join(root, "large"), kustomize.Options{Runner: f, Root: root, AllowRemote: true}); err == nil {
		t.Error("a resource of 70 MB was read")
	}
}
