package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
	"github.com/krmsafe/krmsafe/policy"
)

// policyCheckFlags are the flags of `krmsafe policy check`.
type policyCheckFlags struct {
	policy     policyFlags
	registry   registryFlags
	jail       string
	failOnWarn bool
	output     string
}

func (a *app) policyCheckCommand() *cobra.Command {
	var f policyCheckFlags
	cmd := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "check a policy as strictly as a run would load it",
		Long: `Compiles one policy with its tests as krmsafe run does: strictly, against the
schema of its input, without builtin functions that reach beyond the input, and
without rules that nobody would evaluate. It is then tried on inputs that no
careful policy allows. policy is the folder where none is named.

A rule whose reason has no title or no remedy in its metadata is a warning.

Exit codes: 0 a run would load the policy, 3 it would not, 2 usage, 1 something
could not be read.`,
		Example: `  krmsafe policy check policy
  krmsafe policy check policy -o sarif >policy.sarif`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.checkPolicy(cmd.Context(), f, args) },
	}
	f.policy.register(cmd)
	f.registry.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.jail, "require-jail", "full", "how much the process that evaluates the policy must be confined: full, partial or none; less than full lowers safety")
	flags.BoolVar(&f.failOnWarn, "fail-on-warn", false, "a warning fails the check")
	registerKind(cmd, &f.output)
	return cmd
}

func (a *app) checkPolicy(ctx context.Context, f policyCheckFlags, args []string) error {
	if err := oneOf("--output", f.output, report.Kinds()...); err != nil {
		return err
	}
	f.policy.name(args)
	named := f.policy.onDisk()
	f.policy.sources = slices.DeleteFunc(f.policy.sources, isRegoTest) // a test is no part of the policy
	f.policy.fetch = fetcher(ctx, func() (*oci.Client, error) { return f.registry.client(a, nil) })
	cfg, foreign, err := f.policy.config()
	if err != nil {
		return err
	}
	var tests []policy.Source
	for _, name := range named {
		found, err := policy.TestSourcesPath(name)
		if err != nil {
			return err
		}
		tests = append(tests, slices.DeleteFunc(found, func(s policy.Source) bool { return !isRegoTest(s.Name) })...)
	}
	if foreign {
		jailed, err := policy.NewJailed(policy.JailConfig{Level: f.jail})
		if err != nil {
			return &pipeline.UsageError{Message: err.Error()}
		}
		defer jailed.Close()
		cfg.Evaluator = jailed
	}
	log := report.Log{Command: "krmsafe policy check"}
	survey, err := policy.Check(ctx, cfg, tests)
	if complaints := complaintsOf(err, strings.Join(f.policy.sources, ",")); complaints != nil {
		log.Findings = complaints
	} else if err != nil {
		return err
	} else {
		log.Findings = append(surveyed(survey), undocumented(cfg.Sources)...)
		log.Notes = []string{"policy " + survey.Digest}
	}
	log.ExitCode = verdict(log.Findings, f.failOnWarn)
	return a.finishLog(log, f.output)
}

// complaintsOf are what makes a policy one that a run would not load; none where
// err says that nothing was checked.
func complaintsOf(err error, name string) []report.Finding {
	var compile *policy.CompileError
	var load *policy.LoadError
	switch {
	case errors.As(err, &compile):
		var out []report.Finding
		for _, p := range compile.Errors {
			out = append(out, report.Finding{
				Subject: cmp.Or(p.File, name), File: p.File, Row: p.Row, Column: p.Col, Group: "compile", Rule: p.Code, Status: report.StatusFailure, Message: p.Message, Remedy: p.Hint(),
			})
		}
		return out
	case errors.As(err, &load):
		return []report.Finding{{Subject: name, Group: "load", Rule: load.Code, Status: report.StatusFailure, Message: load.Message, Remedy: load.Hint}}
	default:
		return nil
	}
}

// surveyed says what of a policy that loads was looked at.
func surveyed(s *policy.Survey) []report.Finding {
	var out []report.Finding
	for _, f := range s.Files {
		out = append(out, report.Finding{File: f.File, Group: f.Package, Rule: "policy.compile", Status: report.StatusPass})
	}
	for _, answer := range s.Answers {
		f := report.Finding{Subject: strings.Join(answer.Files, ","), Group: answer.Package, Rule: "policy.canary", Status: report.StatusPass}
		if answer.Default {
			f.Rule, f.Status, f.Message = "policy.default", report.StatusNote, answer.Package+" is answered by the policy that krmsafe ships"
		}
		out = append(out, f)
	}
	return out
}

// undocumented finds reasons that will tell a user less than they could.
func undocumented(sources []policy.Source) []report.Finding {
	packages, err := policy.Doc(sources)
	if err != nil { // it compiled, so it parses
		return nil
	}
	var out []report.Finding
	for _, p := range packages {
		for _, r := range p.Rules {
			var lacks []string
			if r.Title == "" {
				lacks = append(lacks, "title")
			}
			if r.Remedy == "" {
				lacks = append(lacks, "remedy")
			}
			if r.ID != "" && lacks != nil {
				out = append(out, report.Finding{
					File: r.File, Row: r.Row, Group: p.Package, Rule: "policy.undocumented", Status: report.StatusWarning,
					Message: "the rule that gives " + r.ID + " has no " + strings.Join(lacks, " and no ") + " in its metadata", Remedy: "say in METADATA what the rule is and what to do about it",
				})
			}
		}
	}
	return out
}

// fixturesAt reads the fixtures of a folder; a file has none.
func fixturesAt(name string) ([]policy.Fixture, error) {
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		return nil, nil //nolint:nilerr // whoever reads the policy itself says what is wrong
	}
	return policy.FixturesPath(name)
}
