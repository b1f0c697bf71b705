package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
)

// inspectFlags are the flags of `krmsafe inspect`.
type inspectFlags struct {
	module   moduleFlags
	sandbox  sandboxFlags
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
as its input; --input adds the resources that it would be run on.`,
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
	p, end, err := a.pipeline(ctx, runFlags{module: f.module, sandbox: f.sandbox}, nil)
	if err != nil {
		return 0, err
	}
	defer end()
	input := &krm.ResourceList{}
	if f.input != "" || f.fnConfig != "" {
		if input, err = a.inspectedInput(f); err != nil {
			return 0, err
		}
	}
	bundles, err := f.module.trust.readBundles()
	if err != nil {
		return 0, err
	}
	facts, rep, err := p.Inspect(ctx, pipeline.Request{
		Image: f.module.image, File: f.module.file, Bundles: bundles, Input: input, FailOn: pipeline.FailNever,
	})
	if err != nil {
		return 0, err
	}
	if code := rep.Outcome.ExitCode(); rep.Outcome.Stage != "" {
		return code, report.Text(a.err, rep, report.Options{})
	}
	if f.output == "json" {
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		return 0, enc.Encode(facts)
	}
	return 0, report.Facts(a.out, facts, rep)
}

func (a *app) inspectedInput(f inspectFlags) (*krm.ResourceList, error) {
	var args []string
	if f.input != "" {
		args = []string{f.input}
		return a.input(args, f.fnConfig)
	}
	data, err := readBounded(f.fnConfig, krm.DefaultLimits().Bytes)
	if err != nil {
		return nil, err
	}
	config, err := krm.ParseConfig(f.fnConfig, data, krm.DefaultLimits())
	return &krm.ResourceList{FunctionConfig: config}, err
}
