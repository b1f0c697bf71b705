package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
)

// FailNever is the Request.FailOn under which no result refuses the output.
const FailNever = "never"

// check judges what the function returned. First comes the gate that no policy
// and no mode opens: a well-formed ResourceList in which each placeholder is at
// its own place, no function is planted and no path leads out of the package.
// Then the policy judges what changed, and last the results are weighed against
// the severity that the request names.
func (j *judgement) check(ctx context.Context, result *sandbox.Result) error {
	out, err := j.exchange.Output(result.Stdout, j.p.cfg.KRM)
	var bad *krm.OutputError
	switch {
	case errors.As(err, &bad):
		j.refuse(StageCheck, bad.Code, j.about(bad.Error()), bad.Hint)
		j.salvage(result)
		return nil
	case err != nil:
		return fmt.Errorf("reading the output of %s: %w", j.name(), err)
	}
	j.forgetConfig(out)
	j.weigh(out.Results)
	if n := len(out.Commented); n > 0 {
		j.warn("output.comments", fmt.Sprintf("%s wrote comments in %d resource(s), such as %s; they are left out", j.name(), n, out.Commented[0]),
			"comments are no values that a policy can judge, and some tools take orders from them; write them yourself")
	}
	j.report.Results = j.results(out.Results)
	j.report.Changes, j.report.Summary = changes(out.Changes), summary(out)
	j.warnRestored(out.Changes)
	if err := j.judgeChanges(ctx, out); err != nil || j.refused() {
		return err
	}
	if n := failing(out.Results, j.req.FailOn); n > 0 {
		j.refuse(StageCheck, "output.results", fmt.Sprintf("%s reported %d result(s) of severity %s or above", j.name(), n, j.req.FailOn),
			"mend what the results name, or choose another --fail-on")
		return nil
	}
	emit, err := out.List.Encode()
	if err != nil {
		return fmt.Errorf("writing the output of %s: %w", j.name(), err)
	}
	j.report.Output = document(len(out.List.Items), emit)
	j.report.Outcome = j.done()
	j.report.Emit = out.List
	return nil
}

// warnRestored tells of changes that will not leave whatever the policy says.
func (j *judgement) warnRestored(list []krm.Change) {
	for _, c := range list {
		if c.Restored {
			j.warn("output.restored", fmt.Sprintf("%s altered annotations in which the program before it keeps books; they were put back as they were", j.name()),
				"the function must leave internal.config.kubernetes.io/* and the id annotations alone")
			return
		}
	}
}

// weigh gives the results that name no severity one. The specification takes
// them for errors, and calls a run that exits with 0 a success whatever its
// results say. The mutators that leave the severity out, many of kpt's catalog
// among them, tell in this way what they did; kustomize and kpt take it so.
// Of a validator, and of a function that failed, it stays an error.
func (j *judgement) weigh(results []krm.Result) {
	if j.req.Role == policy.RoleValidator {
		return
	}
	for i := range results {
		if results[i].Unstated {
			results[i].Severity = krm.SeverityInfo
		}
	}
}

// forgetConfig takes the removal of the function's own configuration out of the
// changes. kustomize calls a generator with a copy of the functionConfig as its
// only resource, marked as local, so that there is one; most generators do not
// return it, and kustomize itself drops it where they do.
func (j *judgement) forgetConfig(out *krm.Output) {
	input := j.req.Input
	if len(input.Items) != 1 || input.FunctionConfig == nil || j.req.Role == policy.RoleValidator {
		return
	}
	item := input.Items[0]
	same := item.Group == input.FunctionConfig.Group && item.Kind == input.FunctionConfig.Kind &&
		item.Namespace == input.FunctionConfig.Namespace && item.Name == input.FunctionConfig.Name
	if !same || !isLocal(item) {
		return
	}
	kept := slices.DeleteFunc(out.Changes, func(c krm.Change) bool {
		return c.Op == krm.OpRemove && len(c.Path) == 0 && c.Resource == item.Identity
	})
	if len(kept) == len(out.Changes) {
		return
	}
	out.Changes = kept
	out.Summary.Removed, out.Summary.KindsRemoved = 0, []string{} // there was no other to remove
}

// isLocal reports whether a resource is marked as one that no cluster gets.
func isLocal(item *krm.Item) bool {
	n, err := item.Node()
	if err != nil {
		return false
	}
	for _, key := range []string{"metadata", "annotations", "config.kubernetes.io/local-config"} {
		at := -1
		for i := 0; n != nil && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				at = i + 1
			}
		}
		if at < 0 {
			return false
		}
		n = n.Content[at]
	}
	return n.Value == "true"
}

// judgeChanges asks the policy of the output.
func (j *judgement) judgeChanges(ctx context.Context, out *krm.Output) error {
	decision, err := j.p.cfg.Policy.Check(ctx, j.changesOf(out))
	if err != nil {
		return fmt.Errorf("asking the policy about the output of %s: %w", j.name(), err)
	}
	j.report.Check = &Check{Allow: decision.Allow, Reasons: reasons(decision.Reasons)}
	j.warnAll(decision.Warnings)
	switch {
	case decision.Allow:
	case j.p.cfg.Mode == ModeWarn && decision.Waived != nil:
		j.waive(StageCheck, decision.Reasons)
	default:
		j.refuse(StageCheck, "policy.output_denied", fmt.Sprintf("policy %s does not allow what %s changed", j.p.cfg.PolicyName, j.name()),
			"grant in the policy what the function is meant to change, or keep the resource from it with --exclude-kind or --exclude-name")
	}
	return nil
}

// changesOf is what the output policy sees.
func (j *judgement) changesOf(out *krm.Output) policy.Changes {
	doc := policy.Changes{
		Request: j.known.Request, Verified: j.known.Verified, Function: policy.FunctionRole{Role: j.req.Role},
		Granted: j.terms.Changes, Summary: policy.ChangeSummary(out.Summary),
	}
	for _, c := range out.Changes {
		doc.Changes = append(doc.Changes, policy.Change{
			Op: c.Op, Resource: policy.ResourceID(c.Resource), Path: c.Path, Pointer: c.Pointer, Before: c.Before, After: c.After,
		})
	}
	for _, r := range out.Results {
		result := policy.FnResult{Message: r.Message, Severity: r.Severity, Tags: r.Tags}
		if _, known := ranks[r.Severity]; !known {
			result.Severity = krm.SeverityError
		}
		if r.ResourceRef != nil {
			group, version := splitAPIVersion(r.ResourceRef.APIVersion)
			result.Resource = policy.ResourceID{Group: group, Version: version, Kind: r.ResourceRef.Kind, Namespace: r.ResourceRef.Namespace, Name: r.ResourceRef.Name}
		}
		if r.Field != nil {
			result.Field = r.Field.Path
		}
		if r.File != nil {
			result.File = r.File.Path
		}
		doc.Results = append(doc.Results, result)
	}
	return doc.Normalize()
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

func changes(list []krm.Change) []Change {
	out := make([]Change, 0, len(list))
	for _, c := range list {
		change := Change{
			Op: c.Op, Resource: Resource{Group: c.Resource.Group, Version: c.Resource.Version, Kind: c.Resource.Kind, Namespace: c.Resource.Namespace, Name: c.Resource.Name},
			Path: c.Path, Pointer: c.Pointer, Before: c.Before, After: c.After,
		}
		if change.Path == nil {
			change.Path = []string{}
		}
		out = append(out, change)
	}
	return out
}

// summary counts resources, and the fields that changed in those that stayed.
func summary(out *krm.Output) Summary {
	s := out.Summary
	fields := 0
	for _, c := range out.Changes {
		if len(c.Path) > 0 {
			fields++
		}
	}
	return Summary{
		Added: s.Added, Removed: s.Removed, Changed: s.Changed, Fields: fields, Reordered: s.Reordered,
		KindsAdded: s.KindsAdded, KindsRemoved: s.KindsRemoved, KindsChanged: s.KindsChanged,
		SecretsTouched: s.SecretsTouched, ReservedAnnotations: s.ReservedAnnotations,
	}
}
