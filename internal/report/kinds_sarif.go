package report

import (
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/owenrumney/go-sarif/v2/sarif"

	"github.com/krmsafe/krmsafe/internal/lazy"
)

const (
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	projectURL  = "https://github.com/krmsafe/krmsafe"
)

// semver is a version that SARIF's semanticVersion may hold.
var semver = lazy.Regexp(`^v(\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?)$`)

// sarif writes SARIF 2.1.0: a rule for each id, a result for all that warns or
// fails, and how the program ended. What passed is no result: GitHub would show
// it as an alert.
func (l Log) sarif(w io.Writer) error {
	driver := &sarif.ToolComponent{
		Name: "krmsafe", Version: &l.Program.Version, InformationURI: pointer(projectURL), Rules: []*sarif.ReportingDescriptor{},
	}
	if m := semver().FindStringSubmatch(l.Program.Version); m != nil {
		driver.SemanticVersion = &m[1]
	}
	run := &sarif.Run{Tool: sarif.Tool{Driver: driver}, Results: []*sarif.Result{}, ColumnKind: "unicodeCodePoints"}
	index := map[string]int{}
	for _, f := range l.Findings {
		level, ok := sarifLevels[f.status()]
		if !ok {
			continue
		}
		i, known := index[f.Rule]
		if !known {
			i = len(driver.Rules)
			index[f.Rule] = i
			driver.Rules = append(driver.Rules, sarifRule(f))
		}
		run.Results = append(run.Results, l.sarifResult(f, level, i))
	}
	run.Invocations = []*sarif.Invocation{{
		ExecutionSuccessful: pointer(l.ExitCode == 0), ExitCode: &l.ExitCode, ExitCodeDescription: pointer(ExitClass(l.ExitCode)),
	}}
	return WriteJSON(w, &sarif.Report{Version: string(sarif.Version210), Schema: sarifSchema, Runs: []*sarif.Run{run}})
}

var sarifLevels = map[Status]string{StatusFailure: "error", StatusWarning: "warning", StatusNote: "note"}

func sarifRule(f Finding) *sarif.ReportingDescriptor {
	title := f.Title
	if title == "" {
		title = f.Rule
	}
	rule := &sarif.ReportingDescriptor{ID: f.Rule, ShortDescription: &sarif.MultiformatMessageString{Text: &title}}
	if f.Remedy != "" {
		rule.Help = &sarif.MultiformatMessageString{Text: pointer(f.Remedy)}
	}
	return rule
}

func (l Log) sarifResult(f Finding, level string, rule int) *sarif.Result {
	text := f.Message
	if text == "" {
		text = f.Rule
	}
	if f.Remedy != "" {
		text += " Remedy: " + f.Remedy
	}
	result := &sarif.Result{RuleID: &f.Rule, RuleIndex: pointer(uint(rule)), Level: &level, Message: sarif.Message{Text: &text}}
	location := &sarif.Location{}
	if file := l.fileOf(f); file != "" {
		location.PhysicalLocation = &sarif.PhysicalLocation{ArtifactLocation: &sarif.ArtifactLocation{URI: pointer(uri(file))}}
		if f.Row > 0 {
			location.PhysicalLocation.Region = &sarif.Region{StartLine: &f.Row}
			if f.Column > 0 {
				location.PhysicalLocation.Region.StartColumn = &f.Column
			}
		}
	}
	if f.Resource != "" {
		location.LogicalLocations = []*sarif.LogicalLocation{{FullyQualifiedName: &f.Resource, Kind: pointer("resource")}}
	}
	if location.PhysicalLocation != nil || location.LogicalLocations != nil {
		result.Locations = []*sarif.Location{location}
	}
	return result
}

// uri is a path as a relative reference, whatever is in it: no foreign path
// becomes a scheme or a host.
func uri(path string) string {
	path = filepath.ToSlash(path)
	if strings.HasPrefix(path, "//") {
		path = "/" + strings.TrimLeft(path, "/")
	}
	return (&url.URL{Path: path}).String()
}

func pointer[T any](v T) *T { return &v }
