package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/report"
)

// ours are the lines of CI systems' commands that a log of one failure and one
// pass may hold.
var ours = regexp.MustCompile(`^(::group::|::error |::endgroup::$|##\[group\]|##\[endgroup\]$|##vso\[task\.logissue type=error;)`)

// FuzzLog: whatever a finding says, each format stays what it is. Data can be
// read, lines are as many as findings ask for, and commands are krmsafe's own.
func FuzzLog(f *testing.F) {
	f.Add(evil, "policy/a.rego", 3)
	f.Add("x\n::error::y\r##vso[task.setvariable]z", "a;b]c", -1)
	f.Add("# SKIP", "`|`", 0)
	f.Add("\xff\x00", "//evil.example/x", 1<<40)
	f.Fuzz(func(t *testing.T, text, file string, row int) {
		l := report.Log{Command: "krmsafe policy test", Findings: []report.Finding{
			{Subject: text, File: file, Row: row, Group: text, Rule: text, Title: text, Message: text, Remedy: text, Resource: text},
			{Subject: text, Group: text, Rule: "second", Status: report.StatusPass},
		}}
		for _, kind := range report.Kinds() {
			var b bytes.Buffer
			if err := l.Write(&b, kind); err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			holds(t, kind, b.String())
		}
	})
}

func holds(t *testing.T, kind, text string) {
	t.Helper()
	if strings.ContainsAny(text, "\x1b\r\x00\u202e") {
		t.Errorf("%s holds a control character: %q", kind, text)
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for _, line := range lines {
		line = strings.TrimLeft(line, " ")
		if (strings.HasPrefix(line, "::") || strings.Contains(line, "##[") || strings.Contains(line, "##vso")) && !ours.MatchString(line) {
			t.Errorf("%s holds a command that is not ours: %q", kind, line)
		}
	}
	count := func(prefix string) int {
		n := 0
		for _, line := range lines {
			if strings.HasPrefix(line, prefix) {
				n++
			}
		}
		return n
	}
	switch kind {
	case "json", "sarif":
		if !json.Valid([]byte(text)) {
			t.Errorf("%s is not JSON: %q", kind, text)
		}
	case "junit":
		d := xml.NewDecoder(strings.NewReader(text))
		failures := 0
		for {
			token, err := d.Token()
			if err == io.EOF { //nolint:errorlint // Token returns it as it is
				break
			}
			if err != nil {
				t.Fatalf("junit is not XML: %v", err)
			}
			if start, ok := token.(xml.StartElement); ok && start.Name.Local == "failure" {
				failures++
			}
		}
		if failures != 1 {
			t.Errorf("junit has %d failures, want 1:\n%s", failures, text)
		}
	case "tap":
		if count("not ok ") != 1 || count("ok ") != 1 || strings.Contains(lines[2], "#") {
			t.Errorf("TAP does not say one failure and one pass:\n%s", text)
		}
	case "github":
		if count("::error ") != 1 {
			t.Errorf("github has %d errors, want 1:\n%s", count("::error "), text)
		}
	case "azuredevops":
		if count("##vso[") != 1 {
			t.Errorf("azuredevops has %d issues, want 1:\n%s", count("##vso["), text)
		}
	case "markdown":
		if strings.Count(lines[2], "|") != 6 {
			t.Errorf("markdown row has other than 5 cells: %q", lines[2])
		}
	}
}
