package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/policy"
)

// wrapperFlags are the settings of the verbs that kustomize and kpt start.
type wrapperFlags struct {
	results   string
	functions string
}

// functionsUsage is what --functions means to every verb that has it.
const functionsUsage = "file with a FunctionMap: which module stands in for which container image (for migrate and run --pipeline, or program)"

func (f *wrapperFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.results, "results", "auto", "where results go: stderr, list (the ResourceList's results), both, or auto, which knows kustomize from kpt")
	cmd.Flags().StringVar(&f.functions, "functions", "", functionsUsage)
}

// execFlags are the flags of `krmsafe exec` and of the other verbs that kustomize
// and kpt start.
type execFlags struct {
	judgeFlags
	wrapperFlags
	module nameFlags
	view   viewFlags
	kind   string
	byKpt  bool // the client is known to be kpt
}

func (f *execFlags) register(cmd *cobra.Command) {
	f.judgeFlags.register(cmd)
	f.wrapperFlags.register(cmd)
	f.view.register(cmd)
	cmd.Flags().StringVarP(&f.kind, "type", "t", "auto", "what the function is for: mutator (or transformer), validator, generator, or auto")
	cmd.Flags().SortFlags = false
}

const execLong = `Runs one function for a client that starts programs: kustomize, as an exec function,
or kpt. It reads a ResourceList from standard input and writes one to standard
output. krmsafe without a verb does the same where a ResourceList is piped into it.

The module is named by --image or --file, or by the functionConfig's annotation
krmsafe.dev/function, which holds what KEP-4944 writes (wasip1: {image: …} or
{file: …}). A file is relative to the kustomization, or under kpt to the package,
and lies in its workspace.

A tree may have written these arguments, the functionConfig and, under kustomize,
the environment. So whom to trust and which policy decides is read from
the operator's configuration alone: /etc/krmsafe/config.yaml, then
.config/krmsafe/config.yaml in the user's home. Of the flags below, the arguments
may only give those that name the module or tighten: limits, --fail-on,
--check-determinism, --offline. See krmsafe config.

A refusal ends with an exit code that is not 0 (see krmsafe run), its reason on
standard error, and the unchanged resources with an error result on standard
output: never with an empty list, which some clients take for success.`

func (a *app) execCommand() *cobra.Command {
	f := &execFlags{}
	cmd := &cobra.Command{
		Use:         "exec",
		Short:       "run one function for kustomize or kpt, as an exec function",
		Long:        execLong,
		Annotations: map[string]string{foreign: foreignArguments},
		Example: `  # in a functionConfig, for kustomize 5.0 and later:
  metadata:
    annotations:
      config.kubernetes.io/function: |
        exec: {path: krmsafe}
      krmsafe.dev/function: |
        wasip1: {image: ghcr.io/acme/set-metadata:v1}

  # in a Kptfile:
  pipeline:
    mutators:
    - exec: krmsafe exec --image ghcr.io/acme/set-metadata:v1`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return (&wrapped{app: a, cmd: cmd, flags: f, named: (*wrapped).namedByTree}).serve(cmd.Context())
		},
	}
	f.module.register(cmd)
	f.register(cmd)
	hideRefused(cmd)
	return cmd
}

// implicit runs krmsafe without a verb: as exec where a ResourceList is piped in,
// and else it shows the help.
func (a *app) implicit(root *cobra.Command) error {
	if file, is := a.in.(*os.File); is {
		if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice != 0 {
			return root.Help()
		}
	}
	// One look ahead: whoever starts krmsafe in a script without a verb gets the help.
	first := make([]byte, 1)
	if n, err := io.ReadFull(a.in, first); n == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading standard input: %w", err)
		}
		return root.Help()
	}
	a.in = io.MultiReader(bytes.NewReader(first), a.in)
	cmd := a.execCommand()
	cmd.SetContext(root.Context())
	return cmd.RunE(cmd, nil)
}

// A wrapped is one run for a client.
type wrapped struct {
	app   *app
	cmd   *cobra.Command
	flags *execFlags
	// named fills in which module the request is about.
	named func(*wrapped, *pipeline.Request) error

	list  *krm.ResourceList // nil until it was read
	rep   *pipeline.Report  // nil until there is one
	begun bool              // the product was begun to be written
}

// serve runs a function on the ResourceList of standard input. The input is read
// before anything else, so that every refusal can give it back.
func (w *wrapped) serve(ctx context.Context) error {
	failed := w.read()
	if err := w.app.configure(w.cmd); err != nil {
		failed = err // what the operator or the arguments have to mend comes first
	}
	if failed != nil {
		return errors.Join(failed, w.refuse(failed))
	}
	w.flags.sayResults(w.list)
	// Compiled code is believed by a key in the user's home, and a tree can name
	// another home in the environment.
	w.flags.cache.home = w.app.places.home
	code, err := w.app.account(w.flags.judgeFlags, ending{product: w.product}, func() (reports []*pipeline.Report, err error) {
		w.rep, err = w.run(ctx)
		failed = err
		if w.rep != nil {
			reports = append(reports, w.rep)
		}
		return reports, err
	})
	w.app.code = code
	if err == nil && code == pipeline.ExitOK || w.begun {
		return err
	}
	if err != nil {
		failed = err
	}
	return errors.Join(err, w.refuse(failed))
}

func (w *wrapped) read() error {
	data, err := readAll(w.app.in, "standard input", krm.DefaultLimits().Bytes)
	if err != nil {
		return err
	}
	list, err := krm.ReadStream(data, krm.DefaultLimits())
	if err != nil {
		return err
	}
	if list.Plain {
		return &pipeline.UsageError{Message: "standard input holds no ResourceList", Hint: "kustomize and kpt write one; for plain manifests use krmsafe run"}
	}
	w.list = list
	return nil
}

// run finds the module and runs it.
func (w *wrapped) run(ctx context.Context) (*pipeline.Report, error) {
	f := w.flags
	for _, err := range []error{
		oneOf("--results", f.results, resultsStderr, resultsList, resultsBoth, resultsAuto),
		oneOf("--type", f.kind, "auto", "mutator", "transformer", "validator", "generator"),
		w.app.told(),
	} {
		if err != nil {
			return nil, err
		}
	}
	view, err := f.view.selection()
	if err != nil {
		return nil, err
	}
	if len(view.Match) == 0 && len(view.Exclude) == 0 && w.list.Packaged() {
		// kpt shows every function the Kptfile, and one that labels all it sees
		// would be refused for changing what steers a tool.
		view.Exclude = []policy.Selector{{Kind: "Kptfile"}}
	}
	req := pipeline.Request{Input: w.list, Role: f.role(w.list), View: view}
	if err := w.named(w, &req); err != nil {
		return nil, err
	}
	s, err := w.app.open(ctx, f.judgeFlags)
	if err != nil {
		return nil, err
	}
	defer s.close()
	rep, err := s.run(ctx, req)
	if rep != nil && !rep.Outcome.OK && rep.Outcome.Stage != "" && strings.Contains(rep.Outcome.Hint, "--") {
		rep.Outcome.Hint += "; flags here are keys of " + strings.Join(w.app.operated.found, " or ")
	}
	return rep, err
}

// told refuses to go on where no operator has said anything.
func (a *app) told() error {
	if len(a.operated.found) > 0 {
		return nil
	}
	return &pipeline.UsageError{
		Message: "there is no operator's configuration, and without one nobody is trusted: looked for " + strings.Join(a.operated.looked, " and "),
		Hint:    `write it, for example with the lines "key: /etc/krmsafe/acme.pub" and "policy: builtin:baseline"; docs/config.md has the keys`,
	}
}

// role is what the policy is told that the function is for.
func (f *execFlags) role(list *krm.ResourceList) string {
	if role := roles[f.kind]; role != "" {
		return role
	}
	if list.OnlyOwnConfig() { // so kustomize calls generators
		return policy.RoleGenerator
	}
	return policy.RoleTransformer
}

// namedByTree takes the module from the arguments or from the functionConfig. The
// tree wrote both.
func (w *wrapped) namedByTree(req *pipeline.Request) error {
	req.Image, req.File = w.flags.module.image, w.flags.module.file
	if req.Image == "" && req.File == "" {
		spec, err := krm.ParseWrapped(w.list.FunctionConfig)
		if errors.Is(err, krm.ErrNoFunction) {
			return &pipeline.UsageError{
				Message: "no module is named",
				Hint:    `add the annotation krmsafe.dev/function to the functionConfig, with "wasip1: {image: REF}" or "wasip1: {file: PATH}"; or the argument --image or --file`,
			}
		}
		if err != nil {
			return err
		}
		req.Image, req.File = spec.Image, spec.File
	}
	base, err := w.base(req.File)
	if err != nil {
		return err
	}
	file := req.File
	if err := confine(req, base); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return &pipeline.UsageError{
		Message: fmt.Sprintf("there is no module %q in %s", file, base),
		Hint:    "a file is relative to the kustomization that lists the function, under kpt to the package",
	}
}

// base is the folder that a file that a tree names is relative to: under kpt the
// package, since kpt starts functions wherever it was started itself, and else the
// current one, which kustomize makes the kustomization's. Which package it is is a
// claim of the input, and so it must lie in the workspace of the current folder.
func (w *wrapped) base(file string) (string, error) {
	if file == "" || krm.NamesProgram(w.list.FunctionConfig) || !w.list.Packaged() {
		return ".", nil
	}
	root, err := w.list.PackageRoot()
	if err != nil {
		return "", err
	}
	inside, err := insideWorkspace(root)
	if err == nil && !inside {
		err = &pipeline.UsageError{
			Message: fmt.Sprintf("the input names the package %q, which lies outside the workspace of the current folder, and %q relative to it", root, file),
			Hint:    "start the client inside the workspace of the package, or name the module by an image",
		}
	}
	return root, err
}
