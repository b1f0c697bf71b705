package pipeline

import (
	"context"
	"fmt"
)

// Decide judges a request as Run does, up to the policy's decision, and runs
// nothing: what a plan shows. The Report of what may run is OK and says with which
// limits; its Run and Emit are nil. Errors are those of Run.
func (p *Pipeline) Decide(ctx context.Context, req Request) (*Report, error) {
	if err := checkRequest(&req); err != nil {
		return nil, err
	}
	input, err := req.Input.Encode()
	if err != nil {
		return nil, fmt.Errorf("writing the function's input: %w", err)
	}
	j := &judgement{p: p, req: req, report: p.newReport(req, input)}
	if err := j.learn(ctx); err != nil || j.refused() {
		return j.report, err
	}
	j.stage = StageDecide
	err = j.decide(ctx)
	j.tellCache()
	if err != nil || j.refused() {
		return j.report, err
	}
	o := j.done()
	o.Message = "may run"
	if o.Waived {
		o.Message = "may run, though the policy would refuse it"
	}
	j.report.Outcome = o
	return j.report, nil
}
