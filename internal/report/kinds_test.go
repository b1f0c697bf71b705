package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

var origin = report.Origin{Program: report.Program{Version: "v1.2.3"}, Location: "set-labels.yaml"}

// evil is what a function might say to write into a CI log.
const evil = "\x1b[31m]]></failure>\n::error::owned\n##[command]owned # TODO | `<img src=x>` @everybody \u202e"

// ran is a run that went well, with results and a warning.
func ran() *pipeline.Report {
	r := pipeline.NewReport()
	r.Outcome = pipeline.Outcome{OK: true, Stage: pipeline.StageDone}
	r.ExitCode = 0
	r.Function = pipeline.Function{Source: "registry", Reference: "ghcr.io/acme/set-labels:v1", ModuleDigest: "sha256:2222", Role: "transformer"}
	r.Signatures = []pipeline.Signature{{Authority: "key", Type: "key", KeyID: "sha256:1111"}}
	r.Policy.Name, r.Policy.Digest, r.Policy.Allow = "org.rego", "sha256:3333", true
	r.Policy.Limits = pipeline.Limits{MemoryPages: 512, Fuel: 1000}
	r.Run = &pipeline.Execution{Engine: "compiler", MemoryPages: 17, Fuel: 99, Wall: 12 * time.Millisecond}
	r.Check = &pipeline.Check{Allow: true, Reasons: []pipeline.Reason{}}
	r.Summary.Changed, r.Summary.Fields = 1, 2
	r.Warnings = []pipeline.Warning{{Stage: pipeline.StageRun, ID: "jail.incomplete", Message: "not confined by landlock", Remedy: "run on Linux 6.12"}}
	r.Results = []pipeline.Result{
		{Severity: "error", Message: evil, Resource: pipeline.ResourceRef{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "web"}, File: "apps/web.yaml", Field: pipeline.Field{Path: "spec.replicas", ProposedValue: "3"}},
		{Severity: "warning", Message: "no limits", File: "apps/web.yaml"},
		{Severity: "info", Message: "looked at 3 resources"},
	}
	return r
}

// refused is a run that a policy refused.
func refused() *pipeline.Report {
	r := pipeline.NewReport()
	r.Outcome = pipeline.Outcome{Stage: pipeline.StageDecide, Code: "policy.denied", Message: "policy org.rego does not allow fn.wasm"}
	r.ExitCode = pipeline.ExitRefused
	r.Function = pipeline.Function{Source: "file", Reference: "fn.wasm"}
	r.Policy.Reasons = []pipeline.Reason{
		{ID: "limits.memory", Message: "the module starts with 9000 pages and may have 8192", Remedy: "raise limits.memoryPages in the policy"},
		{ID: "org.evil", Message: evil, Remedy: evil},
	}
	return r
}

// failed is a run that could not be judged.
func failed() *pipeline.Report {
	r := pipeline.NewReport()
	r.Outcome = pipeline.Outcome{Stage: pipeline.StageError, Code: "registry.unavailable", Message: "fetching ghcr.io/acme/fn: 503"}
	r.ExitCode = pipeline.ExitError
	return r
}

var runs = map[string]func() *pipeline.Report{"ran": ran, "refused": refused, "failed": failed}

var formats = map[string]func(io.Writer, *pipeline.Report, report.Origin) error{
	"junit.xml": report.JUnit, "sarif.json": report.SARIF, "github.txt": report.GitHub, "tap.txt": report.TAP, "markdown.md": report.Markdown,
}

func TestRunKinds(t *testing.T) {
	for name, run := range runs {
		for format, write := range formats {
			t.Run(name+"."+format, func(t *testing.T) {
				var b bytes.Buffer
				if err := write(&b, run(), origin); err != nil {
					t.Fatal(err)
				}
				golden(t, "run-"+name+"."+format, b.Bytes())
			})
		}
	}
}

// tested is a log as krmsafe policy test makes it.
func tested() report.Log {
	return report.Log{
		Program: report.Program{Version: "v1.2.3"}, Command: "krmsafe policy test", ExitCode: pipeline.ExitRefused,
		Findings: []report.Finding{
			{File: "policy/admit_test.rego", Row: 3, Group: "krmsafe.admit_test", Rule: "test_signed", Status: report.StatusPass},
			{File: "policy/admit_test.rego", Row: 9, Group: "krmsafe.admit_test", Rule: "test_unsigned", Status: report.StatusFailure, Message: "undefined"},
			{File: "policy/admit_test.rego", Row: 12, Column: 3, Group: "krmsafe.admit_test", Rule: "test_later", Status: report.StatusSkip},
			{File: "policy/admit.rego", Row: 20, Group: "coverage", Rule: "coverage.missing", Status: report.StatusWarning, Message: "no test evaluates this line"},
			{File: evil, Group: evil, Rule: evil, Message: evil, Remedy: evil, Resource: evil},
		},
		Notes: []string{"coverage 93.1 %"},
	}
}

func TestLogKinds(t *testing.T) {
	for _, kind := range report.Kinds() {
		t.Run(kind, func(t *testing.T) {
			var b bytes.Buffer
			if err := tested().Write(&b, kind); err != nil {
				t.Fatal(err)
			}
			golden(t, "log-"+kind+".txt", b.Bytes())
		})
	}
	if err := tested().Write(io.Discard, "yaml"); err == nil {
		t.Error("an unknown kind is written")
	}
}

// outputs are all that can be written of foreign text.
func outputs(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, kind := range report.Kinds() {
		var b bytes.Buffer
		if err := tested().Write(&b, kind); err != nil {
			t.Fatal(err)
		}
		out["log "+kind] = b.String()
	}
	for name, run := range runs {
		for format, write := range formats {
			var b bytes.Buffer
			if err := write(&b, run(), origin); err != nil {
				t.Fatal(err)
			}
			out[name+" "+format] = b.String()
		}
	}
	return out
}

// No format lets foreign text reach a terminal as an escape, or a CI system as a
// command of the function's own.
func TestForeignTextIsNoCommand(t *testing.T) {
	for name, text := range outputs(t) {
		if strings.ContainsAny(text, "\x1b\u202e") || strings.Contains(text, "##[command]") {
			t.Errorf("%s holds an escape or a command:\n%s", name, text)
		}
		for line := range strings.SplitSeq(text, "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "::error::owned") {
				t.Errorf("%s holds a line of the function's own: %q", name, line)
			}
		}
	}
}

// A failure whose text ends in a directive stays a failure.
func TestTAPDirectiveIsNotPlanted(t *testing.T) {
	l := report.Log{Findings: []report.Finding{{Subject: "f # SKIP", Rule: "r", Message: "bad # TODO later"}}}
	var b bytes.Buffer
	if err := l.Write(&b, "tap"); err != nil {
		t.Fatal(err)
	}
	line := strings.Split(b.String(), "\n")[2]
	if !strings.HasPrefix(line, "not ok 1 ") || strings.Contains(line, "#") {
		t.Errorf("TAP line is %q", line)
	}
}

// Foreign text stays in its code span and its cell.
func TestMarkdownIsNotPlanted(t *testing.T) {
	l := report.Log{Findings: []report.Finding{{File: "f", Rule: "r", Message: "` | <img src=x> | [a](b) \\"}}}
	var b bytes.Buffer
	if err := l.Write(&b, "markdown"); err != nil {
		t.Fatal(err)
	}
	line := strings.Split(b.String(), "\n")[2]
	if n := strings.Count(line, "|"); n != 6 {
		t.Errorf("row %q has %d bars, want 6", line, n)
	}
	if n := strings.Count(line, "`"); n != 6 {
		t.Errorf("row %q has %d backquotes, want 6", line, n)
	}
}

// XML and JSON that are written can be read, and say the same.
func TestDataKindsAreWellFormed(t *testing.T) {
	for name, text := range outputs(t) {
		switch {
		case strings.Contains(name, "json") || strings.Contains(name, "sarif"):
			if !json.Valid([]byte(text)) {
				t.Errorf("%s is not JSON:\n%s", name, text)
			}
		case strings.Contains(name, "junit"):
			var suites struct {
				Failures int `xml:"failures,attr"`
				Cases    []struct {
					Failure *struct{} `xml:"failure"`
				} `xml:"testsuite>testcase"`
			}
			if err := xml.Unmarshal([]byte(text), &suites); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			n := 0
			for _, c := range suites.Cases {
				if c.Failure != nil {
					n++
				}
			}
			if n == 0 || n != suites.Failures {
				t.Errorf("%s has %d failures and says %d", name, n, suites.Failures)
			}
		}
	}
}

// A path that a function names is never a scheme or a host to SARIF.
func TestSARIFPathIsNoURL(t *testing.T) {
	for _, path := range []string{"javascript:alert(1)", "//evil.example/x", "https://evil.example/x", `\\evil\x`, "a b#c?d", "../x"} {
		l := report.Log{Findings: []report.Finding{{File: path, Row: 1, Rule: "r"}}}
		var b bytes.Buffer
		if err := l.Write(&b, "sarif"); err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Runs []struct {
				Results []struct {
					Locations []struct {
						PhysicalLocation struct {
							ArtifactLocation struct{ URI string }
						}
					}
				}
			}
		}
		if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		got := doc.Runs[0].Results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI
		if i := strings.IndexAny(got, ":/"); strings.HasPrefix(got, "//") || i >= 0 && got[i] == ':' || strings.ContainsAny(got, " #?") {
			t.Errorf("path %q is %q", path, got)
		}
	}
}
