package wasm_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

// goBuild builds a package of the standard library or a file for WebAssembly.
func goBuild(t *testing.T, goos, pkg string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "a.wasm")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=wasm", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s for %s: %v\n%s", pkg, goos, err, b)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// TestGoModule decodes what the Go toolchain makes of cmd/gofmt: the shape of
// a real function, with a deep nest of blocks for each Go function and many
// data segments.
func TestGoModule(t *testing.T) {
	module := goBuild(t, "wasip1", "cmd/gofmt")
	m := decode(t, module)
	if e, ok := m.Export("_start"); !ok || e.Kind != wasm.KindFunc {
		t.Errorf("exports %v, want _start", m.Exports)
	}
	imports := func(name string) bool {
		return slices.ContainsFunc(m.Imports, func(i wasm.Import) bool {
			return i.Module == "wasi_snapshot_preview1" && i.Name == name
		})
	}
	for _, name := range []string{"fd_read", "fd_write", "path_open", "proc_exit"} {
		if !imports(name) {
			t.Errorf("the module does not import %s: %v", name, m.Imports)
		}
	}
	if !slices.ContainsFunc(m.Producers, func(p wasm.Producer) bool { return p.Field == "language" && p.Name == "Go" }) {
		t.Errorf("producers %v, want Go", m.Producers)
	}
	checkAccepted(t, module, m)
	l, c := wasm.DefaultLimits(), m.Cost
	for what, share := range map[string]float64{
		"nesting":        float64(m.DeepestNesting) / float64(l.Nesting),
		"blocks":         float64(c.Blocks) / float64(l.Blocks),
		"branch targets": float64(c.BranchTargets) / float64(l.BranchTargets),
		"body bytes":     float64(m.LargestBody) / float64(l.BodyBytes),
		"complexity":     float64(c.Complexity) / float64(l.Complexity),
		"data segments":  float64(len(m.Data)) / float64(l.DataSegments),
	} {
		if share > 0.5 {
			t.Errorf("a small Go program uses %.0f%% of the limit on %s", 100*share, what)
		}
	}
}

// TestGoModuleForJavaScript builds for the wrong target, as people do.
func TestGoModuleForJavaScript(t *testing.T) {
	src := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(src, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := wasm.Decode(goBuild(t, "js", src), wasm.DefaultLimits())
	var e *wasm.Error
	if !errors.As(err, &e) || e.Code != wasm.CodeGoJS {
		t.Errorf("Decode = %v, want %s", err, wasm.CodeGoJS)
	}
}
