package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
)

// The words of --results.
const (
	resultsAuto   = "auto"
	resultsStderr = "stderr"
	resultsList   = "list"
	resultsBoth   = "both"
)

// sayResults chooses where results go. kustomize drops those of a ResourceList, so
// a person must see them on standard error; kpt shows them itself, and would show
// them twice. kustomize's functionConfig names a program, and kpt's resources name
// their package.
func (f *execFlags) sayResults(list *krm.ResourceList) {
	if f.results == resultsAuto {
		switch {
		case krm.NamesProgram(list.FunctionConfig):
			f.results = resultsStderr
		case f.byKpt || list.Packaged():
			f.results = resultsList
		default:
			f.results = resultsBoth
		}
	}
	f.report.brief = true
	f.report.noResults = f.results == resultsList
}

// product is what the client gets of a run that went well.
func (w *wrapped) product() (func() error, error) {
	list := *w.rep.Emit
	if w.flags.results == resultsStderr {
		list.Results = nil
	}
	data, err := list.Encode()
	if err != nil {
		return nil, fmt.Errorf("writing the output: %w", err)
	}
	return func() error { w.begun = true; return w.app.deliver(data) }, nil
}

// refuse writes the resources as they came, with what the function reported and
// with the reason of the refusal as an error among the results. Where there was no
// list to read, it writes nothing.
func (w *wrapped) refuse(failed error) error {
	if w.list == nil {
		return nil
	}
	list := *w.list
	list.Results = nil
	why := refusal(w.rep, failed)
	if w.rep != nil {
		for _, r := range w.rep.Results {
			list.Results = append(list.Results, resultOf(r))
		}
	}
	list.Results = append(list.Results, why)
	data, err := list.Encode()
	if err != nil {
		return nil //nolint:nilerr // the exit code and standard error tell of the refusal
	}
	return w.app.deliver(data)
}

// refusal is the reason of a refusal, as a result.
func refusal(rep *pipeline.Report, failed error) krm.Result {
	var message, code, hint string
	if failed != nil || rep == nil {
		failed = cmp.Or(failed, errBug)
		_, hint = explain(failed)
		message, code = failed.Error(), reasonOf(failed)
	} else {
		message, code, hint = rep.Outcome.Message, rep.Outcome.Code, rep.Outcome.Hint
		reasons := rep.Policy.Reasons
		if rep.Check != nil {
			reasons = append(slices.Clone(reasons), rep.Check.Reasons...)
		}
		for _, r := range reasons {
			message += "; " + r.ID + ": " + r.Message
		}
	}
	message = "krmsafe: " + message
	if hint != "" {
		message += " (" + hint + ")"
	}
	return krm.Result{Message: plain.Line(message), Severity: krm.SeverityError, Tags: map[string]string{"krmsafe.dev/code": code}}
}

func resultOf(r pipeline.Result) krm.Result {
	out := krm.Result{Message: r.Message, Severity: r.Severity, Tags: r.Tags}
	if r.Resource != (pipeline.ResourceRef{}) {
		ref := krm.ResourceRef(r.Resource)
		out.ResourceRef = &ref
	}
	if r.Field != (pipeline.Field{}) {
		out.Field = &krm.ResultField{Path: r.Field.Path, CurrentValue: r.Field.CurrentValue, ProposedValue: r.Field.ProposedValue}
	}
	if r.File != "" {
		out.File = &krm.ResultFile{Path: r.File}
	}
	return out
}
