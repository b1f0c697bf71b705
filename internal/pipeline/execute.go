package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// run shows the function what the view holds, executes it and reports how it
// ended. The results of a function that failed are read all the same: they are
// what it has to say.
func (j *judgement) run(ctx context.Context) (*sandbox.Result, error) {
	if err := j.show(); err != nil {
		return nil, err
	}
	result, err := j.execute(ctx, sandbox.Job{
		Module: j.module, Stdin: j.exchange.Input(), Limits: sandbox.Limits(j.limits), Engine: j.engine,
		Grants: sandbox.Grants(j.terms.Grants), LocalCode: j.known.Runtime.CompiledCode != sandbox.CodeImported, Voucher: j.voucher(),
	})
	if err != nil {
		if j.refuseJail(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("running %s: %w", j.name(), err)
	}
	j.report.Run = j.execution(result)
	if w := j.p.cfg.CacheWarning; w != nil {
		j.warn(w.Code, w.Message, w.Hint)
	}
	for _, n := range result.Notes {
		j.warn(n.Code, n.Message, n.Hint)
	}
	if missing := j.report.Run.Jail.Missing; len(missing) > 0 {
		j.warn("jail.incomplete", "the function's process was not confined by "+strings.Join(missing, ", "),
			"run on Linux 6.12 or later, without --require-jail")
	}
	if stop := result.Stop; stop != nil {
		j.refuse(StageRun, stop.Code, j.about(stop.Message), stopHint(stop, j.terms.Limits, j.limits))
		j.salvage(result)
	}
	return result, nil
}

// salvage reads the results of a function of whose output nothing else is taken: they may say why.
func (j *judgement) salvage(result *sandbox.Result) {
	if found, err := j.exchange.Results(result.Stdout, j.p.cfg.KRM); err == nil {
		j.report.Results = j.results(found)
	}
}

// show makes the function's input of what both the policy and the operator let
// it see, with placeholders in Secrets unless the policy says otherwise.
func (j *judgement) show() error {
	view := krm.View{
		Match: selectors(j.terms.View.Match), Exclude: selectors(j.terms.View.Exclude), Secrets: secretMode(j.terms.View.Secrets),
		Also:  &krm.View{Match: selectors(j.req.View.Match), Exclude: selectors(j.req.View.Exclude)},
		Moves: j.req.AllowMove,
	}
	exchange, err := krm.NewExchange(j.req.Input, view, j.p.cfg.Random)
	if err != nil {
		return fmt.Errorf("writing the input of %s: %w", j.name(), err)
	}
	j.exchange = exchange
	j.report.View.Seen, j.report.View.Redacted = exchange.Shown(), exchange.Redacted()
	j.report.View.HeldBack = len(j.req.Input.Items) - exchange.Shown()
	if exchange.Shown() == 0 && len(j.req.Input.Items) > 0 {
		j.warn("view.empty", "the function sees none of the resources: no selector fits any of them",
			"check the spelling of --match-kind and the like, which distinguish capitals, and the view of the policy")
	}
	return nil
}

// refuseJail takes the error of a jail that does not hold for the refusal that
// it is: nothing of the module was sent to its process.
func (j *judgement) refuseJail(err error) bool {
	var jail *sandbox.JailError
	if !errors.As(err, &jail) || jail.Code != sandbox.CodeJailIncomplete {
		return false
	}
	j.refuse(StageDecide, jail.Code, j.about(jail.Message), jail.Hint)
	return true
}

func (j *judgement) execution(result *sandbox.Result) *Execution {
	u := result.Usage
	return &Execution{
		Engine: string(result.Engine), Cached: result.Cached, Jail: jailOf(result.Jail), ExitCode: result.ExitCode,
		MemoryPages: u.MemoryPages, Fuel: u.Fuel, CPU: u.CPU, Wall: u.Wall, PeakBytes: u.PeakBytes,
		Stderr: redactLines(string(result.Stderr), j.exchange.Redact),
	}
}

// jailOf is empty where the function was stopped before there was a child.
func jailOf(r sandbox.JailReport) Jail {
	out := Jail{Level: r.Level, Platform: r.Platform, LandlockABI: r.LandlockABI, Layers: []Layer{}, Missing: []string{}}
	for _, l := range r.Layers {
		out.Layers = append(out.Layers, Layer{Name: l.Layer, Held: l.Held, Detail: l.Detail})
	}
	out.Missing = append(out.Missing, r.Missing()...)
	return out
}

// redactLines replaces each line that holds a placeholder of this run.
func redactLines(text string, redact func(string) string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = redact(line)
	}
	return strings.Join(lines, "\n")
}

func (j *judgement) results(list []krm.Result) []Result {
	redact := j.exchange.Redact
	out := make([]Result, 0, len(list))
	for _, r := range list {
		result := Result{Severity: r.Severity, Message: redact(r.Message), Tags: map[string]string{}}
		for k, v := range r.Tags {
			result.Tags[redact(k)] = redact(v)
		}
		if r.ResourceRef != nil {
			result.Resource = ResourceRef(*r.ResourceRef)
		}
		if f := r.Field; f != nil {
			result.Field = Field{Path: f.Path, CurrentValue: redact(f.CurrentValue), ProposedValue: redact(f.ProposedValue)}
		}
		if r.File != nil {
			result.File = redact(r.File.Path)
		}
		out = append(out, result)
	}
	return out
}
