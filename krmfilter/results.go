package krmfilter

import "github.com/krmsafe/krmsafe/internal/pipeline"

// Result is one result that the function reported (KRM Functions Specification v1). Every text in it is the function's
// own, with values of Secrets masked: clean it before it goes to a terminal.
type Result struct {
	// Severity is error, warning or info. Where the function named none it is error for a validator and for a function that
	// failed, and info for any other: a run that ends well is a success (see case results-unstated of docs/conformance.md).
	Severity string
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
