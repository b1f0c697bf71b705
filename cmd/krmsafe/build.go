package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/kustomize"
	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// buildFlags are the flags of `krmsafe build`.
type buildFlags struct {
	judgeFlags
	catalog     catalogFlags
	to          string
	root        string
	restrictor  string
	allowRemote bool
	helm        kustomize.Helm
	plan        bool
	denied      deniedFlags
	said        func(flag string) bool // on the command line
}

const (
	rootOnly = "LoadRestrictionsRootOnly"
	noBounds = "LoadRestrictionsNone"
)

func (a *app) buildCommand() *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "build [DIR|URL]",
		Short: "build a kustomization whose functions are verified, judged and sandboxed",
		Long: `Builds a kustomization as kustomize does, and runs the functions that it lists
under generators, transformers and validators as WebAssembly modules: each is
verified, judged by the policy, run in the sandbox and held to what it may
change, as krmsafe run does with one.

A function's configuration names its module by the annotation
config.kubernetes.io/function: "wasip1: {image: REF}" or "wasip1: {file: PATH}". A
file is relative to the kustomization that lists the function and must lie in the
workspace: the nearest folder with .git, or what --root names. Functions in nested
bases, components and git bases run where kustomize would run them.

Containers, programs, Starlark, legacy plugins and Go plugins are refused in
every spelling, as is what kustomize itself would pass over in silence. No
process is started but git, for bases that are repositories. Where no function is
listed, the output is kustomize's, byte for byte.

Exit codes: 0 built, 1 could not build or judge, 2 usage or configuration, 3 refused
before running, 4 a function was stopped or failed, 5 its output was refused. On
any other code than 0 nothing is written.`,
		Example: `  krmsafe build ./overlays/production --trust trust.yaml --policy org.rego | kubectl apply -f -

  krmsafe build . --allow-unsigned -o rendered.yaml`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.said = func(name string) bool {
				return cmd.Flags().Changed(name) && (a.operated == nil || !a.operated.filled[name])
			}
			code, err := a.build(cmd.Context(), f, args)
			a.code = code
			return err
		},
	}
	f.register(cmd)
	f.catalog.register(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&f.to, "output", "o", "", "file, or folder that exists, to write to (default: standard output)")
	flags.StringVar(&f.root, "root", "", "workspace in which modules named by file must lie (default: $KRMSAFE_ROOT, else the nearest folder with .git)")
	flags.StringVar(&f.restrictor, "load-restrictor", rootOnly, rootOnly+", or "+noBounds+": local kustomizations may read files outside their folders, and modules outside the workspace; lowers safety")
	flags.BoolVar(&f.allowRemote, "allow-remote", false, "let kustomizations read single files over HTTP; lowers safety")
	flags.BoolVar(&f.helm.Enabled, "enable-helm", false, "let kustomize start helm to inflate charts; lowers safety")
	flags.StringVar(&f.helm.Command, "helm-command", "helm", "the helm program, with --enable-helm")
	flags.StringArrayVar(&f.helm.APIVersions, "helm-api-versions", nil, "Kubernetes API versions that charts are told of")
	flags.StringVar(&f.helm.KubeVersion, "helm-kube-version", "", "Kubernetes version that charts are told of")
	flags.BoolVar(&f.helm.Debug, "helm-debug", false, "let helm write its debug output")
	flags.BoolVar(&f.plan, "plan", false, "run nothing: list the functions that would run, with module, digest, origin and verdict")
	f.denied.register(cmd)
	return cmd
}

// deniedFlags are kustomize's flags for functions that are not run here. They are
// known so that a script that has them learns why they do not work.
type deniedFlags struct {
	exec, network, user bool
	plugins             bool // says what is so anyway
	networkName         string
	env, mounts         []string
}

func (f *deniedFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.plugins, "enable-alpha-plugins", false, "accepted and without effect: functions always run, and nothing else")
	flags.BoolVar(&f.exec, "enable-exec", false, "")
	flags.BoolVar(&f.network, "network", false, "")
	flags.StringVar(&f.networkName, "network-name", "", "")
	flags.BoolVar(&f.user, "as-current-user", false, "")
	flags.StringArrayVarP(&f.env, "env", "e", nil, "")
	flags.StringArrayVar(&f.mounts, "mount", nil, "")
	for _, name := range []string{"enable-alpha-plugins", "enable-exec", "network", "network-name", "as-current-user", "env", "mount"} {
		_ = flags.MarkHidden(name)
	}
}

func (f *deniedFlags) check() error {
	for _, flag := range []struct {
		name, why string
		set       bool
	}{
		{"--enable-exec", "krmsafe build starts no programs", f.exec},
		{"--network", "functions have no network", f.network},
		{"--network-name", "functions have no network", f.networkName != ""},
		{"--as-current-user", "functions run as no user of the system's", f.user},
		{"--env", "functions see no environment", len(f.env) > 0},
		{"--mount", "functions see no files", len(f.mounts) > 0},
	} {
		if flag.set {
			return &pipeline.UsageError{Message: flag.name + ": " + flag.why, Hint: "leave it out; a function takes its settings from its configuration"}
		}
	}
	return nil
}

func (f *buildFlags) check() error {
	if err := f.denied.check(); err != nil {
		return err
	}
	if f.plan {
		if err := f.checkPlan(); err != nil {
			return err
		}
	}
	return oneOf("--load-restrictor", f.restrictor, rootOnly, noBounds)
}

// errStopped is in the place of an outcome that its report tells of.
var errStopped = errors.New("a function was refused")

func (a *app) build(ctx context.Context, f buildFlags, args []string) (int, error) {
	if err := f.check(); err != nil {
		return 0, err
	}
	target := "."
	if len(args) == 1 {
		target = args[0]
	}
	if f.plan {
		return a.plan(ctx, f, target)
	}
	var result *kustomize.Result
	product := func() (func() error, error) { return a.rendered(result, f.to) }
	return a.account(f.judgeFlags, ending{command: "krmsafe build", location: target, several: true, product: product}, func() ([]*pipeline.Report, error) {
		var reports []*pipeline.Report
		var err error
		result, reports, err = a.kustomize(ctx, f, target)
		return reports, err
	})
}

// kustomize builds the target. The reports are of the functions that ran.
func (a *app) kustomize(ctx context.Context, f buildFlags, target string) (*kustomize.Result, []*pipeline.Report, error) {
	options, known, err := a.buildOptions(ctx, f, target)
	if err != nil {
		return nil, nil, err
	}
	s, err := a.open(ctx, f.judgeFlags)
	if err != nil {
		return nil, nil, err
	}
	defer s.close()
	r := &buildRunner{session: s, known: known}
	defer r.wait()
	options.Runner, options.Found = r, func(fn kustomize.Function) { r.ahead(ctx, fn) }
	result, err := kustomize.Build(ctx, target, options)
	if errors.Is(err, errStopped) {
		return nil, r.reports, nil
	}
	if refused, ok := errors.AsType[*kustomize.RefusedError](err); ok {
		return nil, refusedTree(r.reports, refused), nil
	}
	if err == nil { // a mistake in a flag is one even where no function ran
		err = s.ready()
	}
	return result, r.reports, err
}

// refusedTree tells of a refusal of the tree itself; where the output of the last
// function is refused, as how that one ended.
func refusedTree(reports []*pipeline.Report, refused *kustomize.RefusedError) []*pipeline.Report {
	outcome := pipeline.Outcome{Stage: pipeline.StageBuild, Code: refused.Code, Message: refused.Error(), Hint: refused.Hint}
	if !refused.Output || len(reports) == 0 {
		reports = append(reports, pipeline.NewReport())
	}
	if refused.Output {
		outcome.Stage = pipeline.StageCheck
	}
	last := reports[len(reports)-1]
	last.Outcome, last.Emit, last.ExitCode = outcome, nil, outcome.ExitCode()
	return reports
}

// buildOptions are what the flags say of a build.
func (a *app) buildOptions(ctx context.Context, f buildFlags, target string) (kustomize.Options, cataloged, error) {
	root, err := a.workspaceOf(f.root, target)
	if err != nil {
		return kustomize.Options{}, cataloged{}, err
	}
	here, err := os.Getwd()
	if err != nil {
		return kustomize.Options{}, cataloged{}, err
	}
	known, err := f.catalog.load(ctx, a, f.registry)
	return kustomize.Options{
		Root: root, Here: here, LoadRestrictionsNone: f.restrictor == noBounds, AllowRemote: f.allowRemote, Helm: f.helm, Getenv: a.getenv, Resolve: known.resolve,
	}, known, err
}

// workspaceOf is the workspace of a build: none where the target is not on this disk.
func (a *app) workspaceOf(flag, target string) (string, error) {
	switch {
	case flag != "":
		return filepath.Abs(flag)
	case a.getenv("KRMSAFE_ROOT") != "":
		return filepath.Abs(a.getenv("KRMSAFE_ROOT"))
	case !isFolder(target):
		return "", nil
	}
	return workspace(target)
}

// A buildRunner runs the functions of a build in one session.
type buildRunner struct {
	session *session
	known   cataloged
	reports []*pipeline.Report
	running sync.WaitGroup
}

// ahead looks into a function's module while kustomize goes on.
func (r *buildRunner) ahead(ctx context.Context, fn kustomize.Function) {
	r.running.Go(func() { r.session.prefetch(ctx, r.known.request(fn, nil)) })
}

func (r *buildRunner) wait() { r.running.Wait() }

// Run implements kustomize.Runner.
func (r *buildRunner) Run(ctx context.Context, call kustomize.Call) (*krm.ResourceList, error) {
	req := r.known.request(call.Function, call.Input)
	rep, err := r.session.run(ctx, req)
	if err != nil {
		r.reports = append(r.reports, reportOf(rep, req))
		return nil, fmt.Errorf("%s of %q: %w", call.Entry, call.Kustomization, err)
	}
	r.reports = append(r.reports, rep)
	if rep.Emit == nil {
		rep.Outcome.Message = fmt.Sprintf("%s of the kustomization in %q: %s", call.Entry, call.Kustomization, rep.Outcome.Message)
		return nil, errStopped
	}
	return rep.Emit, nil
}

// reportOf is the report of a function that ended in an error. It says which
// function it was.
func reportOf(rep *pipeline.Report, req pipeline.Request) *pipeline.Report {
	if rep == nil {
		rep = pipeline.NewReport()
	}
	if rep.Function.Reference == "" {
		rep.Function.Reference, rep.Function.Role, rep.Function.NamedBy = cmp.Or(req.Name, req.Image+req.File), req.Role, req.NamedBy
	}
	return rep
}

// rendered gives what writes the result.
func (a *app) rendered(result *kustomize.Result, to string) (func() error, error) {
	switch {
	case to == "":
		return func() error { return a.deliver(result.YAML) }, nil
	case isFolder(to):
		files, err := result.Files()
		return func() error { return writeFolder(to, files) }, err
	default:
		return func() error { return writeFile(to, result.YAML) }, nil
	}
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
