package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
)

// Markdown writes r as a summary for a pull request or a job page: how it ended,
// what ran under which terms, what it changed, and what there is to mend.
func Markdown(w io.Writer, r *pipeline.Report, o Origin) error {
	p := &printer{w: w}
	verdict := "passed"
	switch {
	case !r.Outcome.OK:
		verdict = ExitClass(r.ExitCode)
	case r.Outcome.Waived:
		verdict = "passed, because refusals were waived"
	}
	p.line("## krmsafe: %s\n", verdict)
	p.line("| | |\n|---|---|")
	row := func(name, value string) {
		if value != "" {
			p.line("| %s | %s |", name, value)
		}
	}
	row("function", code(r.Function.Reference))
	row("module", code(r.Function.ModuleDigest))
	for _, s := range r.Signatures {
		row("signed by", code(Signer(s)))
	}
	row("policy", strings.TrimSpace(code(r.Policy.Name)+" "+code(r.Policy.Digest)))
	if e := r.Run; e != nil {
		row("ran", fmt.Sprintf("%s, %s, jail %s, %d of %d memory pages, %d of %d units of fuel",
			roundDuration(e.Wall), code(e.Engine), code(jail(e.Jail)), e.MemoryPages, r.Policy.Limits.MemoryPages, e.Fuel, r.Policy.Limits.Fuel))
	}
	row("saw", view(r.View))
	if r.Check != nil {
		row("changes", code(Changed(r.Summary)))
	}
	if !r.Outcome.OK {
		row("ended at", string(r.Outcome.Stage)+" with "+code(r.Outcome.Code)+": "+code(r.Outcome.Message))
	}
	p.line("")
	RunLog(r, o).clean().markdown(p)
	return p.err
}

// markdown is a table of all that did not pass.
func (l Log) markdown(p *printer) {
	heads := false
	for _, f := range l.Findings {
		if f.status() == StatusPass {
			continue
		}
		if !heads {
			p.line("| result | where | rule | message | remedy |\n|---|---|---|---|---|")
			heads = true
		}
		where := f.place()
		if f.Resource != "" {
			where = f.Resource
		}
		p.line("| %s | %s | %s | %s | %s |", f.status(), code(where), code(f.Rule), code(f.Message), code(f.Remedy))
	}
	if heads {
		p.line("")
	}
	p.line("%s", l.total())
	for _, note := range l.Notes {
		p.line("\n%s", code(note))
	}
}

// code puts foreign text into a code span that fits a cell of a table: in it
// nothing is HTML, a link, an image or a mention, and it cannot leave it. See
// TestMarkdownIsNotPlanted.
func code(s string) string {
	s = strings.TrimSpace(plain.Line(s))
	if s == "" {
		return ""
	}
	return "`" + strings.NewReplacer("`", "'", "|", "¦").Replace(s) + "`"
}
