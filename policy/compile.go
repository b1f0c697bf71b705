package policy

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// An entry is one of the two questions that a policy answers.
type entry struct {
	pkg  string   // package that answers, without "data."
	keys []string // rules it may define
	// schema is of the input. It must not be changed.
	schema func() map[string]any
	decode func(any) Decision
}

var (
	admitEntry  = entry{pkg: "krmsafe.admit", keys: admitKeys, schema: sync.OnceValue(func() map[string]any { return bare.of(reflect.TypeFor[Facts](), "") }), decode: decodeAdmit}
	outputEntry = entry{pkg: "krmsafe.output", keys: outputKeys, schema: sync.OnceValue(func() map[string]any { return bare.of(reflect.TypeFor[Changes](), "") }), decode: decodeOutput}
	entries     = []entry{admitEntry, outputEntry}
)

// entryOf returns the entry whose package a module is in.
func entryOf(m *ast.Module) (entry, bool) {
	for _, e := range entries {
		if packageOf(m) == e.pkg {
			return e, true
		}
	}
	return entry{}, false
}

// Packages with a meaning of their own.
const (
	libraryPackage = "krmsafe.lib"
	paramsPackage  = "params"
)

// parse parses the sources as Rego v1. Test files have no place here.
func parse(sources []Source) (map[string]*ast.Module, error) {
	modules := make(map[string]*ast.Module, len(sources))
	var complaints []Position
	options := ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: capabilities()}
	for _, source := range sources {
		if _, twice := modules[source.Name]; twice {
			return nil, duplicate(source.Name)
		}
		module, err := ast.ParseModuleWithOpts(source.Name, string(source.Text), options)
		if err != nil {
			complaints = append(complaints, positions(err, source.Name)...)
			continue
		}
		modules[source.Name] = module
	}
	if len(complaints) > 0 {
		return nil, compileError(complaints)
	}
	return modules, nil
}

func duplicate(name string) error {
	return &LoadError{Code: "policy.duplicate", Message: fmt.Sprintf("policy file %q is given twice", name), Hint: "name each file once"}
}

// compile compiles the modules that answer an entry against its schema, in
// strict mode and with the allow-listed functions only.
func compile(e entry, modules map[string]*ast.Module) (*ast.Compiler, error) {
	schemas := ast.NewSchemaSet()
	schemas.Put(ast.SchemaRootRef, e.schema())
	c := ast.NewCompiler().WithCapabilities(capabilities()).WithStrict(true).WithSchemas(schemas).
		WithUseTypeCheckAnnotations(false).WithDefaultRegoVersion(ast.RegoV1)
	c.Compile(modules)
	if c.Failed() {
		return nil, compileError(positions(c.Errors, ""))
	}
	return c, nil
}

func compileError(complaints []Position) error {
	slices.SortStableFunc(complaints, func(a, b Position) int {
		nowhere := func(p Position) int { // OPA's "error limit reached", which tells nobody anything
			if p.File == "" {
				return 1
			}
			return 0
		}
		return cmp.Or(nowhere(a)-nowhere(b), cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Message, b.Message))
	})
	return &CompileError{Errors: slices.Compact(complaints)}
}

// positions takes OPA's errors apart.
func positions(err error, file string) []Position {
	var many ast.Errors
	if !errors.As(err, &many) {
		return []Position{{File: file, Row: 1, Col: 1, Code: "rego_parse_error", Message: oneLine(err.Error())}}
	}
	out := make([]Position, 0, len(many))
	for _, e := range many {
		p := Position{File: file, Row: 1, Col: 1, Code: e.Code, Message: oneLine(e.Message)}
		if e.Location != nil {
			p.File, p.Row, p.Col = e.Location.File, e.Location.Row, e.Location.Col
		}
		if detail, ok := e.Details.(*ast.RefErrInvalidDetail); ok {
			p.Message += fieldHint(detail)
		}
		out = append(out, p)
	}
	return out
}

// fieldHint names the fields that a misspelt reference could have meant.
func fieldHint(detail *ast.RefErrInvalidDetail) string {
	if len(detail.OneOf) == 0 || detail.Pos >= len(detail.Ref) {
		return ""
	}
	names := make([]string, 0, len(detail.OneOf))
	for _, v := range detail.OneOf {
		names = append(names, strings.Trim(v.String(), `"`))
	}
	return fmt.Sprintf(": %s has no such field, only %s", detail.Ref[:detail.Pos], strings.Join(names, ", "))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// firstLine returns what stands before the first line break.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func packageOf(m *ast.Module) string {
	parts := make([]string, 0, len(m.Package.Path))
	for _, term := range m.Package.Path[1:] {
		if s, ok := term.Value.(ast.String); ok {
			parts = append(parts, string(s))
		}
	}
	return strings.Join(parts, ".")
}

// within reports whether package p is root or below it.
func within(p, root string) bool { return p == root || strings.HasPrefix(p, root+".") }
