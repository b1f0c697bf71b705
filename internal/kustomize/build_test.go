package kustomize_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/kustomize"
)

// functions stands in for the pipeline: what a module is called says what it does to the text of its input.
type functions struct {
	calls []kustomize.Call
	does  map[string]func(string) string // by the name of the module
}

func (f *functions) Run(_ context.Context, call kustomize.Call) (*krm.ResourceList, error) {
	f.calls = append(f.calls, call)
	name := strings.TrimSuffix(filepath.Base(call.Spec.File), ".wasm")
	if call.Spec.Image != "" {
		name = call.Spec.Image
	}
	if name == "refuse" {
		return nil, errRefused
	}
	text, err := call.Input.Encode()
	if err != nil {
		return nil, err
	}
	do := f.does[name]
	if do == nil {
		return nil, fmt.Errorf("the test has no function %q", name)
	}
	return krm.Parse([]byte(do(string(text))), krm.DefaultLimits())
}

var errRefused = errors.New("refused by the pipeline")

// library is what the functions of the tests do.
func library() *functions {
	return &functions{does: map[string]func(string) string{
		"same": func(in string) string { return in },
		"blue": func(in string) string { return strings.ReplaceAll(in, "color: red", "color: blue") },
		"none": func(string) string { return list("") },
		"make": func(string) string {
			return list("- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: made\n    annotations: {kustomize.config.k8s.io/needs-hash: 'true'}\n  data: {a: b}\n")
		},
	}}
}

func list(items string) string {
	if items == "" {
		items = " []\n"
	} else {
		items = "\n" + items
	}
	return "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:" + items
}

// tree writes the files of a txtar archive to a folder that is a workspace. Modules are empty files: nothing reads them.
func tree(t *testing.T, text string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(text)).Files {
		at := filepath.Join(root, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func build(t *testing.T, root, dir string, f *functions) (string, error) {
	t.Helper()
	return buildWith(t, filepath.Join(root, dir), kustomize.Options{Runner: f, Root: root})
}

func buildWith(t *testing.T, target string, o kustomize.Options) (string, error) {
	t.Helper()
	o.Getenv = os.Getenv
	result, err := kustomize.Build(t.Context(), target, o)
	if err != nil {
		return "", err
	}
	return string(result.YAML), nil
}

func mustBuild(t *testing.T, root, dir string, f *functions) string {
	t.Helper()
	out, err := build(t, root, dir, f)
	if err != nil {
		t.Fatalf("Build(%s) = %v", dir, err)
	}
	return out
}

const simple = `
-- same.wasm --
-- blue.wasm --
-- none.wasm --
-- make.wasm --
-- refuse.wasm --
-- app/cm.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: cm}
data: {color: red}
-- app/kustomization.yaml --
resources: [cm.yaml]
namePrefix: p-
transformers: [fn.yaml]
-- app/fn.yaml --
apiVersion: example.com/v1
kind: Paint
metadata:
  name: paint
  annotations:
    config.kubernetes.io/function: "wasip1: {file: ../blue.wasm}"
`

func TestTransformer(t *testing.T) {
	f := library()
	got := mustBuild(t, tree(t, simple), "app", f)
	want := "apiVersion: v1\ndata:\n  color: blue\nkind: ConfigMap\nmetadata:\n  name: p-cm\n"
	if got != want {
		t.Errorf("Build = %s, want %s", got, want)
	}
	if len(f.calls) != 1 || f.calls[0].Role != kustomize.Transformer || f.calls[0].Config.Kind != "Paint" {
		t.Errorf("calls = %+v", f.calls)
	}
}
