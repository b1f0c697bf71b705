package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
)

// runFlags are the flags of `krmsafe run`.
type runFlags struct {
	module     moduleFlags
	policy     policyFlags
	sandbox    sandboxFlags
	fnConfig   string
	to         string
	output     string
	reportFile string
	failOn     string
	quiet      bool
	lower      policy.Limits
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [DIR|FILE|-]",
		Short: "verify, judge and run one function on resources",
		Long: `Runs one function on the resources of a ResourceList or of plain manifests, read
from standard input, a file or a directory.

The module is named by --image or --file, or else by the functionConfig's own
annotation config.kubernetes.io/function (wasip1: {image: …} or {file: …}). An
image must be signed by a key named with --key. A Rego policy then decides
whether it may run and with which limits; it runs in a process of its own,
without files, network or environment. Only if all of that went well, and what
the function returned is a well-formed ResourceList, is it printed.

Exit codes: 0 ran and the output was allowed, 1 could not judge, 2 usage or
configuration, 3 refused before running, 4 stopped while running, 5 output
refused. On any other code than 0 nothing is printed on standard output.`,
		Example: `  krmsafe run ./manifests --image ghcr.io/acme/set-metadata:v1 --key acme.pub \
    --fn-config set-metadata.yaml --policy org.rego --to manifests

  kustomize build . | krmsafe run --file ./fn.wasm --allow-unsigned`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			code, err := a.runFunction(cmd.Context(), f, args)
			a.code = code
			return err
		},
	}
	f.module.register(cmd)
	f.policy.register(cmd)
	f.sandbox.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.fnConfig, "fn-config", "", "file with the functionConfig")
	flags.StringVar(&f.to, "to", "resourcelist", "what to print: resourcelist or manifests")
	flags.StringVarP(&f.output, "output", "o", "text", "the report on standard error: text or json")
	flags.StringVar(&f.reportFile, "report-file", "", "write the report to this file instead")
	flags.StringVar(&f.failOn, "fail-on", krm.SeverityError, "refuse the output on results of this severity or above: error, warning, info or never")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "say nothing of a run that went well but its results")
	registerLimits(cmd, &f.lower)
	return cmd
}

// registerLimits adds the flags that lower the policy's limits.
func registerLimits(cmd *cobra.Command, l *policy.Limits) {
	flags := cmd.Flags()
	flags.DurationVar(&l.Timeout, "timeout", 0, "lower the policy's time limit")
	flags.DurationVar(&l.CompileTimeout, "compile-timeout", 0, "lower the policy's limit on the time spent compiling")
	flags.Uint32Var(&l.MemoryPages, "memory-pages", 0, "lower the policy's memory limit, in pages of 64 KiB")
	flags.Uint64Var(&l.Fuel, "fuel", 0, "lower the policy's fuel limit, in units of fuel/v1")
	flags.Int64Var(&l.OutputBytes, "output-bytes", 0, "lower the policy's limit on the function's output, in bytes")
}

func (a *app) runFunction(ctx context.Context, f runFlags, args []string) (int, error) {
	for _, err := range []error{
		oneOf("--to", f.to, "resourcelist", "manifests"),
		oneOf("--output", f.output, "text", "json"),
		oneOf("--fail-on", f.failOn, krm.SeverityError, krm.SeverityWarning, krm.SeverityInfo, pipeline.FailNever),
	} {
		if err != nil {
			return 0, err
		}
	}
	box, err := sandbox.New(f.sandbox.config())
	if err != nil {
		return 0, &pipeline.UsageError{Message: err.Error()}
	}
	defer func() { _ = box.Close() }()
	p, err := a.pipeline(ctx, f.module, f.policy, f.sandbox, box)
	if err != nil {
		return 0, err
	}
	input, err := a.input(args, f.fnConfig)
	if err != nil {
		return 0, err
	}
	req := pipeline.Request{Image: f.module.image, File: f.module.file, Input: input, Lower: f.lower, FailOn: f.failOn}
	if err := nameModule(&req, f.fnConfig); err != nil {
		return 0, err
	}
	rep, err := p.Run(ctx, req)
	if err != nil {
		return 0, err
	}
	return a.finish(rep, f)
}

// finish writes the report and then, if all went well, the product. The product
// is complete before its first byte is written.
func (a *app) finish(rep *pipeline.Report, f runFlags) (int, error) {
	var product []byte
	if rep.Emit != nil {
		encode := rep.Emit.Encode
		if f.to == "manifests" {
			encode = rep.Emit.Manifests
		}
		var err error
		if product, err = encode(); err != nil {
			return 0, fmt.Errorf("writing the output: %w", err)
		}
	}
	if err := a.writeReport(rep, f); err != nil {
		return 0, err
	}
	code := rep.Outcome.ExitCode()
	if code != pipeline.ExitOK {
		return code, nil
	}
	if _, err := a.out.Write(product); err != nil {
		return 0, fmt.Errorf("writing standard output: %w", err)
	}
	return code, nil
}

func (a *app) writeReport(rep *pipeline.Report, f runFlags) error {
	var buf bytes.Buffer
	var err error
	if f.output == "json" {
		err = report.JSON(&buf, rep)
	} else {
		err = report.Text(&buf, rep, f.quiet)
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if f.reportFile != "" {
		if err := os.WriteFile(f.reportFile, buf.Bytes(), 0o600); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
		if f.output == "text" || rep.Outcome.OK {
			return nil
		}
		buf.Reset() // a refusal is told on standard error as well
		err = report.Text(&buf, rep, f.quiet)
	}
	if err == nil {
		_, err = a.err.Write(buf.Bytes())
	}
	return err
}

// pipeline puts together what the flags name.
func (a *app) pipeline(ctx context.Context, m moduleFlags, p policyFlags, s sandboxFlags, box *sandbox.Sandbox) (*pipeline.Pipeline, error) {
	client, err := m.client(a.getenv)
	if err != nil {
		return nil, err
	}
	verifier, err := m.verifier()
	if err != nil {
		return nil, err
	}
	rego, name, err := p.load(ctx)
	if err != nil {
		return nil, err
	}
	return pipeline.New(pipeline.Config{
		Registry: client, Verifier: verifier, AllowUnsigned: m.allowUnsigned, Policy: rego, PolicyName: name,
		Sandbox: box, Runtime: runtimeFacts(s.engine, s.jail), Date: today(), KRM: krm.DefaultLimits(),
	})
}

// today is the day in UTC. Policies compare dated exceptions with it.
func today() string {
	return time.Now().UTC().Format(time.DateOnly) //nolint:forbidigo // the one clock a command reads
}

// input reads the resources, from standard input where no path is given.
func (a *app) input(args []string, fnConfig string) (*krm.ResourceList, error) {
	limits := krm.DefaultLimits()
	var list *krm.ResourceList
	var err error
	if len(args) == 1 && args[0] != "-" {
		list, err = krm.ReadPath(args[0], limits)
	} else {
		list, err = readStdin(a.in, limits)
	}
	if err != nil || fnConfig == "" {
		return list, err
	}
	if list.FunctionConfig != nil {
		return nil, &pipeline.UsageError{
			Message: "the input already holds a functionConfig, and --fn-config names another",
			Hint:    "remove one of them",
		}
	}
	data, err := readBounded(fnConfig, limits.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the functionConfig: %w", err)
	}
	list.FunctionConfig, err = krm.ParseConfig(fnConfig, data, limits)
	return list, err
}

func readStdin(in io.Reader, limits krm.Limits) (*krm.ResourceList, error) {
	data, err := readAll(in, "standard input", limits.Bytes)
	if err != nil {
		return nil, err
	}
	return krm.ReadStream(data, limits)
}

// nameModule takes the module from the functionConfig's annotation where no
// flag names one. A file is relative to the functionConfig's own folder.
func nameModule(req *pipeline.Request, fnConfig string) error {
	if req.Image != "" || req.File != "" {
		return nil
	}
	if req.Input.FunctionConfig == nil {
		return &pipeline.UsageError{
			Message: "no module is named",
			Hint:    "use --image or --file, or a functionConfig with the annotation config.kubernetes.io/function",
		}
	}
	spec, err := krm.ParseFunction(req.Input.FunctionConfig)
	if errors.Is(err, krm.ErrNoFunction) {
		return &pipeline.UsageError{Message: err.Error(), Hint: "name the module with --image or --file"}
	}
	if err != nil {
		return err
	}
	req.Image, req.File = spec.Image, spec.File
	if req.File != "" && fnConfig != "" && !filepath.IsAbs(req.File) {
		req.File = filepath.Join(filepath.Dir(fnConfig), req.File)
	}
	return nil
}
