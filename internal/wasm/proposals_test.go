package wasm_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

// TestProposalSuites decodes the testsuites of proposals that came after 2.0.
// Of their valid modules, those that use the proposal must be refused by its
// name, so that nobody is told that a working module is malformed.
func TestProposalSuites(t *testing.T) {
	for _, tt := range []struct {
		dir   string
		codes []string
		least int // modules refused by one of the codes
	}{
		{"threads", []string{wasm.CodeFeatureThreads}, 5},
		{"tail-call", []string{wasm.CodeFeatureTailCall}, 6},
		{"exception-handling", []string{wasm.CodeFeatureExceptions, wasm.CodeFeatureTypedRefs, wasm.CodeFeatureGC}, 12},
		{"extended-const", []string{wasm.CodeFeatureExtendedConst}, 9},
		{"typed-function-references", []string{wasm.CodeFeatureTypedRefs, wasm.CodeFeatureGC, wasm.CodeFeatureTailCall}, 65},
	} {
		t.Run(tt.dir, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(specDir(t, tt.dir), "*.json"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no spec files: %v", err)
			}
			refused := 0
			for _, f := range files {
				refused += proposalRun(t, f, tt.codes)
			}
			if refused < tt.least {
				t.Errorf("%d modules were refused by name, want at least %d", refused, tt.least)
			}
			t.Logf("%d modules were refused by name", refused)
		})
	}
}

func proposalRun(t *testing.T, file string, codes []string) (refused int) {
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
		if c.Type != "module" || !strings.HasSuffix(c.Filename, ".wasm") {
			continue
		}
		module, err := os.ReadFile(filepath.Join(filepath.Dir(file), c.Filename))
		if err != nil {
			t.Fatal(err)
		}
		_, err = wasm.Decode(module, wasm.DefaultLimits())
		if err == nil {
			continue // of 2.0, in the suite for comparison
		}
		var e *wasm.Error
		if !errors.As(err, &e) || !slices.Contains(codes, e.Code) {
			t.Errorf("%s (line %d): %v with code %s, want one of %s", c.Filename, c.Line, err, e.Code, codes)
			continue
		}
		refused++
	}
	return refused
}
