package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// reference is a use of something under data.
type reference struct {
	path string // dotted, without "data."
	at   *ast.Location
}

// uses remembers the references of modules, for which each is walked whole.
type uses map[*ast.Module][]reference

func (u uses) of(m *ast.Module) []reference {
	found, known := u[m]
	if !known {
		found = references(m)
		u[m] = found
	}
	return found
}

// references returns the packages or rules under data that a module uses,
// itself or over its imports; params are left out. A path ends where it is not
// constant, so that data.acme[x] reaches everything below data.acme, and
// data[x] everything there is.
func references(m *ast.Module) []reference {
	imports := map[ast.Var]ast.Ref{}
	for _, imp := range m.Imports {
		if ref, ok := imp.Path.Value.(ast.Ref); ok && ref[0].Equal(ast.DefaultRootDocument) {
			imports[imp.Name()] = ref
		}
	}
	var out []reference
	record := func(ref ast.Ref, at *ast.Location) {
		if path := constantPath(ref[1:]); path == "" || !within(path, paramsPackage) {
			out = append(out, reference{path, at})
		}
	}
	var visitor *ast.GenericVisitor
	visitor = ast.NewGenericVisitor(func(x any) bool {
		term, ok := x.(*ast.Term)
		if !ok {
			return false
		}
		switch v := term.Value.(type) {
		case ast.Ref:
			head, isVar := v[0].Value.(ast.Var)
			if imported, is := imports[head]; isVar && is {
				record(append(imported.Copy(), v[1:]...), term.Location)
			} else if v[0].Equal(ast.DefaultRootDocument) {
				record(v, term.Location)
			} else if !isVar {
				visitor.Walk(v[0])
			}
			for _, operand := range v[1:] {
				visitor.Walk(operand)
			}
			return true
		case ast.Var:
			if imported, is := imports[v]; is {
				record(imported, term.Location)
			}
		}
		return false
	})
	for _, rule := range m.Rules {
		visitor.Walk(rule)
	}
	return out
}

// checkReferences refuses a reference to a package or rule that is not there.
// Rego takes one for data that may come later: a reason behind a misspelt
// package would never be given.
func checkReferences(modules map[string]*ast.Module, used uses) []Position {
	rules := map[string]map[string]bool{} // by package
	for _, m := range modules {
		p := packageOf(m)
		if rules[p] == nil {
			rules[p] = map[string]bool{}
		}
		for _, rule := range m.Rules {
			rules[p][strings.Trim(rule.Head.Ref()[0].String(), `"`)] = true
		}
	}
	var complaints []Position
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		for _, ref := range used.of(modules[name]) {
			why := missing(ref.path, rules)
			if why == "" {
				continue
			}
			p := Position{File: modules[name].Package.Loc().File, Row: 1, Col: 1, Code: "policy.reference", Message: why}
			if ref.at != nil {
				p.Row, p.Col = ref.at.Row, ref.at.Col
			}
			complaints = append(complaints, p)
		}
	}
	return complaints
}

// missing says what a path leads to that is not there, or nothing.
func missing(path string, rules map[string]map[string]bool) string {
	holder := ""
	for p := range rules {
		if path == "" || within(p, path) {
			return ""
		}
		if within(path, p) && len(p) > len(holder) {
			holder = p
		}
	}
	if holder == "" {
		return fmt.Sprintf("undefined ref: data.%s: there is no such package", path)
	}
	rule, _, _ := strings.Cut(strings.TrimPrefix(path, holder+"."), ".")
	if rules[holder][rule] {
		return ""
	}
	return fmt.Sprintf("undefined ref: data.%s: package %s has no rule %s, only %s", path, holder, rule, strings.Join(slices.Sorted(maps.Keys(rules[holder])), ", "))
}
