package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
	"github.com/krmsafe/krmsafe/policy"
)

// maxDocumentBytes bounds a document of facts or of changes.
const maxDocumentBytes = 64 << 20

// policyEvalFlags are the flags of `krmsafe policy eval`.
type policyEvalFlags struct {
	module   moduleFlags
	policy   policyFlags
	sandbox  sandboxFlags
	fnConfig string
	document string
	output   string
}

func (a *app) policyEvalCommand() *cobra.Command {
	var f policyEvalFlags
	cmd := &cobra.Command{
		Use:   "eval [DIR|FILE|-]",
		Short: "explain what a policy decides, without running anything",
		Long: `Asks the policy whether a module may run on the resources in DIR or FILE, or on
none, and explains the answer: for each reason the rule that gives it, with its
title and where it stands, the facts that the rule reads, and the remedy; and
what the policy grants: limits, view and changes. The module is fetched, verified
and inspected as krmsafe run does, and not run.

With --document it judges a document of facts or of changes instead, such as
krmsafe inspect -o json prints.

Exit codes: 0 allowed, 3 refused, 5 a document of changes is refused, 1 could not
judge, 2 usage or configuration.`,
		Example: `  krmsafe policy eval ./manifests --image ghcr.io/acme/set-metadata:v1 --key acme.pub --policy org.rego
  krmsafe inspect ./fn.wasm -o json | krmsafe policy eval --document - --policy org.rego -o json`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			code, err := a.evalPolicy(cmd.Context(), f, args)
			a.code = code
			return err
		},
	}
	f.module.register(cmd)
	f.policy.register(cmd)
	f.sandbox.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.fnConfig, "fn-config", "", "file with the functionConfig")
	flags.StringVar(&f.document, "document", "", "judge this document of facts or changes, - for standard input, and no module")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

func (a *app) evalPolicy(ctx context.Context, f policyEvalFlags, args []string) (int, error) {
	if err := oneOf("--output", f.output, "text", "json"); err != nil {
		return 0, err
	}
	if f.document != "" && (len(args) > 0 || f.module.image != "" || f.module.file != "" || f.fnConfig != "") {
		return 0, &pipeline.UsageError{Message: "--document says all that is judged", Hint: "leave out the resources, the functionConfig and the module"}
	}
	registry := f.module.registry // as the operator set it
	f.policy.fetch = fetcher(ctx, func() (*oci.Client, error) { return registry.client(a, nil) })
	rego, err := f.policy.load(ctx, f.sandbox.jail)
	if err != nil {
		return 0, err
	}
	defer rego.close()
	document, rep, err := a.evaluated(ctx, f, args)
	if err != nil {
		return 0, err
	}
	if rep != nil {
		return rep.Outcome.ExitCode(), report.Text(a.err, rep, report.Options{})
	}
	explanation, err := rego.policy.Explain(ctx, document)
	if err != nil {
		return 0, err
	}
	code := pipeline.ExitOK
	switch {
	case explanation.Decision.Allow:
	case explanation.Package == "krmsafe.output":
		code = pipeline.ExitOutputRefused
	default:
		code = pipeline.ExitRefused
	}
	if f.output == "json" {
		return code, report.WriteJSON(a.out, explanation)
	}
	return code, report.Explanation(a.out, explanation, rego.name)
}

// evaluated is the document that the policy judges; where the module was refused
// before there could be one, it is the report of that.
func (a *app) evaluated(ctx context.Context, f policyEvalFlags, args []string) ([]byte, *pipeline.Report, error) {
	switch f.document {
	case "":
	case "-":
		document, err := readAll(a.in, "standard input", maxDocumentBytes)
		return document, nil, err
	default:
		document, err := readBounded(f.document, maxDocumentBytes)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the document: %w", err)
		}
		return document, nil, nil
	}
	seen, rep, err := a.observe(ctx, observeFlags{module: f.module, sandbox: f.sandbox, fnConfig: f.fnConfig}, args)
	if err != nil || rep.Outcome.Stage != "" {
		return nil, rep, err
	}
	document, err := json.Marshal(seen)
	return document, nil, err
}

// observeFlags name a module and what it would be run on.
type observeFlags struct {
	module   moduleFlags
	sandbox  sandboxFlags
	fnConfig string
}

// observe gathers the facts of a module without running it, as a policy would see
// them. The report tells of a refusal where its outcome has a stage.
func (a *app) observe(ctx context.Context, f observeFlags, args []string) (policy.Facts, *pipeline.Report, error) {
	req, err := a.observed(&f, args)
	if err != nil {
		return policy.Facts{}, nil, err
	}
	s := a.openWith(ctx, judgeFlags{originFlags: f.module.originFlags, sandbox: f.sandbox}, nil)
	defer s.close()
	p, err := s.pipeline(f.module.registry.publicOnly)
	if err != nil {
		return policy.Facts{}, nil, err
	}
	return p.Inspect(ctx, req)
}

// observed is the request that flags and arguments make. As in a run, a registry
// that only the functionConfig names must be a public one, which f says from then
// on.
func (a *app) observed(f *observeFlags, args []string) (pipeline.Request, error) {
	req := pipeline.Request{
		Image: f.module.image, File: f.module.file, NamedBy: "flag", Input: &krm.ResourceList{}, FailOn: pipeline.FailNever,
	}
	if req.Image == "" && req.File == "" {
		req.NamedBy, f.module.registry.publicOnly = "function-config", true
	}
	var err error
	switch {
	case len(args) > 0:
		req.Input, err = a.input(args, f.fnConfig)
	case f.fnConfig != "":
		req.Input, err = a.inspectedInput("", f.fnConfig)
	}
	if err != nil {
		return req, err
	}
	if req.Bundles, err = f.module.trust.readBundles(); err != nil {
		return req, err
	}
	return req, nameModule(&req, f.fnConfig)
}
