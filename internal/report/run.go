package report

import (
	"cmp"
	"io"

	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// Origin is what a report of a run cannot know by itself.
type Origin struct {
	Program Program
	// Command is what ran the function; empty is krmsafe run.
	Command string
	// Location is the file of the user's that a refusal is shown at, such as
	// that of the functionConfig; empty where there is none.
	Location string
}

// RunKinds are the formats of Log that make sense for a run.
func RunKinds() []string {
	return []string{"junit", "sarif", "github", "azuredevops", "tap", "markdown"}
}

// JUnit writes r as JUnit's XML: a suite for the function, a case for each stage,
// reason, warning and result.
func JUnit(w io.Writer, r *pipeline.Report, o Origin) error { return RunLog(r, o).Write(w, "junit") }

// SARIF writes r as SARIF 2.1.0.
func SARIF(w io.Writer, r *pipeline.Report, o Origin) error { return RunLog(r, o).Write(w, "sarif") }

// GitHub writes r as GitHub's workflow commands.
func GitHub(w io.Writer, r *pipeline.Report, o Origin) error { return RunLog(r, o).Write(w, "github") }

// TAP writes r in the Test Anything Protocol.
func TAP(w io.Writer, r *pipeline.Report, o Origin) error { return RunLog(r, o).Write(w, "tap") }

// stages are what a run goes through, with what passing one means.
var stages = []struct {
	stage pipeline.Stage
	title string
}{
	{pipeline.StageFetch, "the module is what its digest says"},
	{pipeline.StageVerify, "somebody trusted signed the module"},
	{pipeline.StageInspect, "the module is a well-formed function"},
	{pipeline.StageDecide, "the policy lets the module run"},
	{pipeline.StageRun, "the function ended well within its limits"},
	{pipeline.StageCheck, "the policy lets its changes leave"},
}

// RunLog tells of a run as a Log: each stage that passed, every reason of the
// one that did not, warnings, and what the function reported.
func RunLog(r *pipeline.Report, o Origin) Log {
	command := cmp.Or(o.Command, "krmsafe run")
	l := Log{Program: o.Program, Command: command, ExitCode: r.ExitCode, Location: o.Location}
	about := r.Function.Reference
	if about == "" {
		about = command
	}
	add := func(f Finding) {
		f.Subject = about
		l.Findings = append(l.Findings, f)
	}
	for _, s := range passed(r) {
		add(s)
	}
	for _, f := range refusals(r) {
		add(f)
	}
	for _, w := range r.Warnings {
		add(Finding{Group: string(w.Stage), Rule: w.ID, Status: StatusWarning, Message: w.Message, Remedy: w.Remedy})
	}
	for _, res := range r.Results {
		add(resultFinding(res))
	}
	return l
}

// passed lists the stages before the one at which the run ended.
func passed(r *pipeline.Report) []Finding {
	if r.Outcome.Stage == pipeline.StageError || r.Outcome.Stage == pipeline.StageBuild {
		return nil // how far it got is not known
	}
	var out []Finding
	for _, s := range stages {
		if s.stage == r.Outcome.Stage && !r.Outcome.OK {
			break
		}
		f := Finding{Group: string(s.stage), Rule: "krmsafe." + string(s.stage), Title: s.title, Status: StatusPass}
		switch {
		case s.stage == pipeline.StageVerify && len(r.Signatures) == 0 && !r.Trust.Pinned:
			f.Status, f.Message = StatusSkip, "no signature was asked for"
		case s.stage == pipeline.StageDecide && !r.Policy.Allow, s.stage == pipeline.StageCheck && (r.Check == nil || !r.Check.Allow):
			f.Status, f.Message = StatusSkip, "what speaks against it was waived"
		}
		out = append(out, f)
	}
	return out
}

// refusals are the policy's reasons where it refused, and else the outcome.
func refusals(r *pipeline.Report) []Finding {
	o := r.Outcome
	if o.OK {
		return nil
	}
	var reasons []pipeline.Reason
	switch {
	case o.Stage == pipeline.StageDecide && !r.Policy.Allow:
		reasons = r.Policy.Reasons
	case o.Stage == pipeline.StageCheck && r.Check != nil && !r.Check.Allow:
		reasons = r.Check.Reasons
	}
	var out []Finding
	for _, reason := range reasons {
		out = append(out, Finding{
			Group: string(o.Stage), Rule: reason.ID, Status: StatusFailure, Message: reason.Message, Remedy: reason.Remedy,
		})
	}
	if len(out) == 0 {
		out = append(out, Finding{Group: string(o.Stage), Rule: o.Code, Title: titleOf(o.Stage), Status: StatusFailure, Message: o.Message, Remedy: o.Hint})
	}
	return out
}

func titleOf(stage pipeline.Stage) string {
	for _, s := range stages {
		if s.stage == stage {
			return s.title
		}
	}
	if stage == pipeline.StageBuild {
		return "the tree holds nothing that a build refuses"
	}
	return "nothing keeps krmsafe from judging"
}

// resultFinding takes what a function calls neither a warning nor an information
// for an error, as the gate does.
func resultFinding(r pipeline.Result) Finding {
	f := Finding{File: r.File, Group: "results", Rule: "function.error", Title: "what the function reports", Status: StatusFailure, Message: r.Message}
	switch r.Severity {
	case "warning":
		f.Rule, f.Status = "function.warning", StatusWarning
	case "info":
		f.Rule, f.Status = "function.info", StatusNote
	}
	if ref := r.Resource; ref.Kind != "" || ref.Name != "" {
		f.Resource = resource(ref.Kind, ref.Namespace, ref.Name)
	}
	if r.Field.Path != "" {
		f.Message = r.Field.Path + ": " + f.Message
	}
	if r.Field.ProposedValue != "" {
		f.Remedy = "the function proposes " + r.Field.ProposedValue
	}
	return f
}
