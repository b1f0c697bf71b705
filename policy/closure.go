package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// closure returns the modules that the package root can reach: its own and,
// over imports and references, every package these name.
func closure(root string, modules map[string]*ast.Module, used uses) map[string]*ast.Module {
	reached := map[string]*ast.Module{}
	wanted := []string{root}
	for len(wanted) > 0 {
		want := wanted[0]
		wanted = wanted[1:]
		for _, name := range slices.Sorted(maps.Keys(modules)) {
			p := packageOf(modules[name])
			if _, done := reached[name]; done || !meets(want, p) {
				continue
			}
			reached[name] = modules[name]
			for _, ref := range used.of(modules[name]) {
				wanted = append(wanted, ref.path)
			}
		}
	}
	return reached
}

func constantPath(terms []*ast.Term) string {
	var parts []string
	for _, term := range terms {
		s, ok := term.Value.(ast.String)
		if !ok {
			break
		}
		parts = append(parts, string(s))
	}
	return strings.Join(parts, ".")
}

// checkPlacement refuses what would be silently without effect, or would
// change the meaning of what krmsafe ships.
func checkPlacement(modules map[string]*ast.Module, own map[string]bool, used map[string]bool) []Position {
	var complaints []Position
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		p := packageOf(m)
		complain := func(code, format string, args ...any) {
			loc := m.Package.Loc()
			complaints = append(complaints, Position{File: loc.File, Row: loc.Row, Col: loc.Col, Code: code, Message: fmt.Sprintf(format, args...)})
		}
		switch {
		case !own[name]:
			// Shipped with krmsafe.
		case within(libraryPackage, p), within(p, libraryPackage):
			// A rule named lib.module.baseline in package krmsafe is one of the library, too.
			complain("policy.reserved_package", "package %s belongs to krmsafe; use another name and import it", p)
		case within(p, paramsPackage):
			complain("policy.reserved_package", "package %s would shadow the data under data.params", p)
		case !used[name]:
			complain("policy.unreachable", "package %s is used by neither krmsafe.admit nor krmsafe.output, so its rules would never be evaluated", p)
		}
		for _, a := range m.Annotations {
			if len(a.Schemas) > 0 {
				complaints = append(complaints, Position{
					File: a.Loc().File, Row: a.Loc().Row, Col: a.Loc().Col, Code: "policy.schemas",
					Message: "metadata may not set schemas; krmsafe's own schema of input holds",
				})
			}
		}
	}
	return complaints
}

// checkKeys refuses rules of an entry package that mean nothing to krmsafe: a
// misspelt reasons would otherwise be a rule that nobody reads.
func checkKeys(e entry, modules map[string]*ast.Module) []Position {
	var complaints []Position
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		p := packageOf(m)
		if p != e.pkg && within(p, e.pkg) {
			complaints = append(complaints, Position{
				File: m.Package.Loc().File, Row: m.Package.Loc().Row, Col: m.Package.Loc().Col, Code: ReasonUnknownKey,
				Message: fmt.Sprintf("package %s lies inside %s, whose answer has a closed shape; use another name", p, e.pkg),
			})
		}
		if p != e.pkg {
			continue
		}
		for _, rule := range m.Rules {
			key := strings.Trim(rule.Head.Ref()[0].String(), `"`)
			if slices.Contains(e.keys, key) || strings.HasPrefix(key, "_") || len(rule.Head.Args) > 0 {
				continue
			}
			complaints = append(complaints, Position{
				File: rule.Loc().File, Row: rule.Loc().Row, Col: rule.Loc().Col, Code: ReasonUnknownKey,
				Message: fmt.Sprintf("rule %s means nothing in package %s, which knows %s; a helper's name starts with an underscore", key, p, strings.Join(e.keys, ", ")),
			})
		}
	}
	return complaints
}

// checkParams refuses a policy that reads data.params where no data is: the
// rule that reads it would be undefined, and a rule against something that is
// undefined lets it pass. object.get(data.params, key, default) is the way to
// say that a parameter may be missing.
func checkParams(c *ast.Compiler, params map[string]any) []Position {
	var complaints []Position
	for _, name := range slices.Sorted(maps.Keys(c.Modules)) {
		ast.WalkRefs(c.Modules[name], func(ref ast.Ref) bool {
			if len(ref) < 2 || !ref[0].Equal(ast.DefaultRootDocument) {
				return false
			}
			path := constantPath(ref[1:])
			if path != paramsPackage && !within(path, paramsPackage) {
				return false
			}
			if missing := lookup(params, strings.Split(path, ".")[1:]); missing != "" {
				loc := ref[0].Loc()
				p := Position{File: c.Modules[name].Package.Loc().File, Row: 1, Col: 1, Code: "policy.params", Message: fmt.Sprintf("data.params.%s is read and no --data gives it", missing)}
				if loc != nil {
					p.Row, p.Col = loc.Row, loc.Col
				}
				complaints = append(complaints, p)
			}
			return false
		})
	}
	return complaints
}

// lookup follows path and returns the part of it that is missing, or "".
func lookup(value any, path []string) string {
	for i, key := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return ""
		}
		if value, ok = object[key]; !ok {
			return strings.Join(path[:i+1], ".")
		}
	}
	return ""
}
