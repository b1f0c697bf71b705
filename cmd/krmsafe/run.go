package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/policy"
)

// runFlags are the flags of `krmsafe run`.
type runFlags struct {
	judgeFlags
	module   nameFlags
	view     viewFlags
	fnConfig string
	kind     string
	to       string
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
image must be signed by somebody you trust: --key, --certificate-identity with
--certificate-oidc-issuer, or a file with --trust. A Rego policy then decides
whether it may run, with which limits, and what it sees; it runs in a process of
its own, without files, network or environment. Resources that it is not shown
are put back unchanged; of Secrets it sees placeholders, unless the policy says
otherwise. (A functionConfig that is a Secret it sees as it is; what it says of
the values is masked.) What it changed is compared field by field, and the policy decides
again. Only if all of that went well is the result printed.

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
	f.register(cmd)
	f.view.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.fnConfig, "fn-config", "", "file with the functionConfig")
	flags.StringVarP(&f.kind, "type", "t", "mutator", "what the function is for: mutator (or transformer), validator or generator")
	flags.StringVar(&f.to, "to", "resourcelist", "what to print: resourcelist or manifests")
	return cmd
}

// roles are the words of --type: kpt's, and those of the policy.
var roles = map[string]string{
	"mutator": policy.RoleTransformer, "transformer": policy.RoleTransformer,
	"validator": policy.RoleValidator, "generator": policy.RoleGenerator,
}

func (a *app) runFunction(ctx context.Context, f runFlags, args []string) (int, error) {
	var rep *pipeline.Report
	print := func() (func() error, error) {
		product, err := encode(rep, f.to)
		return func() error { return a.deliver(product) }, err
	}
	return a.account(f.judgeFlags, ending{location: f.fnConfig, product: print}, func() ([]*pipeline.Report, error) {
		var err error
		if rep, err = a.judge(ctx, f, args); rep == nil {
			return nil, err
		}
		return []*pipeline.Report{rep}, err
	})
}

func encode(rep *pipeline.Report, to string) ([]byte, error) {
	write := rep.Emit.Encode
	if to == "manifests" {
		write = rep.Emit.Manifests
	}
	product, err := write()
	if err != nil {
		return nil, fmt.Errorf("writing the output: %w", err)
	}
	return product, nil
}

// emptyInputError says that there is nothing to run a function on: more likely the
// program before krmsafe in the pipe failed than that no resource is meant.
type emptyInputError struct{}

func (*emptyInputError) Error() string { return "the input holds no resources" }

// errBug is in the chain of an error that should have been impossible.
var errBug = errors.New("this is a bug in krmsafe")

// judge goes as far as the report: nothing is printed here.
func (a *app) judge(ctx context.Context, f runFlags, args []string) (*pipeline.Report, error) {
	for _, err := range []error{
		oneOf("--to", f.to, "resourcelist", "manifests"),
		oneOf("--type", f.kind, "mutator", "transformer", "validator", "generator"),
	} {
		if err != nil {
			return nil, err
		}
	}
	view, err := f.view.selection()
	if err != nil {
		return nil, err
	}
	// The child's start and the policy's compilation hide behind all that is read
	// here, and behind the wait for whoever writes the input.
	s, err := a.open(ctx, f.judgeFlags)
	if err != nil {
		return nil, err
	}
	defer s.close()
	input, err := a.input(args, f.fnConfig)
	if err != nil {
		return nil, err
	}
	if input.Plain && len(input.Items) == 0 && roles[f.kind] != policy.RoleGenerator {
		return nil, &emptyInputError{}
	}
	req := pipeline.Request{Image: f.module.image, File: f.module.file, Input: input, Role: roles[f.kind], View: view}
	// Whoever wrote the functionConfig must not reach into the network that
	// krmsafe runs in by naming a registry there.
	req.NamedBy = pipeline.NamedByFlag
	if req.Image == "" && req.File == "" {
		req.NamedBy = pipeline.NamedByFunctionConfig
	}
	if err := nameModule(&req, f.fnConfig); err != nil {
		return nil, err
	}
	return s.run(ctx, req)
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
	if err != nil {
		return nil, err
	}
	for _, s := range list.Skipped {
		if s.Unread { // a gate must not pass what it did not see
			return nil, fmt.Errorf("reading %s: it is %s, which is not followed, and what it holds would go unjudged; name the folder of the files themselves, or take it away", s.Path, s.Reason)
		}
	}
	if fnConfig == "" {
		return list, nil
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
	return confine(req, filepath.Dir(fnConfig)) // of standard input: the current folder
}
