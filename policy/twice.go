package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// checkTwice refuses two policies that answer one question. Rego would call it a
// conflict somewhere in the middle of one of them, or merge the two where their
// rules happen to allow that.
func checkTwice(modules map[string]*ast.Module) []Position {
	var complaints []Position
	for _, e := range entries {
		var first *ast.Location
		for _, name := range slices.Sorted(maps.Keys(modules)) {
			m := modules[name]
			if packageOf(m) != e.pkg || !answersAlone(m) {
				continue
			}
			loc := m.Package.Loc()
			if first == nil {
				first = loc
				continue
			}
			complaints = append(complaints, Position{
				File: loc.File, Row: loc.Row, Col: loc.Col, Code: "policy.twice",
				Message: fmt.Sprintf("two policies define %s: this one and %s", e.pkg, first.File),
			})
		}
	}
	return complaints
}

// answersAlone reports whether a file says what allow is where no rule says so,
// which a policy does once.
func answersAlone(m *ast.Module) bool {
	return slices.ContainsFunc(m.Rules, func(r *ast.Rule) bool {
		return r.Default && strings.Trim(r.Head.Ref()[0].String(), `"`) == "allow"
	})
}

// withoutReplaced leaves out the modules of the library that come with krmsafe
// where the sources under test are files of the library themselves.
func withoutReplaced(library []Source, modules map[string]*ast.Module, sources []Source) {
	replaced := map[string]bool{}
	for _, s := range sources {
		if p := packageOf(modules[s.Name]); within(p, libraryPackage) && !isTest(s.Name) {
			replaced[p] = true
		}
	}
	for _, s := range library {
		if replaced[packageOf(modules[s.Name])] {
			delete(modules, s.Name)
		}
	}
}

// namedApart gives the library other names where a file of the sources has the
// same: who tests the library from its own folder.
func namedApart(library, sources []Source) []Source {
	out := slices.Clone(library)
	for i, s := range out {
		if slices.ContainsFunc(sources, func(own Source) bool { return own.Name == s.Name }) {
			out[i].Name = "krmsafe:" + s.Name
		}
	}
	return out
}
