package krmfilter

import "github.com/krmsafe/krmsafe/internal/pipeline"

// Result is one result that the function reported (KRM Functions Specification v1). Every text in it is the function's
// own, with values of Secrets masked: clean it before it goes to a terminal.
type Result struct {
	Severity string // error, warning or info; error where the function named none
	Message  string
	Resource ResourceRef // zero where the result names none
	Field    Field       // zero where the result names none
	File     string      // a claim of the function; nothing is opened by it
	Tags     map[string]string
}

// ResourceRef names the resource that a result is about.
type ResourceRef struct{ APIVersion, Kind, Namespace, Name string }

// Field is the part of a resource that a result is about. Values are written as YAML on one line.
type Field struct{ Path, CurrentValue, ProposedValue string }

func resultsOf(list []pipeline.Result) []Result {
	out := make([]Result, 0, len(list))
	for _, r := range list {
		out = append(out, Result{
			Severity: r.Severity, Message: r.Message, File: r.File, Tags: r.Tags, Resource: ResourceRef(r.Resource),
			Field: Field{Path: r.Field.Path, CurrentValue: r.Field.CurrentValue, ProposedValue: r.Field.ProposedValue},
		})
	}
	return out
}
