package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// FailNever is the Request.FailOn under which no result refuses the output.
const FailNever = "never"

// run executes the module and reports how it ended. The results of a function
// that failed are read all the same: they are what it has to say.
func (j *judgement) run(ctx context.Context, stdin []byte) (*sandbox.Result, error) {
	result, err := j.p.cfg.Sandbox.Run(ctx, j.module, stdin, sandbox.Limits(j.limits))
	if err != nil {
		return nil, fmt.Errorf("running %s: %w", j.name(), err)
	}
	j.report.Run = &Execution{
		Engine: string(result.Engine), Jail: result.Jail.Level, ExitCode: result.ExitCode, MemoryPages: result.Usage.MemoryPages,
		Fuel: result.Usage.Fuel, CPU: result.Usage.CPU, Wall: result.Usage.Wall, Stderr: string(result.Stderr),
	}
	if stop := result.Stop; stop != nil {
		j.refuse(StageRun, stop.Code, j.about(stop.Message), stop.Hint)
		if found, err := krm.ParseResults(result.Stdout, j.p.cfg.KRM); err == nil {
			j.report.Results = results(found)
		}
	}
	return result, nil
}

// check judges what the function returned: a well-formed ResourceList, and no
// result at or above the severity that the request names.
func (j *judgement) check(result *sandbox.Result) error {
	out, err := krm.ParseOutput(result.Stdout, j.p.cfg.KRM)
	var bad *krm.OutputError
	switch {
	case errors.As(err, &bad):
		j.refuse(StageCheck, bad.Code, j.about(bad.Error()), bad.Hint)
		return nil
	case err != nil:
		return fmt.Errorf("reading the output of %s: %w", j.name(), err)
	}
	j.report.Results = results(out.Results)
	if n := failing(out.Results, j.req.FailOn); n > 0 {
		j.refuse(StageCheck, "output.results", fmt.Sprintf("%s reported %d result(s) of severity %s or above", j.name(), n, j.req.FailOn),
			"mend what the results name, or choose another --fail-on")
		return nil
	}
	// A function may not change the configuration it was given (KRM Functions
	// Specification, functionConfig): what it returned in its place is dropped.
	out.FunctionConfig = j.req.Input.FunctionConfig
	emit, err := out.Encode()
	if err != nil {
		return fmt.Errorf("writing the output of %s: %w", j.name(), err)
	}
	j.report.Output = document(len(out.Items), emit)
	j.report.Outcome = Outcome{OK: true, Stage: StageDone, Code: "ok", Message: "ran, and the output was allowed"}
	j.report.Emit = out
	return nil
}

// ranks orders severities; what a function calls something else counts as an
// error, the severity of a result that names none.
var ranks = map[string]int{krm.SeverityInfo: 1, krm.SeverityWarning: 2, krm.SeverityError: 3}

func failing(list []krm.Result, failOn string) int {
	if failOn == FailNever {
		return 0
	}
	n := 0
	for _, r := range list {
		rank, known := ranks[r.Severity]
		if !known || rank >= ranks[failOn] {
			n++
		}
	}
	return n
}

func results(list []krm.Result) []Result {
	out := make([]Result, 0, len(list))
	for _, r := range list {
		result := Result{Severity: r.Severity, Message: r.Message, Tags: r.Tags}
		if r.ResourceRef != nil {
			result.Resource = ResourceRef(*r.ResourceRef)
		}
		if r.Field != nil {
			result.Field = Field(*r.Field)
		}
		if r.File != nil {
			result.File = r.File.Path
		}
		out = append(out, result)
	}
	return out
}
