package kustomize_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/krmsafe/krmsafe/internal/kustomize"
)

// stock builds with kustomize itself, with the settings of its command.
func stock(dir string) (string, error) {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionUnspecified
	m, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return "", err
	}
	text, err := m.AsYaml()
	return string(text), err
}

// TestSameAsStock: where no function is listed, a build is kustomize's, byte for byte, and fails where kustomize's does.
// The first line of each archive says what it shows; those that begin with "Fails" must fail.
func TestSameAsStock(t *testing.T) {
	archives, err := filepath.Glob("testdata/stock/*.txtar")
	if err != nil || len(archives) < 30 {
		t.Fatalf("%d archives, %v", len(archives), err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			root := tree(t, string(text))
			want, failed := stock(filepath.Join(root, "app"))
			if fails := strings.HasPrefix(string(text), "Fails"); fails != (failed != nil) {
				t.Fatalf("stock: %v", failed)
			}
			f := library()
			result, err := kustomize.Build(t.Context(), filepath.Join(root, "app"), kustomize.Options{Runner: f, Root: root, Getenv: os.Getenv})
			if (err != nil) != (failed != nil) {
				t.Fatalf("Build = %v, stock = %v", err, failed)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(want, string(result.YAML)); diff != "" {
				t.Errorf("-stock +krmsafe:\n%s", diff)
			}
		})
	}
}
