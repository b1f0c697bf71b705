package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Explanation is a decision with, for each of its reasons and warnings, the
// rule that gives it and the facts that the rule reads.
type Explanation struct {
	Package  string            `json:"package"` // krmsafe.admit or krmsafe.output
	Decision Decision          `json:"decision"`
	Reasons  []ExplainedReason `json:"reasons"`
	Warnings []ExplainedReason `json:"warnings"`
}

// ExplainedReason is a reason and where it comes from. Rules is empty for
// reasons of krmsafe's own, and has more than one entry where rules share an
// id.
type ExplainedReason struct {
	Reason
	Rules []ExplainedRule `json:"rules"`
}

// ExplainedRule is a rule that gives a reason.
type ExplainedRule struct {
	File        string `json:"file"`
	Row         int    `json:"row"`
	Rule        string `json:"rule"` // package and name
	Title       string `json:"title"`
	Description string `json:"description"`
	Facts       []Fact `json:"facts"`
}

// Fact is a part of the input that a rule reads, itself or over the rules and
// functions that it uses.
type Fact struct {
	Path  string `json:"path"`  // input.module.memory.minPages
	Value string `json:"value"` // as JSON, cut off after 200 bytes
}

const maxFactBytes = 200

// Explain judges a document of facts or of changes, as DecideJSON does, and
// says where each reason comes from. The rules are found by the ids of their
// reasons, in metadata or in the text; evaluation is not traced, so that what
// is explained is what was decided.
func (p *Policy) Explain(ctx context.Context, document []byte) (*Explanation, error) {
	e, normal, err := parseDocument(document)
	if err != nil {
		return nil, err
	}
	input, err := json.Marshal(normal)
	if err != nil {
		return nil, fmt.Errorf("writing the policy's input: %w", err)
	}
	decision, err := p.decide(ctx, e, normal)
	if err != nil {
		return nil, err
	}
	set, err := assemble(p.cfg)
	if err != nil {
		return nil, err
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(input))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("reading the policy's input: %w", err)
	}
	x := &explainer{modules: set.modules[e.pkg], input: value}
	return &Explanation{
		Package: e.pkg, Decision: decision, Reasons: x.explain(decision.Reasons), Warnings: x.explain(decision.Warnings),
	}, nil
}

type explainer struct {
	modules map[string]*ast.Module
	input   any
}

func (x *explainer) explain(reasons []Reason) []ExplainedReason {
	out := []ExplainedReason{}
	for _, r := range reasons {
		out = append(out, ExplainedReason{Reason: r, Rules: x.rules(r.ID)})
	}
	return out
}

// rules finds the rules that give reasons of an id.
func (x *explainer) rules(id string) []ExplainedRule {
	out := []ExplainedRule{}
	for _, file := range slices.Sorted(maps.Keys(x.modules)) {
		m := x.modules[file]
		for _, rule := range m.Rules {
			named, title, description := false, "", ""
			for _, a := range rule.Annotations {
				named = named || custom(a, "id") == id
				title, description = a.Title, oneLine(a.Description)
			}
			if !named && !mentions(rule, id) {
				continue
			}
			out = append(out, ExplainedRule{
				File: rule.Loc().File, Row: rule.Loc().Row, Rule: packageOf(m) + "." + headName(rule),
				Title: title, Description: description, Facts: x.facts(m, rule),
			})
		}
	}
	return out
}

// mentions reports whether a rule has id as a string of its own.
func mentions(rule *ast.Rule, id string) bool {
	found := false
	ast.WalkTerms(rule, func(term *ast.Term) bool {
		s, ok := term.Value.(ast.String)
		found = found || ok && string(s) == id
		return found
	})
	return found
}

// facts collects what a rule reads of the input, itself and over the rules of
// its package that it uses.
func (x *explainer) facts(m *ast.Module, rule *ast.Rule) []Fact {
	paths, seen, todo := map[string]bool{}, map[*ast.Rule]bool{}, []*ast.Rule{rule}
	for len(todo) > 0 {
		r := todo[0]
		todo = todo[1:]
		if seen[r] {
			continue
		}
		seen[r] = true
		used := map[string]bool{}
		ast.WalkTerms(r, func(term *ast.Term) bool {
			switch v := term.Value.(type) {
			case ast.Ref:
				if v[0].Equal(ast.InputRootDocument) {
					paths[strings.TrimSuffix("input."+constantPath(v[1:]), ".")] = true
				} else if name, ok := v[0].Value.(ast.Var); ok {
					used[string(name)] = true
				}
			case ast.Var:
				used[string(v)] = true
			}
			return false
		})
		for _, other := range m.Rules {
			if name := strings.Trim(other.Head.Ref()[0].String(), `"`); used[name] {
				todo = append(todo, other)
			}
		}
	}
	out := []Fact{}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		out = append(out, Fact{Path: path, Value: x.value(path)})
	}
	return out
}

func (x *explainer) value(path string) string {
	value := x.input
	for _, key := range strings.Split(path, ".")[1:] {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	text, err := json.Marshal(value)
	if err != nil { // cannot be: it came from JSON
		return ""
	}
	if len(text) > maxFactBytes {
		return strings.ToValidUTF8(string(text[:maxFactBytes]), "") + "…"
	}
	return string(text)
}
