package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/policy"
)

// Explanation writes a decision for a person: each reason with the rule that gives
// it, the facts that the rule reads and the remedy, and what the policy grants.
// name is what the operator calls the policy.
func Explanation(w io.Writer, e *policy.Explanation, name string) error {
	p := &printer{w: w}
	d := e.Decision
	verdict := "refuses"
	if d.Allow {
		verdict = "allows"
	}
	p.line("%s by policy %s (%s) %s", e.Package, plain.Line(name), short(d.Policy), verdict)
	for _, r := range e.Reasons {
		p.explained("refused", r)
	}
	for _, r := range e.Warnings {
		p.explained("warning", r)
	}
	if d.Allow && e.Package == "krmsafe.admit" {
		p.granted(d)
	}
	return p.err
}

func (p *printer) explained(word string, r policy.ExplainedReason) {
	p.line("\n%s: %s: %s", word, plain.Line(r.ID), plain.Line(r.Message))
	switch {
	case len(r.Rules) > 0:
	case strings.HasPrefix(r.ID, "policy."):
		p.line("  rule    krmsafe's own: the policy did not answer as it must")
	default:
		p.line("  rule    not found: no rule has this id in its metadata or its text")
	}
	for _, rule := range r.Rules {
		text := fmt.Sprintf("%s at %s:%d", rule.Rule, rule.File, rule.Row)
		if rule.Title != "" {
			text += ": " + rule.Title
		}
		p.line("  rule    %s", plain.Line(text))
		for _, fact := range rule.Facts {
			p.line("  fact    %s", plain.Line(fact.Path+" = "+fact.Value))
		}
	}
	if r.Remedy != "" {
		p.line("  remedy  %s", plain.Line(r.Remedy))
	}
}

// granted says what a run would get.
func (p *printer) granted(d policy.Decision) {
	l := d.Limits
	p.line("\nlimits")
	p.line("  memory   %d pages (%s), %d table entries, %d nested calls", l.MemoryPages, bytesText(int64(l.MemoryPages)<<16), l.TableElements, l.CallDepth)
	p.line("  fuel     %d units", l.Fuel)
	p.line("  time     %s, of which %s to compile, in %s", l.Timeout, l.CompileTimeout, bytesText(l.CompileBytes))
	p.line("  output   %s, and %s on standard error", bytesText(l.OutputBytes), bytesText(l.StderrBytes))
	p.line("grants     clock %s, random numbers %s", yes(d.Grants.Clock), yes(d.Grants.Random))
	p.line("engine     %s", plain.Line(d.Engine))
	p.line("jail       %s at least", plain.Line(d.Jail))
	p.line("view       %s%s%s", secretsSeen(d.View.Secrets), selected(", only", d.View.Match), selected(", not", d.View.Exclude))
	p.line("changes    %s", list(cleaned(d.Changes.Only), "none"))
	for _, grant := range []struct {
		what  string
		kinds []policy.KindGrant
	}{{"add", d.Changes.Add}, {"remove", d.Changes.Remove}, {"change, though protected,", d.Changes.Protected}} {
		if len(grant.kinds) == 0 {
			continue
		}
		var names []string
		for _, k := range grant.kinds {
			names = append(names, kindName(k.Group, k.Kind))
		}
		p.line("  may %s %s", grant.what, strings.Join(names, " "))
	}
	for _, f := range d.Changes.Fields {
		p.line("  may change the field %s of %s", plain.Line(f.Pointer), kindName(f.Group, f.Kind))
	}
}

func secretsSeen(word string) string {
	switch word {
	case policy.SecretsHidden:
		return "no Secrets"
	case policy.SecretsValues:
		return "Secrets with their values"
	default:
		return "placeholders for the values of Secrets"
	}
}

func kindName(group, kind string) string {
	if group == "" {
		return plain.Line(kind)
	}
	return plain.Line(group + "/" + kind)
}

func cleaned(items []string) []string {
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = plain.Line(item)
	}
	return out
}

func selected(word string, selectors []policy.Selector) string {
	if len(selectors) == 0 {
		return ""
	}
	return fmt.Sprintf("%s what %s", word, fits(len(selectors)))
}

func fits(n int) string {
	if n == 1 {
		return "1 selector fits"
	}
	return fmt.Sprintf("one of %d selectors fits", n)
}

func yes(b bool) string {
	if b {
		return "granted"
	}
	return "fixed"
}
