package pipeline

import (
	"context"
	"fmt"
	"maps"

	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
)

// A Mode says what becomes of a policy's refusal. The zero Mode enforces.
type Mode string

// The modes.
const (
	// ModeEnforce refuses what the policy refuses.
	ModeEnforce Mode = "enforce"
	// ModeWarn reports what the policy refuses and goes on, under the limits
	// and the selection that the policy gives; grants and the real values of
	// Secrets are for what it allows and for nothing else. It is right while a
	// policy is being introduced. Verification, inspection, limits and the gate
	// on the output hold all the same, and so does a policy that is itself at
	// fault: it refuses.
	ModeWarn Mode = "warn"
)

// decide asks the policy and settles on what terms the function runs.
func (j *judgement) decide(ctx context.Context) error {
	if err := j.observeJail(ctx); err != nil || j.refused() {
		return err
	}
	j.known = j.facts()
	decision, err := j.p.cfg.Policy.Admit(ctx, j.known)
	if err != nil {
		return fmt.Errorf("asking the policy: %w", err)
	}
	j.report.Policy.Allow, j.report.Policy.Reasons = decision.Allow, reasons(decision.Reasons)
	j.warnAll(decision.Warnings)
	switch {
	case decision.Allow:
		j.terms = decision
	case j.p.cfg.Mode == ModeWarn && decision.Waived != nil:
		j.terms = *decision.Waived
		j.waive(StageDecide, decision.Reasons)
	default:
		j.refuse(StageDecide, "policy.denied", fmt.Sprintf("policy %s does not allow %s", j.p.cfg.PolicyName, j.name()),
			"mend what the reasons name; krmsafe policy eval shows the facts that the policy saw")
		return nil
	}
	return j.settle()
}

// settle brings the policy's terms and the request's together: the request may
// ask for less and never gets more.
func (j *judgement) settle() error {
	var err error
	if j.limits, err = lower(j.terms.Limits, j.req.Lower); err != nil {
		return err
	}
	if j.engine, err = chooseEngine(j.terms.Engine, j.p.cfg.Runtime.Engine); err != nil {
		return err
	}
	p := &j.report.Policy
	p.Limits, p.Engine, p.Jail, p.Grants, p.Changes = limits(j.limits), j.terms.Engine, j.terms.Jail, Grants(j.terms.Grants), j.terms.Changes
	j.report.View.Secrets = j.terms.View.Secrets
	j.report.View.Policy = Selection{Match: present(j.terms.View.Match), Exclude: present(j.terms.View.Exclude)}
	if have := j.known.Runtime.Jail; jailRank(have) < jailRank(j.terms.Jail) {
		j.refuse(StageDecide, "policy.jail", fmt.Sprintf("policy %s demands the jail %q for %s, and only %q is there", j.p.cfg.PolicyName, j.terms.Jail, j.name(), have),
			"leave --require-jail out, and run on Linux 6.12 or later")
	}
	return nil
}

// observeJail finds out what confines the child where less than everything is
// demanded of it: a policy is told what there is, not what was asked for. Where
// everything is demanded, nothing runs without it.
func (j *judgement) observeJail(ctx context.Context) error {
	j.confinement = j.p.cfg.Runtime.Jail
	if j.confinement == policy.JailFull {
		return nil
	}
	report, err := j.p.cfg.Sandbox.Prepare(ctx)
	if err != nil {
		if j.refuseJail(err) {
			return nil
		}
		return fmt.Errorf("preparing to run %s: %w", j.name(), err)
	}
	if report.Complete() {
		j.confinement = policy.JailFull
	}
	return nil
}

// jailRank orders the levels; an unknown one demands more than there is.
func jailRank(level string) int {
	switch level {
	case policy.JailNone:
		return 0
	case policy.JailPartial:
		return 1
	case policy.JailFull:
		return 2
	default:
		return 3
	}
}

// chooseEngine gives the engine that the policy and the request agree on.
func chooseEngine(decided, asked string) (sandbox.Engine, error) {
	switch {
	case decided == policy.EngineAuto || decided == asked:
		return sandbox.Engine(asked), nil
	case asked == policy.EngineAuto || asked == "":
		return sandbox.Engine(decided), nil
	default:
		return "", usagef("leave --engine out", "--engine %s contradicts the policy, which demands the %s", asked, decided)
	}
}

// waive notes what the policy would have refused.
func (j *judgement) waive(stage Stage, refused []policy.Reason) {
	j.waived = true
	for _, r := range refused {
		j.report.Warnings = append(j.report.Warnings, Warning{Stage: stage, ID: r.ID, Message: "would be refused: " + r.Message, Remedy: r.Remedy, Waived: true})
	}
}

func (j *judgement) warnAll(list []policy.Reason) {
	for _, w := range list {
		j.warn(w.ID, w.Message, w.Remedy)
	}
}

func (j *judgement) warn(id, message, remedy string) {
	j.report.Warnings = append(j.report.Warnings, Warning{Stage: j.stage, ID: id, Message: message, Remedy: remedy})
}

func (j *judgement) done() Outcome {
	o := Outcome{OK: true, Stage: StageDone, Code: "ok", Message: "ran, and the output was allowed"}
	if j.waived {
		o.Waived, o.Code, o.Message = true, "ok.waived", "ran, though the policy would refuse it"
		o.Hint = "mend what the warnings name, then leave --mode warn out"
	}
	return o
}

func reasons(list []policy.Reason) []Reason {
	out := make([]Reason, 0, len(list))
	for _, r := range list {
		out = append(out, Reason(r))
	}
	return out
}

// present leaves no list and no map of the selectors null.
func present(list []policy.Selector) []policy.Selector {
	out := make([]policy.Selector, 0, len(list))
	for _, s := range list {
		labels, annotations := map[string]string{}, map[string]string{}
		maps.Copy(labels, s.Labels)
		maps.Copy(annotations, s.Annotations)
		s.Labels, s.Annotations = labels, annotations
		out = append(out, s)
	}
	return out
}
