package sandbox_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/hostile"
	"github.com/krmsafe/krmsafe/sandbox"
)

// codes reads the codes of a Stop from the source that declares them.
func codes(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "result.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Code") {
			code, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, code)
		}
		return true
	})
	return out
}

// SR-30: every code has its own words, and says how to go on.
func TestEveryCodeHasWords(t *testing.T) {
	all := codes(t)
	if len(all) < 15 {
		t.Fatalf("%d codes were found: %q", len(all), all)
	}
	seen := map[string]string{}
	for _, code := range all {
		message, hint := sandbox.Words(code, ample())
		if code == sandbox.CodeModuleImport {
			continue // its words name the import: TestImportIsNamed
		}
		if message == "the function was stopped" || hint == "" {
			t.Errorf("%s: message %q, hint %q", code, message, hint)
		}
		if other, twice := seen[message]; twice {
			t.Errorf("%s and %s say the same", code, other)
		}
		seen[message] = code
	}
}

// Every code is wanted by an attack, or has a test that says how it comes about.
func TestEveryCodeIsReached(t *testing.T) {
	elsewhere := map[string]string{
		sandbox.CodeGuestCrash:    "no module is known that ends the engine past the inspector; outcomes are fuzzed",
		sandbox.CodeLimitStack:    "limit.depth comes first on both engines: TestHostileModules/stack",
		sandbox.CodeLimitCPU:      "the parent's clock comes first; jail.TestKernelKeepsBounds ends a child by it",
		sandbox.CodeLimitInput:    "a gigabyte of input is too much for a test",
		sandbox.CodeJailViolation: "jail.TestForbiddenCallsAreDenied makes the calls",
	}
	for _, code := range codes(t) {
		if _, ok := elsewhere[code]; ok {
			continue
		}
		if !slices.ContainsFunc(hostile.Cases(), func(c hostile.Case) bool { return slices.Contains(c.Want, code) }) {
			t.Errorf("no attack wants %s", code)
		}
	}
}

// What cannot be imported is named, in quotes.
func TestImportIsNamed(t *testing.T) {
	for _, c := range hostile.Cases() {
		if c.Name != "an import from elsewhere" {
			continue
		}
		r := run(t, sandbox.Config{}, c.Module(), "", ample())
		wantStop(t, r, sandbox.CodeModuleImport)
		if !strings.Contains(r.Stop.Message, `"system" from "env"`) || r.Stop.Hint == "" {
			t.Errorf("Stop = %+v, want the import named", r.Stop)
		}
		return
	}
	t.Fatal("the hostile suite has no such case")
}
