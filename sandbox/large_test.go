package sandbox_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/sandbox"
)

// goModule builds a program under testdata for WASI.
func goModule(t *testing.T, dir string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "module.wasm")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", out, "./testdata/"+dir)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// A function of more than 20 MB, as Go makes them, runs under the limits that the
// baseline policy grants, on either engine, with the same fuel.
func TestLargeGoModule(t *testing.T) {
	module := goModule(t, "large")
	if len(module) < 20<<20 {
		t.Fatalf("the module has %d bytes, want more than 20 MB", len(module))
	}
	// The baseline's, which is Rego and Go that this package does not know.
	limits := sandbox.Limits{
		MemoryPages: 8192, TableElements: 1_000_000, CallDepth: 10_000, Fuel: 100_000_000_000, Timeout: 120 * time.Second,
		CompileTimeout: 100 * time.Second, CompileBytes: 1 << 30, OutputBytes: 256 << 20, StderrBytes: 1 << 20,
	}
	in := strings.Repeat("kind: ConfigMap\n", 1000)
	var fuel uint64
	for _, engine := range []sandbox.Engine{sandbox.EngineInterpreter, sandbox.EngineCompiler} {
		r := run(t, sandbox.Config{Engine: engine}, module, in, limits)
		wantStop(t, r, "")
		if string(r.Stdout) != in {
			t.Errorf("on the %s: %d bytes of output, want the input's %d", engine, len(r.Stdout), len(in))
		}
		if fuel != 0 && r.Usage.Fuel != fuel {
			t.Errorf("on the %s: %d units of fuel, want %d", engine, r.Usage.Fuel, fuel)
		}
		fuel = r.Usage.Fuel
		t.Logf("%s: %+v", engine, r.Usage)
	}
}
