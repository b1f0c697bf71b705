package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/policy"
)

// runFlags are the flags of `krmsafe run`.
type runFlags struct {
	judgeFlags
	module    nameFlags
	view      viewFlags
	to        destinationFlags
	tree      treeFlags
	pipeline  kptfileFlags
	catalog   catalogFlags
	fnConfigs []string
	results   string
	kind      string
}

// treeFlags say what of a directory functions get, and what they may do to it.
type treeFlags struct {
	nested   bool
	noIgnore bool
	complete bool
	move     bool
}

func (f *treeFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.nested, "include-subpackages", false, "take in folders with a Kptfile of their own, too")
	flags.BoolVar(&f.noIgnore, "no-ignore", false, "take in what .krmignore files name, too")
	flags.BoolVar(&f.complete, "fail-on-left-out", false, "fail where a file or folder of the directory is left out that other tools may read: for validators")
	flags.BoolVar(&f.move, "allow-move", false, "let functions move resources to other files of the directory")
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [DIR|FILE|-] [-- KEY=VALUE…]",
		Short: "verify, judge and run functions on resources",
		Long: `Runs functions on the resources of a directory, which it rewrites in place, or of
a ResourceList or plain manifests from a file or standard input, which it prints.

The module is named by --image or --file, or else by the functionConfig's own
annotation config.kubernetes.io/function (wasip1: {image: …} or {file: …}). An
image must be signed by somebody you trust: --key, --certificate-identity with
--certificate-oidc-issuer, or a file with --trust. A Rego policy then decides
whether it may run, with which limits, and what it sees; it runs in a process of
its own, without files, network or environment. Resources that it is not shown
are put back unchanged; of Secrets it sees placeholders, unless the policy says
otherwise. (A functionConfig that is a Secret it sees as it is; what it says of
the values is masked.) What it changed is compared field by field, and the policy decides
again.

Several functions run in order: repeat --fn-config, or run what the directory's
Kptfile names with --pipeline. What one returns the next one gets; a validator
gets it, and changes nothing.

Of a directory only those files are written of which a resource changed, and all
of them or none, after every function was allowed. Links are not followed. New
resources go to the file that the function names, or to NAMESPACE/KIND_NAME.yaml; dot-files,
kustomizations, Kptfiles and files that were not read are never written.
--dry-run writes nothing, --diff prints what it changes, and -o sends the result
elsewhere, as in kpt: -o stdout prints a ResourceList, -o unwrap plain manifests,
-o DIR writes a new directory.

Exit codes: 0 ran and the output was allowed, 1 could not judge, 2 usage or
configuration, 3 refused before running, 4 stopped while running, 5 output
refused. On any other code than 0 nothing is printed on standard output and no
file is changed.`,
		Example: `  krmsafe run ./manifests --image ghcr.io/acme/set-metadata:v1 --key acme.pub \
    --fn-config set-metadata.yaml --policy org.rego --diff

  krmsafe run --pipeline --trust trust.yaml --results-dir /tmp/results

  kustomize build . | krmsafe run --file ./fn.wasm --allow-unsigned -o unwrap -- team=shop`,
		Args: func(cmd *cobra.Command, args []string) error {
			paths, _ := splitArgs(cmd, args)
			return usage(cobra.MaximumNArgs(1))(cmd, paths)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			paths, pairs := splitArgs(cmd, args)
			code, err := a.runFunctions(cmd.Context(), f, paths, pairs)
			a.code = code
			return err
		},
	}
	f.module.register(cmd)
	f.register(cmd)
	f.view.register(cmd)
	f.to.register(cmd)
	f.tree.register(cmd)
	f.pipeline.register(cmd)
	f.catalog.register(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.fnConfigs, "fn-config", nil, "file with the functionConfig (repeat to run several functions in order, each named by its own)")
	flags.StringVarP(&f.kind, "type", "t", "mutator", "what the function is for: mutator (or transformer), validator or generator")
	flags.StringVar(&f.results, "results-dir", "", "write results.yaml into this folder, as kpt does, also where a function fails")
	return cmd
}

// splitArgs divides arguments at the "--": a path, and what follows as data of a
// functionConfig.
func splitArgs(cmd *cobra.Command, args []string) (paths, pairs []string) {
	if at := cmd.ArgsLenAtDash(); at >= 0 {
		return args[:at], args[at:]
	}
	return args, nil
}

// roles are the words of --type: kpt's, and those of the policy.
var roles = map[string]string{
	"mutator": policy.RoleTransformer, "transformer": policy.RoleTransformer,
	"validator": policy.RoleValidator, "generator": policy.RoleGenerator,
}

func (f *runFlags) check() error {
	return oneOf("--type", f.kind, "mutator", "transformer", "validator", "generator")
}

func (a *app) runFunctions(ctx context.Context, f runFlags, paths, pairs []string) (int, error) {
	b := &batch{app: a, flags: f, pairs: pairs}
	switch {
	case len(paths) == 1 && paths[0] != "-":
		b.path = paths[0]
	case len(paths) == 0 && f.pipeline.on:
		b.path = "." // as kpt fn render
	}
	defer b.close()
	e := ending{several: f.pipeline.on || len(f.fnConfigs) > 1, product: b.product, aside: b.writeResults}
	if len(f.fnConfigs) > 0 {
		e.location = f.fnConfigs[0]
	}
	return a.account(f.judgeFlags, e, func() ([]*pipeline.Report, error) { return b.run(ctx) })
}
