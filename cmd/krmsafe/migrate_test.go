package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/registry"
)

// TestMigrateLooksUp finds modules where the images themselves are published: as a child
// of the image's index, and under the tag with a suffix. The registry stands behind a
// mirror, as what a tree names at a private address is not asked for.
func TestMigrateLooksUp(t *testing.T) {
	reg := registry.New(t)
	blobs := layout.Blobs{}
	container := blobs.Image("linux", "amd64", layout.TarLayer())
	module := blobs.CNCF(asm.Cat(), nil)
	index := blobs.Index(container.For("linux", "amd64"), module.For("wasip1", "wasm"))
	reg.Put("fns/index", blobs, index.Named("v1"), container, module)
	reg.Put("fns/suffix", blobs, container.Named("v1"), module.Named("v1-wasm"))
	reg.Put("fns/plain", blobs, container.Named("v1"))
	component := blobs.CNCF([]byte("\x00asm\x0d\x00\x01\x00"), nil)
	reg.Put("fns/component", blobs, container.Named("v1"), component.Named("v1-wasm"))
	reg.Put("fns/moved", blobs, module.Named("v1"))

	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	var kptfile strings.Builder
	kptfile.WriteString("apiVersion: kpt.dev/v1\nkind: Kptfile\npipeline:\n  mutators:\n")
	for _, name := range []string{"index:v1", "suffix:v1", "plain:v1", "component:v1", "moved:v1", "absent:v1"} {
		kptfile.WriteString("  - image: fns.example.com/fns/" + name + "\n")
	}
	write := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	file := write("tree/Kptfile", kptfile.String())
	trust := write("trust.yaml", "apiVersion: krmsafe.dev/v1alpha1\nkind: TrustPolicy\nmirrors:\n- {prefix: fns.example.com, location: "+reg.Host+"}\n"+
		"rules:\n- match: [\"fns.example.com/**\"]\n  pin: [\""+module.Digest+"\"]\n")

	migrate := func(args ...string) map[string]string {
		t.Helper()
		cmd := exec.Command("krmsafe", append([]string{"migrate", tree, "-o", "json", "--trust", trust, "--cache-dir", "none"}, args...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, &stderr)
		}
		var told struct {
			Functions []struct {
				Reference, State string
				Variant          struct{ Image, Source string }
				Reason           *struct{ Code, Message string }
			}
		}
		if err := json.Unmarshal(out, &told); err != nil {
			t.Fatal(err)
		}
		became := map[string]string{}
		for _, f := range told.Functions {
			became[f.Reference] = strings.TrimSpace(f.State + " " + f.Variant.Source + " " + f.Variant.Image)
			if f.Reason != nil {
				became[f.Reference] += " " + f.Reason.Code
			}
		}
		return became
	}
	want := map[string]string{
		"index:v1":     "moves index fns.example.com/fns/index@" + index.Digest,
		"suffix:v1":    "moves tag-suffix fns.example.com/fns/suffix@" + module.Digest,
		"plain:v1":     "blocked   migrate.no_variant",
		"component:v1": "blocked   migrate.no_variant",
		"moved:v1":     "moves index fns.example.com/fns/moved@" + module.Digest,
		"absent:v1":    "blocked   migrate.no_variant",
	}
	got := migrate()
	for name, w := range want {
		if g := got["fns.example.com/fns/"+name]; strings.Join(strings.Fields(g), " ") != strings.Join(strings.Fields(w), " ") {
			t.Errorf("%s: %s, want %s", name, g, w)
		}
	}
	once, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	again := migrate()
	for _, moved := range []string{"index@" + index.Digest, "suffix@" + module.Digest, "moved@" + module.Digest} {
		if g := again["fns.example.com/fns/"+moved]; g != "done" {
			t.Errorf("%s, once more: %q, want done", moved, g)
		}
	}
	if twice, _ := os.ReadFile(file); !bytes.Equal(once, twice) {
		t.Errorf("once:\n%s\ntwice:\n%s", once, twice)
	}
	asked := len(reg.Requests())
	if got := migrate("--offline")["fns.example.com/fns/plain:v1"]; !strings.HasSuffix(got, "migrate.no_variant") {
		t.Errorf("offline: %s", got)
	}
	if n := len(reg.Requests()); n != asked {
		t.Errorf("offline, the registry was asked %d times", n-asked)
	}
}
