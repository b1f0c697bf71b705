package krm_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

func TestFindFunctions(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"fn/config.yaml": "apiVersion: v1\nkind: A\nmetadata:\n  name: a\n  annotations:\n    config.kubernetes.io/function: |\n      wasip1: {image: 'ghcr.io/acme/a:v1'}\n",
		"fn/exec.yaml":   "apiVersion: v1\nkind: B\nmetadata:\n  name: b\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: ./b}\n",
		"pod.yaml":       "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n",
		"kustomization.yaml": "resources: [pod.yaml]\ntransformers:\n- fn/config.yaml\n- |-\n  apiVersion: v1\n  kind: C\n  metadata:\n    name: c\n    annotations:\n" +
			"      config.kubernetes.io/function: |\n        wasip1: {file: ../c.wasm}\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := krm.FindFunctions(dir, krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Path, Name string
		Spec       krm.FunctionSpec
		Refused    bool
	}
	var got []row
	for _, f := range found {
		got = append(got, row{f.Path, f.Name, f.Spec, f.Err != nil})
	}
	want := []row{
		{Path: "fn/config.yaml", Name: "a", Spec: krm.FunctionSpec{Image: "ghcr.io/acme/a:v1"}},
		{Path: "fn/exec.yaml", Name: "b", Refused: true},
		{Path: "kustomization.yaml", Name: "c", Spec: krm.FunctionSpec{File: "../c.wasm"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("FindFunctions (-want +got):\n%s", diff)
	}
}
