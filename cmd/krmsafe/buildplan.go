package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/kustomize"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/internal/report"
)

// checkPlan refuses what a plan has no use for, where the operator asks for it now: a
// plan is on standard output, and no run to be recorded.
func (f *buildFlags) checkPlan() error {
	for _, name := range []string{"output", "report-file", "audit-log", "audit-required"} {
		if f.said(name) {
			return &pipeline.UsageError{Message: "--" + name + " with --plan: nothing runs, and the plan is what is printed", Hint: "leave one of them out"}
		}
	}
	if f.said("report") && f.report.kind != "text" && f.report.kind != "json" {
		return &pipeline.UsageError{Message: fmt.Sprintf("--report %s with --plan: a plan is text or json", f.report.kind), Hint: "use --report json, or leave --plan out"}
	}
	return nil
}

// plan lists the functions of a build, which its product is, and runs none. What
// kustomize cannot build because no function ran is told after the list.
func (a *app) plan(ctx context.Context, f buildFlags, target string) (int, error) {
	if err := f.report.check(); err != nil {
		return 0, err
	}
	options, known, err := a.buildOptions(ctx, f, target)
	if err != nil {
		return 0, err
	}
	s, err := a.open(ctx, f.judgeFlags)
	if err != nil {
		return 0, err
	}
	defer s.close()
	p := &planner{session: s, known: known}
	options.Runner = p
	_, failed := kustomize.Build(ctx, target, options)
	if failed == nil {
		failed = s.ready()
	}
	code := p.ended(failed)
	var out bytes.Buffer
	if f.report.kind == "json" {
		err = report.WriteJSON(&out, report.NewReports(p.reports, code))
	} else {
		err = p.table(&out)
	}
	if err != nil {
		return 0, fmt.Errorf("writing the plan: %w", err)
	}
	if err := a.deliver(out.Bytes()); err != nil {
		return 0, err
	}
	if _, ok := errors.AsType[*kustomize.RefusedError](failed); ok { // told with its code, as a build does
		return code, report.Text(a.err, p.reports[len(p.reports)-1], report.Options{})
	}
	return code, failed
}

// ended adds what ended the plan early to the reports, and gives the exit code.
func (p *planner) ended(failed error) int {
	if failed == nil {
		return worst(p.reports)
	}
	if refused, ok := errors.AsType[*kustomize.RefusedError](failed); ok {
		refused.Output = false // nothing ran
		p.reports = refusedTree(p.reports, refused)
	} else if last := len(p.reports) - 1; last >= 0 && p.reports[last].Outcome.Stage == "" {
		couldNotJudge(p.reports[last], failed)
	} else {
		p.reports = append(p.reports, couldNotJudge(nil, failed))
	}
	return p.reports[len(p.reports)-1].ExitCode
}

// A planner judges functions in place of running them.
type planner struct {
	session *session
	known   cataloged
	calls   []kustomize.Call
	reports []*pipeline.Report
}

// Run implements kustomize.Runner. Transformers and validators leave everything as
// it is, and generators make nothing.
func (p *planner) Run(ctx context.Context, call kustomize.Call) (*krm.ResourceList, error) {
	req := p.known.request(call.Function, call.Input)
	rep, err := p.session.decide(ctx, req)
	if err != nil {
		p.reports = append(p.reports, reportOf(rep, req))
		return nil, fmt.Errorf("%s of %q: %w", call.Entry, call.Kustomization, err)
	}
	rep.ExitCode = rep.Outcome.ExitCode()
	p.calls, p.reports = append(p.calls, call), append(p.reports, rep)
	if call.Role == kustomize.Generator {
		return &krm.ResourceList{}, nil
	}
	return call.Input, nil
}

// signedBy are the signers of a module.
func signedBy(rep *pipeline.Report) string {
	var names []string
	for _, s := range rep.Signatures {
		names = append(names, report.Signer(s))
	}
	return strings.Join(names, ", ")
}

// table writes one line for each function, in the order in which they would run.
func (p *planner) table(out *bytes.Buffer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ROLE\tFUNCTION\tKUSTOMIZATION\tENTRY\tMODULE\tMODULE DIGEST\tSIGNED BY\tVERDICT")
	for i, call := range p.calls {
		rep := p.reports[i]
		verdict := "allowed"
		if !rep.Outcome.OK {
			verdict = fmt.Sprintf("refused (%s): %s", rep.Outcome.Code, rep.Outcome.Message)
		} else if rep.Outcome.Waived {
			verdict = "waived"
		}
		cells := []string{
			call.Role, call.Config.String(), call.Kustomization, call.Entry, cmp.Or(call.Name, call.Spec.Image+call.Spec.File),
			rep.Function.ModuleDigest, signedBy(rep), verdict,
		}
		for j, cell := range cells {
			if cells[j] = strings.ReplaceAll(plain.Line(cell), "\t", " "); cell == "" {
				cells[j] = "-"
			}
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}
