package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
	"github.com/krmsafe/krmsafe/sandbox"
)

// inspectFlags are the flags of `krmsafe inspect`.
type inspectFlags struct {
	module   moduleFlags
	sandbox  sandboxFlags
	measure  string
	input    string
	fnConfig string
	output   string
}

func (a *app) inspectCommand() *cobra.Command {
	var f inspectFlags
	cmd := &cobra.Command{
		Use:   "inspect [REF|FILE]",
		Short: "show what is known of a module without running it",
		Long: `Shows what a module imports and exports, the memory and tables it declares, which
WebAssembly features it uses and who signed it. Nothing is executed and no
policy is asked. With -o json it prints the exact document that a policy sees
as its input; --input adds the resources that it would be run on.

With --measure it does run the module, once, on the resources given, under the
built-in baseline, and suggests the limits that a policy should set for it. Its
output is thrown away.`,
		Example: `  krmsafe inspect ghcr.io/acme/set-metadata:v1 --key acme.pub
  krmsafe inspect ./fn.wasm -o json | opa eval -I -d org.rego data.krmsafe.admit`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			code, err := a.inspectModule(cmd.Context(), f, args)
			a.code = code
			return err
		},
	}
	f.module.register(cmd)
	f.sandbox.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.measure, "measure", "", "file or folder with resources to run the module on, for a suggestion of limits")
	flags.StringVar(&f.input, "input", "", "file or folder with the resources that it would be run on")
	flags.StringVar(&f.fnConfig, "fn-config", "", "file with the functionConfig")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

func (a *app) inspectModule(ctx context.Context, f inspectFlags, args []string) (int, error) {
	if err := oneOf("--output", f.output, "text", "json"); err != nil {
		return 0, err
	}
	if err := nameArgument(&f.module, args); err != nil {
		return 0, err
	}
	if f.measure != "" {
		return a.measureModule(ctx, f)
	}
	s := a.openWith(ctx, judgeFlags{originFlags: f.module.originFlags, sandbox: f.sandbox}, nil)
	defer s.close()
	p, err := s.pipeline(false)
	if err != nil {
		return 0, err
	}
	input := &krm.ResourceList{}
	if f.input != "" || f.fnConfig != "" {
		if input, err = a.inspectedInput(f.input, f.fnConfig); err != nil {
			return 0, err
		}
	}
	bundles, err := f.module.trust.readBundles()
	if err != nil {
		return 0, err
	}
	facts, rep, err := p.Inspect(ctx, pipeline.Request{
		Image: f.module.image, File: f.module.file, Bundles: bundles, NamedBy: pipeline.NamedByFlag, Input: input, FailOn: pipeline.FailNever,
	})
	if err != nil {
		return 0, err
	}
	if code := rep.Outcome.ExitCode(); rep.Outcome.Stage != "" {
		return code, report.Text(a.err, rep, report.Options{})
	}
	if f.output == "json" {
		return 0, report.WriteJSON(a.out, facts)
	}
	return 0, report.Facts(a.out, facts, rep)
}

func (a *app) inspectedInput(input, fnConfig string) (*krm.ResourceList, error) {
	if input != "" {
		return a.input([]string{input}, fnConfig)
	}
	data, err := readBounded(fnConfig, krm.DefaultLimits().Bytes)
	if err != nil {
		return nil, err
	}
	config, err := krm.ParseConfig(fnConfig, data, krm.DefaultLimits())
	return &krm.ResourceList{FunctionConfig: config}, err
}

// measureModule runs the module once and suggests limits from what it used. What
// the function changed does not matter here, and none of it leaves.
func (a *app) measureModule(ctx context.Context, f inspectFlags) (int, error) {
	box, err := sandbox.New(f.sandbox.config())
	if err != nil {
		return 0, &pipeline.UsageError{Message: err.Error()}
	}
	s := a.openWith(ctx, judgeFlags{originFlags: f.module.originFlags, sandbox: f.sandbox}, box)
	defer s.close()
	p, err := s.pipeline(false)
	if err != nil {
		return 0, err
	}
	input, err := a.inspectedInput(f.measure, f.fnConfig)
	if err != nil {
		return 0, err
	}
	bundles, err := f.module.trust.readBundles()
	if err != nil {
		return 0, err
	}
	rep, err := p.Run(ctx, pipeline.Request{
		Image: f.module.image, File: f.module.file, Bundles: bundles, NamedBy: pipeline.NamedByFlag, Input: input, FailOn: pipeline.FailNever,
	})
	if err != nil {
		return 0, err
	}
	if !rep.Outcome.OK && rep.Outcome.Stage != pipeline.StageCheck {
		return rep.Outcome.ExitCode(), report.Text(a.err, rep, report.Options{})
	}
	if f.output == "json" {
		return 0, report.MeasureJSON(a.out, rep)
	}
	return 0, report.Measure(a.out, rep)
}
