package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// words are conftest's for a status.
var words = map[Status]string{
	StatusPass: "PASS", StatusSkip: "SKIP", StatusNote: "INFO", StatusWarning: "WARN", StatusFailure: "FAIL",
}

// stdout is conftest's format for people: a line for all that did not pass, and
// the sum.
func (l Log) stdout(p *printer) {
	for _, f := range l.Findings {
		if f.status() == StatusPass {
			continue
		}
		p.line("%s - %s - %s - %s", words[f.status()], f.place(), f.Group, f.text())
		if f.Remedy != "" {
			p.line("       remedy: %s", f.Remedy)
		}
	}
	p.line("\n%s", l.total())
	for _, note := range l.Notes {
		p.line("%s", note)
	}
}

// table is conftest's table, a row for every finding.
func (l Log) table(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	t := &table{w: tw}
	t.cells("RESULT", "FILE", "NAMESPACE", "MESSAGE")
	for _, f := range l.Findings {
		t.cells(string(f.status()), f.place(), f.Group, f.text())
	}
	if t.err == nil {
		t.err = tw.Flush()
	}
	return t.err
}

func (t *table) cells(cells ...string) {
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.w, strings.Join(cells, "\t"))
	}
}

// tap is the Test Anything Protocol. A warning is a test that is not ok and
// marked as TODO, which consumers show and do not count.
func (l Log) tap(p *printer) {
	p.line("TAP version 13\n1..%d", len(l.Findings))
	for i, f := range l.Findings {
		name := tapText(fmt.Sprintf("%s - %s - %s", f.subject(), f.Group, f.text()))
		switch f.status() {
		case StatusPass:
			p.line("ok %d - %s", i+1, name)
		case StatusNote:
			p.line("ok %d - %s", i+1, name)
		case StatusSkip:
			p.line("ok %d - %s # SKIP", i+1, name)
		case StatusWarning:
			p.line("not ok %d - %s # TODO a warning", i+1, name)
		default:
			p.line("not ok %d - %s", i+1, name)
		}
		if f.Remedy != "" {
			p.line("# remedy: %s", f.Remedy)
		}
	}
	for _, note := range l.Notes {
		p.line("# %s", note)
	}
}

// tapText keeps foreign text from ending a description with a directive: a
// failure named "x # TODO" would not count. See TestTAPDirectiveIsNotPlanted.
func tapText(s string) string { return strings.ReplaceAll(s, "#", `\x23`) }
