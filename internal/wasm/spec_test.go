package wasm_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

// specDir is where the wazero module in the module cache keeps the official
// WebAssembly testsuite, compiled.
func specDir(t *testing.T, version string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatalf("finding the wazero module, whose files hold the spec testsuite: %v", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest", version, "testdata")
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("the spec testsuite is not in the module cache: %v", err)
	}
	return dir
}

type specFile struct {
	Commands []struct {
		Type       string `json:"type"`
		Line       int    `json:"line"`
		Filename   string `json:"filename"`
		Text       string `json:"text"`
		ModuleType string `json:"module_type"`
	} `json:"commands"`
}

// valid20 are the modules that wasm 1.0 calls invalid and 2.0 does not: its
// multi-value and reference types proposals lifted the rules they break.
var valid20 = map[string]string{
	"func.20.wasm":              "more than one result",
	"func.21.wasm":              "more than one result",
	"type.3.wasm":               "more than one result",
	"type.4.wasm":               "more than one result",
	"imports.47.wasm":           "more than one table",
	"imports.48.wasm":           "more than one table",
	"imports.49.wasm":           "more than one table",
	"unreached-invalid.87.wasm": "labels of different types after an unconditional branch",
}

// TestSpecSuite decodes every binary module of the official testsuite:
// what it says is malformed or invalid must be refused, the rest accepted.
func TestSpecSuite(t *testing.T) {
	for version, want := range map[string]struct{ valid, bad int }{"v1": {877, 1650}, "v2": {1716, 2865}} {
		t.Run(version, func(t *testing.T) {
			dir := specDir(t, version)
			files, err := filepath.Glob(filepath.Join(dir, "*.json"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no spec files in %s: %v", dir, err)
			}
			valid, bad := 0, 0
			for _, f := range files {
				v, b := specRun(t, f, version)
				valid, bad = valid+v, bad+b
			}
			if valid < want.valid || bad < want.bad {
				t.Errorf("ran %d valid and %d bad modules, want at least %d and %d", valid, bad, want.valid, want.bad)
			}
			t.Logf("%d valid, %d malformed or invalid modules", valid, bad)
		})
	}
}

func specRun(t *testing.T, file, version string) (valid, bad int) {
	t.Helper()
	var spec specFile
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &spec); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, c := range spec.Commands {
		if !strings.HasSuffix(c.Filename, ".wasm") {
			continue
		}
		module, err := os.ReadFile(filepath.Join(filepath.Dir(file), c.Filename))
		if err != nil {
			t.Fatal(err)
		}
		m, err := wasm.Decode(module, wasm.DefaultLimits())
		switch c.Type {
		case "module", "assert_unlinkable", "assert_uninstantiable", "assert_trap", "assert_exhaustion":
			valid++
			if err != nil {
				t.Errorf("%s/%s (line %d) is valid and was refused: %v", version, c.Filename, c.Line, err)
			}
		case "assert_malformed", "assert_invalid":
			bad++
			if version == "v1" && valid20[c.Filename] != "" {
				if err != nil {
					t.Errorf("v1/%s has %s, which wasm 2.0 allows: %v", c.Filename, valid20[c.Filename], err)
				}
				continue
			}
			if err == nil {
				t.Errorf("%s/%s (line %d) was accepted, want %q", version, c.Filename, c.Line, c.Text)
			}
			if m != nil && err != nil {
				t.Errorf("%s: a module came with an error", c.Filename)
			}
		default:
			t.Errorf("%s: command %q has a module", file, c.Type)
		}
	}
	return valid, bad
}
