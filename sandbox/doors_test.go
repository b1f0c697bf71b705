package sandbox_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// SR-1: the engine is only reached from the child's entry. The files of this
// package that import it are named here, and what they offer is used by nothing
// but child.go.
func TestEngineIsOnlyInTheChild(t *testing.T) {
	engine := map[string]bool{"engine.go": true, "mapped.go": true, "meter.go": true, "guestfs.go": true, "memory.go": true}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	uses := 0
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			if strings.Contains(i.Path.Value, "wazero") && !engine[name] {
				t.Errorf("%s imports the engine", name)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && (id.Name == "newMachine" || id.Name == "machine") && !engine[name] {
				uses++
				if name != "child.go" {
					t.Errorf("%s uses the engine", name)
				}
			}
			return true
		})
	}
	if uses == 0 {
		t.Error("nothing uses the engine: this test looks for the wrong names")
	}
}
