package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/kustomize"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/internal/report"
)

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
	var out bytes.Buffer
	if f.report.kind == "json" {
		err = report.WriteJSON(&out, report.NewReports(p.reports, worst(p.reports)))
	} else {
		err = p.table(&out)
	}
	if err != nil {
		return 0, fmt.Errorf("writing the plan: %w", err)
	}
	if err := a.deliver(out.Bytes()); err != nil {
		return 0, err
	}
	if failed != nil {
		return 0, failed
	}
	return worst(p.reports), nil
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
	rep, err := p.session.decide(ctx, p.known.request(call.Function, call.Input))
	if err != nil {
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
