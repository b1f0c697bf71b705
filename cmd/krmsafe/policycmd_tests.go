package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
	"github.com/krmsafe/krmsafe/policy"
)

// policyTestFlags are the flags of `krmsafe policy test`.
type policyTestFlags struct {
	policy      policyFlags
	run         string
	coverageMin float64
	output      string
}

func (a *app) policyTestCommand() *cobra.Command {
	var f policyTestFlags
	cmd := &cobra.Command{
		Use:   "test [PATH...]",
		Short: "run the tests and fixtures of a policy",
		Long: `Runs the tests of one policy, which may lie in several files and folders; policy
is the folder where none is named. The library data.krmsafe.lib is loaded, and
data.krmsafe.lib.fixture has inputs to start from.

A test is a rule in a file that ends in _test.rego whose name starts with test_,
and passes if it is true. A fixture is a pair of files in a folder that is named:
NAME.input.json is a document of facts or of changes, as krmsafe inspect -o json
prints it, in which fields may be left out; NAME.expect.json says what the policy
must answer: {"allow": false, "reasons": ["signature.missing"], "warnings": []},
of which allow must be there and the ids of reasons and warnings may be.

A params.json in a folder that is named is read as data.params where --data names
nothing; the report says so. A run reads none but what --data names.

Coverage is the part of the policy's lines that _test.rego files evaluate. Tests
run in this process, bounded in time and not in memory.

Exit codes: 0 all tests passed, 3 a test failed or too little is covered, 2 there
is no test, or the policy does not compile, 1 something could not be read.`,
		Example: `  krmsafe policy test policy --coverage-min 95
  krmsafe policy test policy --run unsigned -o junit >report.xml`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.testPolicy(cmd.Context(), f, args) },
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.policy.sources, "policy", "p", nil, "file or folder of the policy, as an argument")
	flags.StringArrayVarP(&f.policy.data, "data", "d", nil, "YAML or JSON file that policies read as data.params (repeat to merge)")
	flags.StringVarP(&f.run, "run", "r", "", "run only the tests whose package and name match this regular expression")
	flags.Float64Var(&f.coverageMin, "coverage-min", 0, "fail where less than this percentage of lines is covered")
	registerKind(cmd, &f.output)
	return cmd
}

func (a *app) testPolicy(ctx context.Context, f policyTestFlags, args []string) error {
	if err := oneOf("--output", f.output, report.Kinds()...); err != nil {
		return err
	}
	f.policy.name(args)
	cfg, beside, err := f.policy.tests()
	if err != nil {
		return err
	}
	if cfg.Run, err = f.chosen(); err != nil {
		return err
	}
	got, err := policy.Test(ctx, cfg)
	if err != nil {
		return err
	}
	log := report.Log{Command: "krmsafe policy test", Findings: testFindings(got)}
	for _, name := range beside {
		log.Notes = append(log.Notes, "parameters "+name)
	}
	if len(got.Coverage.Files) > 0 {
		log.Notes = append(log.Notes, fmt.Sprintf("coverage %.1f %%", got.Coverage.Percent))
	}
	if got.Coverage.Percent < f.coverageMin {
		log.Findings = append(log.Findings, uncovered(got.Coverage, f.coverageMin)...)
	}
	log.ExitCode = verdict(log.Findings, false)
	return a.finishLog(log, f.output)
}

func (f *policyTestFlags) chosen() (*regexp.Regexp, error) {
	switch {
	case !(f.coverageMin >= 0 && f.coverageMin <= 100): // so that NaN is none either
		return nil, &pipeline.UsageError{Message: "--coverage-min is not a percentage", Hint: "name a number from 0 to 100"}
	case f.run == "":
		return nil, nil
	case f.coverageMin > 0:
		return nil, &pipeline.UsageError{Message: "--coverage-min asks for all tests, and --run for some", Hint: "leave one of them out"}
	}
	run, err := regexp.Compile(f.run)
	if err != nil {
		return nil, &pipeline.UsageError{Message: "--run: " + err.Error()}
	}
	return run, nil
}

// paramsName is the file that holds a policy's parameters for its tests, where
// it lies beside the policy and no flag names another.
const paramsName = "params.json"

// tests gathers a policy with its tests and fixtures. beside are the files of
// parameters that nobody named.
func (f *policyFlags) tests() (cfg policy.TestConfig, beside []string, err error) {
	data, disk := f.data, f.onDisk()
	if len(data) == 0 {
		beside = paramsBeside(disk)
		data = beside
	}
	shipped, _, err := (&policyFlags{data: data}).config()
	if err != nil {
		return policy.TestConfig{}, nil, err
	}
	cfg = policy.TestConfig{Library: shipped.Library, Defaults: shipped.Defaults, Params: shipped.Params}
	for _, name := range f.sources {
		if !slices.Contains(disk, name) {
			return cfg, nil, &pipeline.UsageError{Message: fmt.Sprintf("%q holds no tests", name), Hint: "name the files and folders that the policy is made of"}
		}
		fixtures, err := fixturesAt(name)
		if err != nil {
			return cfg, nil, err
		}
		sources, err := policy.TestSourcesPath(name)
		var empty *policy.LoadError
		if err != nil && (len(fixtures) == 0 || !errors.As(err, &empty) || empty.Code != "policy.empty") {
			return cfg, nil, err
		}
		cfg.Sources, cfg.Fixtures = append(cfg.Sources, sources...), append(cfg.Fixtures, fixtures...)
	}
	return cfg, beside, nil
}

// paramsBeside finds the files of parameters in the folders that are named.
func paramsBeside(names []string) []string {
	var out []string
	for _, name := range names {
		file := filepath.Join(name, paramsName)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			out = append(out, file)
		}
	}
	return out
}

// testFindings takes over what the tests found. That no test passed is a failure
// of its own.
func testFindings(got *policy.TestReport) []report.Finding {
	var out []report.Finding
	passed := false
	for _, r := range got.Results {
		f := report.Finding{File: r.File, Row: r.Row, Group: r.Package, Rule: r.Name, Message: r.Message, Status: report.StatusFailure}
		if f.Group == "" {
			f.Group = "fixture"
		}
		switch r.Outcome {
		case policy.TestPass:
			f.Status, passed = report.StatusPass, true
		case policy.TestSkip:
			f.Status = report.StatusSkip
		case policy.TestError:
			f.Message = "it could not be evaluated: " + r.Message
		}
		out = append(out, f)
	}
	if !passed {
		out = append(out, report.Finding{Subject: "tests", Group: "tests", Rule: "policy.no_test_passed", Status: report.StatusFailure, Message: "no test passed"})
	}
	return out
}

// uncovered says that too little is covered, and which lines are not.
func uncovered(c policy.Coverage, least float64) []report.Finding {
	out := []report.Finding{{
		Subject: "coverage", Group: "coverage", Rule: "coverage.below", Status: report.StatusFailure,
		Message: fmt.Sprintf("%.1f %% of the lines are covered, and --coverage-min asks for %g", c.Percent, least),
	}}
	for _, file := range c.Files {
		if len(file.NotCovered) == 0 {
			continue
		}
		out = append(out, report.Finding{
			File: file.File, Row: file.NotCovered[0], Group: "coverage", Rule: "coverage.missing", Status: report.StatusWarning,
			Message: "no test evaluates " + lines(file.NotCovered), Remedy: "write a test that needs them",
		})
	}
	return out
}

// lines names ascending numbers of lines: lines 3, 5-7.
func lines(rows []int) string {
	var parts []string
	for i := 0; i < len(rows); {
		j := i
		for j+1 < len(rows) && rows[j+1] == rows[j]+1 {
			j++
		}
		part := strconv.Itoa(rows[i])
		if j > i {
			part += "-" + strconv.Itoa(rows[j])
		}
		parts, i = append(parts, part), j+1
	}
	if len(rows) == 1 {
		return "line " + parts[0]
	}
	return "lines " + strings.Join(parts, ", ")
}
