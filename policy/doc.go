package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// PackageDoc is what a policy's metadata says of one package.
type PackageDoc struct {
	Package     string    `json:"package"`
	Title       string    `json:"title"`
	Description string    `json:"description"`
	Rules       []RuleDoc `json:"rules"` // in the order of the files
}

// RuleDoc is what metadata says of one rule. Rules without metadata and rules
// whose names start with an underscore, unless they give a reason, are left
// out.
type RuleDoc struct {
	Name        string `json:"name"` // with its arguments, if it is a function
	File        string `json:"file"`
	Row         int    `json:"row"`
	Title       string `json:"title"`
	Description string `json:"description"`
	ID          string `json:"id"` // id of the reason it gives, or empty
	Remedy      string `json:"remedy"`
}

// Doc renders the metadata of sources, tests left out. It parses and does not
// compile; the error is a *CompileError or a *LoadError.
func Doc(sources []Source) ([]PackageDoc, error) {
	modules, err := parse(withoutTests(sources))
	if err != nil {
		return nil, err
	}
	packages := map[string]*PackageDoc{}
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		m := modules[file]
		name := packageOf(m)
		if packages[name] == nil {
			packages[name] = &PackageDoc{Package: name, Rules: []RuleDoc{}}
		}
		p := packages[name]
		for _, a := range m.Annotations {
			if a.Scope == "package" && p.Title == "" {
				p.Title, p.Description = a.Title, oneLine(a.Description)
			}
		}
		for _, rule := range m.Rules {
			if doc, ok := ruleDoc(rule); ok {
				p.Rules = append(p.Rules, doc)
			}
		}
	}
	out := []PackageDoc{}
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		out = append(out, *packages[name])
	}
	return out, nil
}

func ruleDoc(rule *ast.Rule) (RuleDoc, bool) {
	for _, a := range rule.Annotations {
		doc := RuleDoc{
			Name: headName(rule), File: rule.Loc().File, Row: rule.Loc().Row, Title: a.Title, Description: oneLine(a.Description),
			ID: custom(a, "id"), Remedy: custom(a, "remedy"),
		}
		return doc, doc.ID != "" || !strings.HasPrefix(doc.Name, "_")
	}
	return RuleDoc{}, false
}

func headName(rule *ast.Rule) string {
	name := strings.Trim(rule.Head.Ref()[0].String(), `"`)
	if len(rule.Head.Args) == 0 {
		return name
	}
	var args []string
	for _, arg := range rule.Head.Args {
		args = append(args, arg.String())
	}
	return fmt.Sprintf("%s(%s)", name, strings.Join(args, ", "))
}

func custom(a *ast.Annotations, key string) string {
	s, _ := a.Custom[key].(string)
	return oneLine(s)
}

// Markdown renders packages as one document, the rules of each in a table.
func Markdown(packages []PackageDoc) []byte {
	var b strings.Builder
	for _, p := range packages {
		fmt.Fprintf(&b, "## %s\n\n`data.%s`", cmp.Or(p.Title, p.Package), p.Package)
		if p.Description != "" {
			fmt.Fprintf(&b, ": %s", p.Description)
		}
		b.WriteString("\n\n")
		if len(p.Rules) == 0 {
			continue
		}
		b.WriteString("| rule | what it says | reason | remedy |\n|---|---|---|---|\n")
		for _, r := range p.Rules {
			what := strings.TrimSuffix(r.Title, ".")
			if r.Description != "" {
				what += ". " + r.Description
			}
			reason := ""
			if r.ID != "" {
				reason = "`" + r.ID + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.Name, cell(what), reason, cell(r.Remedy))
		}
		b.WriteString("\n")
	}
	return []byte(b.String())
}

// cell keeps text inside its cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(s)
}
