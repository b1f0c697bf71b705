package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/krmsafe/krmsafe/internal/plain"
)

// Status is what came of one thing that was looked at.
type Status string

// The statuses of a Finding. The zero Status is none of them; it counts as a
// failure.
const (
	StatusPass    Status = "success"
	StatusSkip    Status = "skipped"
	StatusNote    Status = "info"
	StatusWarning Status = "warning"
	StatusFailure Status = "failure"
)

// A Finding is one thing that was looked at: a test, a stage of a run, a result
// of a function, a complaint of the compiler. Its texts may be foreign; every
// format cleans them.
type Finding struct {
	Subject  string // what was judged, such as a module's reference; the file where it is empty
	File     string // the file that it is about, or empty
	Row      int    // in that file, from 1; 0 where it is about the whole
	Column   int
	Group    string // conftest's namespace: a Rego package, or a stage of a run
	Rule     string // stable id of what was looked for, or the name of a test
	Title    string // what the rule says, for a person
	Status   Status
	Message  string
	Remedy   string
	Resource string // the Kubernetes resource that it is about, or empty
}

// A Log is everything that one command looked at. It is the common form behind
// the formats of Kinds.
type Log struct {
	Program  Program
	Command  string // such as krmsafe policy test
	ExitCode int
	// Location is the file of the user's that findings without a file of their
	// own are shown at, or empty.
	Location string
	Findings []Finding
	// Notes are lines for people, such as the coverage of tests.
	Notes []string
}

// Kinds are the formats of a Log: conftest's names, and Markdown.
func Kinds() []string {
	return []string{"stdout", "json", "tap", "table", "junit", "github", "azuredevops", "sarif", "markdown"}
}

// Write writes l in the format of a kind.
func (l Log) Write(w io.Writer, kind string) error {
	l = l.clean()
	p := &printer{w: w}
	switch kind {
	case "stdout":
		l.stdout(p)
	case "table":
		return l.table(w)
	case "tap":
		l.tap(p)
	case "github":
		l.github(p)
	case "azuredevops":
		l.azure(p)
	case "markdown":
		l.markdown(p)
	case "json":
		return l.json(w)
	case "junit":
		return l.junit(w)
	case "sarif":
		return l.sarif(w)
	default:
		return fmt.Errorf("unknown kind of output %q", kind)
	}
	return p.err
}

// clean makes every text safe to show, in one place: no format sees another.
func (l Log) clean() Log {
	l.Location = plain.Line(l.Location)
	l.Findings = slices.Clone(l.Findings)
	for i := range l.Findings {
		f := &l.Findings[i]
		for _, text := range []*string{&f.Subject, &f.File, &f.Group, &f.Rule, &f.Title, &f.Message, &f.Remedy, &f.Resource} {
			*text = plain.Line(*text)
		}
	}
	l.Notes = slices.Clone(l.Notes)
	for i := range l.Notes {
		l.Notes[i] = plain.Line(l.Notes[i])
	}
	return l
}

// group is what conftest calls a check result: the findings on one subject in
// one namespace.
type group struct {
	subject, name string
	findings      []Finding
}

// groups keeps the order in which subjects and namespaces first appear.
func (l Log) groups() []group {
	var out []group
	for _, f := range l.Findings {
		i := slices.IndexFunc(out, func(g group) bool { return g.subject == f.subject() && g.name == f.Group })
		if i < 0 {
			i = len(out)
			out = append(out, group{subject: f.subject(), name: f.Group})
		}
		out[i].findings = append(out[i].findings, f)
	}
	return out
}

// of picks the findings of a status.
func (g group) of(s Status) []Finding {
	return slices.DeleteFunc(slices.Clone(g.findings), func(f Finding) bool { return f.status() != s })
}

// status takes what is no status for a failure.
func (f Finding) status() Status {
	switch f.Status {
	case StatusPass, StatusSkip, StatusNote, StatusWarning:
		return f.Status
	default:
		return StatusFailure
	}
}

// text is the message with what was looked for.
func (f Finding) text() string {
	switch {
	case f.Message == "" || f.Message == f.Rule:
		return f.Rule
	case f.Rule == "":
		return f.Message
	default:
		return f.Rule + ": " + f.Message
	}
}

// subject is what was judged.
func (f Finding) subject() string {
	if f.Subject != "" {
		return f.Subject
	}
	return f.File
}

// place is the file with the row, as compilers write it, or else the subject.
func (f Finding) place() string {
	switch {
	case f.File == "":
		return f.Subject
	case f.Row > 0:
		return fmt.Sprintf("%s:%d", f.File, f.Row)
	default:
		return f.File
	}
}

// total sums up as conftest does.
func (l Log) total() string {
	n := map[Status]int{}
	for _, f := range l.Findings {
		n[f.status()]++
	}
	text := fmt.Sprintf("%s, %d passed, %s, %s", count(len(l.Findings), "test"), n[StatusPass], count(n[StatusWarning], "warning"), count(n[StatusFailure], "failure"))
	if n[StatusSkip] > 0 {
		text += fmt.Sprintf(", %d skipped", n[StatusSkip])
	}
	if n[StatusNote] > 0 {
		text += fmt.Sprintf(", %d info", n[StatusNote])
	}
	return text
}
