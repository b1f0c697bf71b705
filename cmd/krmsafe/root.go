package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// streams are the standard streams of one invocation.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// app is what every verb is given: the streams, and the environment, which
// chooses where credentials lie and never weakens a decision.
type app struct {
	streams
	getenv   func(string) string
	places   places // of the operator's configuration
	self     string // the name by which krmsafe was started
	config   string // --config
	operated *operatorConfig
	code     int // the exit code of a verb that ended without an error
}

// run carries out one command line, which begins with the name of the program,
// and returns the exit code.
func run(ctx context.Context, args []string, std streams, getenv func(string) string, at places) int {
	a := &app{streams: std, getenv: getenv, places: at, self: args[0]}
	root := a.root(args[1:]) //nolint:contextcheck // verbs take the context from cobra when they run
	root.SetArgs(args[1:])
	if err := root.ExecuteContext(ctx); err != nil {
		return a.fail(err)
	}
	return a.code
}

// root is the command with its verbs. Of those it has all, or only the one that
// the command line begins with: to describe the flags of eighteen verbs takes longer
// than to read a ResourceList.
func (a *app) root(args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "krmsafe",
		Short: "run signed, policy-checked KRM functions in a WebAssembly sandbox",
		Long: `krmsafe runs Kubernetes configuration (KRM) functions compiled to WebAssembly.
Before a function runs, its signature is verified and a Rego policy judges its
imports, memory, fuel and time. It then runs without files, network or
environment, in a process of its own, and what it returns is checked.

Without a verb, and with a ResourceList on standard input, it is krmsafe exec.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return a.implicit(cmd) },
		// Verbs that a client starts read their input first.
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Annotations[foreign] != "" {
				return nil
			}
			return a.configure(cmd)
		},
	}
	root.PersistentFlags().StringVar(&a.config, "config", "", "file with settings in place of the system's and the user's (see krmsafe config)")
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		message, _, _ := strings.Cut(err.Error(), ": strconv.") // how Go says it
		return &pipeline.UsageError{Message: message, Hint: cmd.CommandPath() + " --help lists the flags"}
	})
	root.AddCommand(a.verbs(args)...)
	root.SetHelpCommand(helpCommand())
	return root
}

// verbs are the verbs that args may need. A verb that is made must have the name
// under which it stands here, or all are made: see TestVerbsAreFoundByName.
func (a *app) verbs(args []string) []*cobra.Command {
	makers := []struct {
		name string
		make func() *cobra.Command
	}{
		{"run", a.runCommand},
		{"build", a.buildCommand},
		{"inspect", a.inspectCommand},
		{"verify", a.verifyCommand},
		{"pull", a.pullCommand},
		{"push", a.pushCommand},
		{"lock", a.lockCommand},
		{"migrate", a.migrateCommand},
		{"catalog", a.catalogCommand},
		{"trust", a.trustCommand},
		{"policy", a.policyCommand},
		{"exec", a.execCommand},
		{"shim", a.shimCommand},
		{"docker", a.dockerCommand},
		{"docker-shim", a.dockerShimCommand},
		{"config", a.configCommand},
		{"cache", a.cacheCommand},
		{"version", a.versionCommand},
	}
	var all []*cobra.Command
	for _, m := range makers {
		if len(args) > 0 && args[0] == m.name {
			if verb := m.make(); verb.Name() == m.name {
				return []*cobra.Command{verb}
			}
		}
	}
	for _, m := range makers {
		all = append(all, m.make())
	}
	return all
}

// helpCommand is cobra's, but for a verb that does not exist: that is a usage
// error here, as everywhere.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB…]",
		Short: "show the help of a verb",
		RunE: func(cmd *cobra.Command, args []string) error {
			verb, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return &pipeline.UsageError{
					Message: fmt.Sprintf("there is no verb %q", strings.Join(args, " ")), Hint: "krmsafe --help lists the verbs",
				}
			}
			return verb.Help()
		},
	}
}

// usage makes a complaint about arguments a usage error.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &pipeline.UsageError{Message: err.Error(), Hint: cmd.CommandPath() + " --help shows what it takes"}
		}
		return nil
	}
}
