package report

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"strconv"
)

// checkResult is conftest's, key for key; info and ids in metadata come on top.
type checkResult struct {
	File      string        `json:"filename"`
	Namespace string        `json:"namespace"`
	Successes int           `json:"successes"`
	Skipped   []checkedRule `json:"skipped,omitempty"`
	Info      []checkedRule `json:"info,omitempty"`
	Warnings  []checkedRule `json:"warnings,omitempty"`
	Failures  []checkedRule `json:"failures,omitempty"`
}

type checkedRule struct {
	Message  string            `json:"msg"`
	Location *checkedPlace     `json:"loc,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

type checkedPlace struct {
	File string      `json:"file"`
	Line json.Number `json:"line"`
}

func (l Log) json(w io.Writer) error {
	out := []checkResult{}
	for _, g := range l.groups() {
		out = append(out, checkResult{
			File: g.subject, Namespace: g.name, Successes: len(g.of(StatusPass)),
			Skipped: checked(g.of(StatusSkip)), Info: checked(g.of(StatusNote)), Warnings: checked(g.of(StatusWarning)), Failures: checked(g.of(StatusFailure)),
		})
	}
	return WriteJSON(w, out)
}

func checked(findings []Finding) []checkedRule {
	out := make([]checkedRule, 0, len(findings))
	for _, f := range findings {
		r := checkedRule{Message: f.text(), Metadata: map[string]string{}}
		for key, value := range map[string]string{"id": f.Rule, "title": f.Title, "remedy": f.Remedy, "resource": f.Resource} {
			if value != "" {
				r.Metadata[key] = value
			}
		}
		if f.Row > 0 {
			r.Location = &checkedPlace{File: f.File, Line: json.Number(strconv.Itoa(f.Row))}
		}
		out = append(out, r)
	}
	return out
}

// The elements of a JUnit report, of which there is no standard, in the form
// that Jenkins, GitLab and GitHub's reporters read.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr,omitempty"`
	Line    int           `xml:"line,attr,omitempty"`
	Skipped *junitSkipped `xml:"skipped"`
	Failure *junitFailure `xml:"failure"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// junit writes a suite for each file, and a case for each finding. What warns
// does not fail: it is in the output of a case that passed.
func (l Log) junit(w io.Writer) error {
	out := junitSuites{Name: l.Command}
	index := map[string]int{}
	for _, f := range l.Findings {
		i, ok := index[f.subject()]
		if !ok {
			i = len(out.Suites)
			index[f.subject()] = i
			out.Suites = append(out.Suites, junitSuite{Name: f.subject(), Properties: []junitProperty{{"krmsafe.version", l.Program.Version}}})
		}
		s, c := &out.Suites[i], junitCase{Class: f.Group, Name: caseName(f), File: l.fileOf(f), Line: f.Row}
		text := f.Message
		if f.Remedy != "" {
			text += "\nremedy: " + f.Remedy
		}
		switch f.status() {
		case StatusSkip:
			c.Skipped = &junitSkipped{Message: f.Message}
			s.Skipped++
		case StatusFailure:
			c.Failure = &junitFailure{Message: f.Message, Type: f.Rule, Text: text}
			s.Failures++
		case StatusWarning, StatusNote:
			c.Out = string(f.status()) + ": " + text
		}
		s.Tests++
		s.Cases = append(s.Cases, c)
	}
	for _, s := range out.Suites {
		out.Tests, out.Failures, out.Skipped = out.Tests+s.Tests, out.Failures+s.Failures, out.Skipped+s.Skipped
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func caseName(f Finding) string {
	name := f.Rule
	if f.Resource != "" {
		name += " " + f.Resource
	}
	return name
}
