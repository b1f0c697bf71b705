package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/internal/report"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
)

// policyInitFlags are the flags of `krmsafe policy init`.
type policyInitFlags struct {
	module   moduleFlags
	sandbox  sandboxFlags
	input    string
	fnConfig string
	kind     string
	output   string
}

func (a *app) policyInitCommand() *cobra.Command {
	var f policyInitFlags
	cmd := &cobra.Command{
		Use:   "init [REF|FILE]",
		Short: "draw a least-privilege policy for a module",
		Long: `Writes a policy that allows one module and as little else as can be said: who
signed it, where it comes from, what it imports, which features and how much room
it needs. With --input it runs the module once, in the sandbox and under the
limits of builtin:baseline, prints nothing of what that returns, and draws limits
from the memory, fuel, time and output that it used, with a margin, and the
smallest grant that holds what it changed. Without, it may change nothing.

A module that nobody signed needs --allow-unsigned; its policy pins it by the
digest of its bytes, and still asks for --allow-unsigned in each run.

The policy is tried before it is written: it must load, allow this module, and
refuse the same module with one import more. Read it before you use it.

Exit codes are those of krmsafe run: 3 the module is refused before it runs, 4 it
was stopped, 5 what it returned is refused by what no policy can allow.`,
		Example: `  krmsafe policy init ghcr.io/acme/set-metadata@sha256:… --key acme.pub \
    --input manifests --fn-config set-metadata.yaml -o policy/admit.rego`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			code, err := a.initPolicy(cmd.Context(), f, args)
			a.code = code
			return err
		},
	}
	f.module.register(cmd)
	f.sandbox.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.input, "input", "", "file or folder with resources to run the module on")
	flags.StringVar(&f.fnConfig, "fn-config", "", "file with the functionConfig")
	flags.StringVarP(&f.kind, "type", "t", "mutator", "what the function is for: mutator (or transformer), validator or generator")
	flags.StringVarP(&f.output, "output", "o", "", "file to write the policy to, which must not be there yet (default: standard output)")
	return cmd
}

func (a *app) initPolicy(ctx context.Context, f policyInitFlags, args []string) (int, error) {
	if err := oneOf("--type", f.kind, "mutator", "transformer", "validator", "generator"); err != nil {
		return 0, err
	}
	if len(args) > 0 || f.fnConfig == "" {
		if err := nameArgument(&f.module, args); err != nil {
			return 0, err
		}
	}
	if f.output != "" {
		if _, err := os.Lstat(f.output); !errors.Is(err, fs.ErrNotExist) {
			return 0, &pipeline.UsageError{Message: fmt.Sprintf("%q is there already", f.output), Hint: "remove it, or name another file; what was written by hand is not written over"}
		}
	}
	cfg, rep, err := a.drawn(ctx, f)
	if err != nil {
		return 0, err
	}
	if rep != nil {
		return rep.Outcome.ExitCode(), report.Text(a.err, rep, report.Options{})
	}
	draft, err := policy.Init(ctx, cfg)
	if err != nil {
		return 0, err
	}
	if err := tryDraft(ctx, cfg, draft); err != nil {
		return 0, err
	}
	for _, note := range draft.Notes {
		_, _ = fmt.Fprintf(a.err, "krmsafe: note: %s\n", plain.Line(note))
	}
	if f.output != "" {
		return 0, writeNew(f.output, draft.Rego)
	}
	return 0, a.deliver(draft.Rego)
}

// drawn gathers what the policy is drawn from. The report tells of a refusal, and
// is nil where there was none.
func (a *app) drawn(ctx context.Context, f policyInitFlags) (policy.InitConfig, *pipeline.Report, error) {
	shipped, _, err := (&policyFlags{}).config()
	if err != nil {
		return policy.InitConfig{}, nil, err
	}
	cfg := policy.InitConfig{Library: shipped.Library, Defaults: shipped.Defaults}
	var args []string
	if f.input != "" {
		args = []string{f.input}
	}
	o := observeFlags{module: f.module, sandbox: f.sandbox, fnConfig: f.fnConfig}
	facts, rep, err := a.observe(ctx, o, args)
	if err != nil || rep.Outcome.Stage != "" {
		return cfg, rep, err
	}
	cfg.Facts = facts
	if f.input == "" {
		return cfg, nil, nil
	}
	rep, err = a.trial(ctx, f, o, args)
	if err != nil {
		return cfg, nil, err
	}
	// What the shipped output policy refuses is what the draft is to grant.
	if !rep.Outcome.OK && rep.Outcome.Code != "policy.output_denied" {
		return cfg, rep, nil
	}
	if rep.Function.ModuleDigest != facts.Module.Digest {
		return cfg, nil, fmt.Errorf("running %s: it is %s now, and was %s when it was inspected", rep.Function.Reference, rep.Function.ModuleDigest, facts.Module.Digest)
	}
	cfg.Usage, cfg.Changes = usageOf(rep), changesOf(rep, facts, roles[f.kind])
	return cfg, nil, nil
}

// trial runs the module under the shipped policy. What it returns goes nowhere.
func (a *app) trial(ctx context.Context, f policyInitFlags, o observeFlags, args []string) (*pipeline.Report, error) {
	req, err := a.observed(&o, args)
	if err != nil {
		return nil, err
	}
	req.Role = roles[f.kind]
	box, err := sandbox.New(f.sandbox.config())
	if err != nil {
		return nil, &pipeline.UsageError{Message: err.Error()}
	}
	s := a.openWith(ctx, judgeFlags{originFlags: o.module.originFlags, sandbox: f.sandbox}, box)
	defer s.close()
	p, err := s.pipeline(o.module.registry.publicOnly)
	if err != nil {
		return nil, err
	}
	rep, err := p.Run(ctx, req)
	if rep != nil {
		rep.Emit = nil
	}
	return rep, err
}

// usageOf is what a run used. What the report does not tell is taken for as much
// as it can have been: all of the time for compiling, and for the output of a run
// that was refused the input with all that was added.
func usageOf(rep *pipeline.Report) *policy.Usage {
	output := rep.Output.Bytes
	if output == 0 {
		output = rep.Input.Bytes
		for _, c := range rep.Changes {
			output += int64(len(c.After))
		}
	}
	return &policy.Usage{
		MemoryPages: rep.Run.MemoryPages, Fuel: rep.Run.Fuel, Wall: rep.Run.Wall, Compile: rep.Run.Wall,
		OutputBytes: output, StderrBytes: int64(len(rep.Run.Stderr)),
	}
}

// changesOf is what a run changed, as the output policy sees it.
func changesOf(rep *pipeline.Report, facts policy.Facts, role string) *policy.Changes {
	s := rep.Summary
	out := policy.Changes{
		Request: facts.Request, Verified: facts.Verified, Function: policy.FunctionRole{Role: role},
		Summary: policy.ChangeSummary{
			Added: s.Added, Removed: s.Removed, Changed: s.Changed, Reordered: s.Reordered,
			KindsAdded: s.KindsAdded, KindsRemoved: s.KindsRemoved, KindsChanged: s.KindsChanged,
			SecretsTouched: s.SecretsTouched, ReservedAnnotations: s.ReservedAnnotations,
		},
	}
	for _, c := range rep.Changes {
		out.Changes = append(out.Changes, policy.Change{
			Op: c.Op, Resource: policy.ResourceID(c.Resource), Path: c.Path, Pointer: c.Pointer, Before: c.Before, After: c.After,
		})
	}
	return &out
}

// errDraft is in the chain of the error about a draft that does not keep what is
// promised of it.
var errDraft = errors.New("the policy that was drawn is not right")

// tryDraft holds the draft to its promise before anybody relies on it.
func tryDraft(ctx context.Context, cfg policy.InitConfig, draft *policy.Draft) error {
	p, err := policy.Load(ctx, policy.Config{
		Library: cfg.Library, Defaults: cfg.Defaults, Sources: []policy.Source{{Name: "admit.rego", Text: draft.Rego}},
	})
	if err != nil {
		return fmt.Errorf("%w: it does not load: %w", errDraft, err)
	}
	got, err := p.Admit(ctx, cfg.Facts)
	if err != nil {
		return err
	}
	signed := cfg.Facts.Verified.Signed || cfg.Facts.Request.Flags.AllowUnsigned
	if signed && !got.Allow {
		return fmt.Errorf("%w: it refuses the module it was drawn from: %s: %s", errDraft, got.Reasons[0].ID, got.Reasons[0].Message)
	}
	other := cfg.Facts.Normalize()
	other.Module.Digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	other.Module.ImportClasses = append(other.Module.ImportClasses, "other")
	if got, err = p.Admit(ctx, other); err != nil {
		return err
	}
	if got.Allow {
		return fmt.Errorf("%w: it allows another module", errDraft)
	}
	return nil
}

// writeNew writes a file that must not be there yet.
func writeNew(name string, data []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) // #nosec G302 G304 -- the operator names it; a policy is for all to read
	if err != nil {
		return fmt.Errorf("writing the policy: %w", err)
	}
	_, err = file.Write(data)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing the policy: %w", err)
	}
	return nil
}
