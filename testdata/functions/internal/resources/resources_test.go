// Package resources_test keeps the derived files of testdata/resources in step with
// testdata/resources/shop, which is their source.
package resources_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

var update = flag.Bool("update", false, "rewrite shop.yaml and the two lists")

const root = "../../../resources"

// resources is how many resources the shop has; documents that speak of the sample
// input say 20.
const resources = 20

func TestShopIsItsFilesJoined(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "shop", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var joined []byte
	for i, file := range files {
		if i > 0 {
			joined = append(joined, "---\n"...)
		}
		joined = append(joined, read(t, file)...)
	}
	compare(t, "shop.yaml", joined)
	nodes, err := (&kio.ByteReader{Reader: bytes.NewReader(joined)}).Read()
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes) != resources {
		t.Errorf("the shop has %d resources, want %d", len(nodes), resources)
	}
}

func TestShopListIsItsFilesRead(t *testing.T) {
	nodes, err := kio.LocalPackageReader{PackagePath: filepath.Join(root, "shop"), MatchFilesGlob: kio.MatchAll}.Read()
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "shop-list.yaml", list(t, nodes, nil))
	config, err := yaml.ReadFile(filepath.Join(root, "set-metadata.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "set-metadata-list.yaml", list(t, nodes, config))
}

func list(t *testing.T, nodes []*yaml.RNode, config *yaml.RNode) []byte {
	t.Helper()
	var b bytes.Buffer
	err := kio.ByteWriter{
		Writer:                &b,
		KeepReaderAnnotations: true,
		WrappingAPIVersion:    kio.ResourceListAPIVersion,
		WrappingKind:          kio.ResourceListKind,
		FunctionConfig:        config,
	}.Write(nodes)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join(root, name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, path)), string(got)); diff != "" {
		t.Errorf("%s is not what testdata/resources/shop makes of it (-is +should):\n%s", name, diff)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
