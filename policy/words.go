package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// checkWords refuses to compare a field that has one of a few words with
// another word: a rule against the jail "non" would never speak up. Fields are
// seen where a rule reads them from input itself.
func checkWords(e entry, modules map[string]*ast.Module) []Position {
	var complaints []Position
	schema := e.schema()
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		compare := func(field, word *ast.Term, at *ast.Location) {
			words := wordsOf(schema, field)
			for _, w := range constants(word) {
				if words == nil || w == "" || slices.Contains(words, w) {
					continue
				}
				p := Position{File: modules[name].Package.Loc().File, Row: 1, Col: 1, Code: "policy.word"}
				p.Message = fmt.Sprintf("%s is never %q, only %s", field, w, strings.Join(words, ", "))
				if at != nil {
					p.Row, p.Col = at.Row, at.Col
				}
				complaints = append(complaints, p)
			}
		}
		look := func(terms []*ast.Term, at *ast.Location) {
			if len(terms) != 3 {
				return
			}
			switch terms[0].String() {
			case ast.Equal.Name, ast.Equality.Name, ast.NotEqual.Name:
				compare(terms[1], terms[2], at)
				compare(terms[2], terms[1], at)
			case ast.Member.Name:
				compare(terms[1], terms[2], at)
			}
		}
		visitor := ast.NewGenericVisitor(func(x any) bool {
			switch v := x.(type) {
			case *ast.Expr:
				if terms, ok := v.Terms.([]*ast.Term); ok {
					look(terms, v.Location)
				}
			case ast.Call:
				look(v, v[0].Location)
			}
			return false
		})
		for _, rule := range modules[name].Rules {
			visitor.Walk(rule)
		}
	}
	return complaints
}

// wordsOf returns the words that a field of input may have, or nil.
func wordsOf(schema map[string]any, field *ast.Term) []string {
	ref, ok := field.Value.(ast.Ref)
	if !ok || len(ref) < 2 || !ref[0].Equal(ast.InputRootDocument) {
		return nil
	}
	for _, step := range ref[1:] {
		name, isString := step.Value.(ast.String)
		properties, isObject := schema["properties"].(map[string]any)
		switch {
		case isObject && isString:
			schema, _ = properties[string(name)].(map[string]any)
		case isObject:
			return nil
		default:
			schema, _ = schema["items"].(map[string]any)
		}
	}
	enum, _ := schema["enum"].([]any)
	var words []string
	for _, word := range enum {
		words = append(words, fmt.Sprint(word))
	}
	return words
}

// constants returns the strings of a term that is one, or a list or set of
// them.
func constants(term *ast.Term) []string {
	var out []string
	add := func(t *ast.Term) {
		if s, ok := t.Value.(ast.String); ok {
			out = append(out, string(s))
		}
	}
	switch v := term.Value.(type) {
	case ast.String:
		add(term)
	case ast.Set:
		v.Foreach(add)
	case *ast.Array:
		v.Foreach(add)
	}
	return out
}
