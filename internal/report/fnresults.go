package report

import (
	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// The parts of kpt's FunctionResultList, kpt.dev/v1, as kpt writes it to results.yaml.
type fnResultList struct {
	APIVersion string     `yaml:"apiVersion"`
	Kind       string     `yaml:"kind"`
	Metadata   fnMeta     `yaml:"metadata"`
	ExitCode   int        `yaml:"exitCode"`
	Items      []fnResult `yaml:"items"`
}

type fnMeta struct {
	Name string `yaml:"name"`
}

type fnResult struct {
	Image    string   `yaml:"image,omitempty"`
	Exec     string   `yaml:"exec,omitempty"`
	Stderr   string   `yaml:"stderr,omitempty"`
	ExitCode int      `yaml:"exitCode"`
	Results  []fnItem `yaml:"results,omitempty"`
}

type fnItem struct {
	Message  string            `yaml:"message"`
	Severity string            `yaml:"severity"`
	Resource *fnRef            `yaml:"resourceRef,omitempty"`
	Field    *fnField          `yaml:"field,omitempty"`
	File     *fnFile           `yaml:"file,omitempty"`
	Tags     map[string]string `yaml:"tags,omitempty"`
}

type fnRef struct {
	APIVersion string `yaml:"apiVersion,omitempty"`
	Kind       string `yaml:"kind,omitempty"`
	Name       string `yaml:"name,omitempty"`
	Namespace  string `yaml:"namespace,omitempty"`
}

type fnField struct {
	Path          string `yaml:"path,omitempty"`
	CurrentValue  string `yaml:"currentValue,omitempty"`
	ProposedValue string `yaml:"proposedValue,omitempty"`
}

type fnFile struct {
	Path string `yaml:"path,omitempty"`
}

// FunctionResults tells of functions as kpt does in results.yaml: what each reported, wrote to its standard error and
// ended with. What krmsafe itself refused, or could not judge, is a result of its own with the tag krmsafe.dev/code, so
// that whoever reads the file alone sees no success. names are the names to use in place of the modules' own, "" for
// none; there may be fewer than reports.
func FunctionResults(reports []*pipeline.Report, names []string, exitCode int) ([]byte, error) {
	list := fnResultList{
		APIVersion: "kpt.dev/v1", Kind: "FunctionResultList", Metadata: fnMeta{Name: "fnresults"}, ExitCode: exitCode, Items: []fnResult{},
	}
	for i, r := range reports {
		item := fnResult{Image: r.Function.Reference}
		if r.Function.Source == "file" {
			item.Image, item.Exec = "", r.Function.Reference
		}
		if i < len(names) && names[i] != "" {
			item.Image, item.Exec = names[i], ""
		}
		if r.Run != nil {
			item.Stderr, item.ExitCode = r.Run.Stderr, int(r.Run.ExitCode)
		}
		for _, res := range r.Results {
			item.Results = append(item.Results, fnItemOf(res))
		}
		if !r.Outcome.OK {
			if item.ExitCode == 0 {
				item.ExitCode = 1
			}
			item.Results = append(item.Results, fnItem{
				Message: "krmsafe: " + r.Outcome.Message, Severity: krm.SeverityError, Tags: map[string]string{"krmsafe.dev/code": r.Outcome.Code},
			})
		}
		list.Items = append(list.Items, item)
	}
	return krm.EncodeYAML(list)
}

func fnItemOf(r pipeline.Result) fnItem {
	item := fnItem{Message: r.Message, Severity: r.Severity}
	if r.Resource != (pipeline.ResourceRef{}) {
		item.Resource = &fnRef{APIVersion: r.Resource.APIVersion, Kind: r.Resource.Kind, Name: r.Resource.Name, Namespace: r.Resource.Namespace}
	}
	if r.Field != (pipeline.Field{}) {
		item.Field = &fnField{Path: r.Field.Path, CurrentValue: r.Field.CurrentValue, ProposedValue: r.Field.ProposedValue}
	}
	if r.File != "" {
		item.File = &fnFile{Path: r.File}
	}
	if len(r.Tags) > 0 {
		item.Tags = r.Tags
	}
	return item
}
