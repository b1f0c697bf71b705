package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// Outcomes of a test.
const (
	TestPass  = "pass"
	TestFail  = "fail"
	TestError = "error" // the test could not be evaluated
	TestSkip  = "skip"  // its name starts with todo_
)

// TestResult is the outcome of one rule whose name starts with test_, or of
// one fixture.
type TestResult struct {
	Package string `json:"package"` // empty for a fixture
	Name    string `json:"name"`
	File    string `json:"file"`
	Row     int    `json:"row"`
	Outcome string `json:"outcome"`
	Message string `json:"message"` // why it did not pass
}

// TestReport is what came of testing a policy.
type TestReport struct {
	Results  []TestResult `json:"results"`
	Coverage Coverage     `json:"coverage"`
}

// Passed reports whether there was a test and no test failed. No test at all
// is no success: conftest verify learnt that the hard way.
func (r *TestReport) Passed() bool {
	passed := 0
	for _, result := range r.Results {
		switch result.Outcome {
		case TestPass:
			passed++
		case TestFail, TestError:
			return false
		}
	}
	return passed > 0
}

// Coverage says which lines of the policy its tests evaluated.
type Coverage struct {
	Percent float64        `json:"percent"` // of all lines that can be covered
	Files   []FileCoverage `json:"files"`   // sorted by name; tests are not counted
}

// FileCoverage is the coverage of one file.
type FileCoverage struct {
	File       string `json:"file"`
	Covered    int    `json:"covered"`    // lines evaluated by some test
	NotCovered []int  `json:"notCovered"` // the others that could be
}

// Percent is the part of the file's lines that is covered.
func (f FileCoverage) Percent() float64 {
	if len(f.NotCovered) == 0 {
		return 100
	}
	return 100 * float64(f.Covered) / float64(f.Covered+len(f.NotCovered))
}

// TestConfig is a policy with its tests. Sources holds both; see
// TestSourcesPath. A package of data.krmsafe.lib among them takes the place of
// the one in Library: that is how the library itself is tested. Coverage is of Sources, and of Library if it has tests.
type TestConfig struct {
	Library  []Source
	Defaults []Source
	Sources  []Source
	Params   []byte
	Fixtures []Fixture
	// Run chooses tests by their package and name, such as
	// krmsafe.admit_test.test_signed, and fixtures by their name. Nil runs all.
	Run *regexp.Regexp
}

// TestSourcesPath reads one .rego file, or every .rego file in a folder and
// below it with its tests.
func TestSourcesPath(name string) ([]Source, error) {
	return sourcesPath(name, func(string) bool { return true })
}

// Test compiles a policy with its tests, as strictly as Load, and runs every
// test rule and every fixture. Failing tests are in the report; an error means
// that there is nothing to test or that it does not compile. Tests run in this
// process, bounded in time and not in memory: test the policies you write, not
// those you were sent.
func Test(ctx context.Context, cfg TestConfig) (*TestReport, error) {
	params, err := decodeParams(cfg.Params)
	if err != nil {
		return nil, err
	}
	cfg.Library = namedApart(cfg.Library, cfg.Sources)
	modules, err := parse(slices.Concat(cfg.Library, cfg.Sources))
	if err != nil {
		return nil, err
	}
	if twice := checkTwice(modules); len(twice) > 0 {
		return nil, compileError(twice)
	}
	withoutReplaced(cfg.Library, modules, cfg.Sources)
	answered := map[string]bool{}
	for _, m := range modules {
		answered[packageOf(m)] = true
	}
	defaults, err := parse(cfg.Defaults)
	if err != nil {
		return nil, err
	}
	for name, m := range defaults {
		if !answered[packageOf(m)] {
			modules[name] = m
		}
	}
	run := &testRun{only: cfg.Run, modules: modules, params: params, cover: cover.New(), counted: counted(cfg, modules)}
	if err := run.rules(ctx); err != nil {
		return nil, err
	}
	if len(cfg.Fixtures) > 0 {
		if err := run.fixtures(ctx, cfg); err != nil {
			return nil, err
		}
	}
	if len(run.results) == 0 && cfg.Run != nil {
		return nil, &LoadError{Code: "policy.no_tests", Message: fmt.Sprintf("no test of the policy matches %q", cfg.Run), Hint: "tests are matched by package and name, such as krmsafe.admit_test.test_signed"}
	}
	if len(run.results) == 0 {
		return nil, &LoadError{Code: "policy.no_tests", Message: "the policy has no test", Hint: "write rules whose names start with test_ in files that end in _test.rego"}
	}
	slices.SortStableFunc(run.results, func(a, b TestResult) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Name, b.Name))
	})
	return &TestReport{Results: run.results, Coverage: run.coverage()}, nil
}

// counted returns the modules whose coverage counts: all that come with tests,
// whether or not a test reaches them.
func counted(cfg TestConfig, modules map[string]*ast.Module) map[string]*ast.Module {
	out := map[string]*ast.Module{}
	for _, sources := range [][]Source{cfg.Library, cfg.Sources} {
		if !slices.ContainsFunc(sources, func(s Source) bool { return isTest(s.Name) }) {
			continue
		}
		for _, s := range sources {
			if !isTest(s.Name) && modules[s.Name] != nil {
				out[s.Name] = modules[s.Name]
			}
		}
	}
	return out
}

type testRun struct {
	only    *regexp.Regexp
	modules map[string]*ast.Module
	params  map[string]any
	cover   *cover.Cover
	counted map[string]*ast.Module // modules whose coverage counts
	results []TestResult
}

// rules runs the test rules, those over one kind of input together.
func (t *testRun) rules(ctx context.Context) error {
	for _, e := range entries {
		group, tests := testGroup(e, t.modules)
		if len(tests) == 0 {
			continue
		}
		compiler, err := compile(e, group)
		if err != nil {
			return err
		}
		for _, name := range tests {
			if err := t.module(ctx, compiler, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// testGroup returns the test files over one kind of input with all that they
// reach, and their names.
func testGroup(e entry, modules map[string]*ast.Module) (group map[string]*ast.Module, tests []string) {
	group = map[string]*ast.Module{}
	used := uses{}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		if !isTest(name) {
			continue
		}
		reached := closure(packageOf(modules[name]), modules, used)
		if schemaEntry(reached).pkg == e.pkg {
			maps.Copy(group, reached)
			tests = append(tests, name)
		}
	}
	return group, tests
}

// schemaEntry tells from the input that modules read whether they judge facts
// or changes.
func schemaEntry(modules map[string]*ast.Module) entry {
	properties, _ := ChangesSchema()["properties"].(map[string]any)
	facts, _ := FactsSchema()["properties"].(map[string]any)
	found := admitEntry
	for _, m := range modules {
		ast.WalkRefs(m, func(ref ast.Ref) bool {
			if len(ref) > 1 && ref[0].Equal(ast.InputRootDocument) {
				field, _ := ref[1].Value.(ast.String)
				if _, ofChanges := properties[string(field)]; ofChanges && facts[string(field)] == nil {
					found = outputEntry
				}
			}
			return false
		})
	}
	return found
}

func (t *testRun) chosen(name string) bool { return t.only == nil || t.only.MatchString(name) }

func (t *testRun) module(ctx context.Context, compiler *ast.Compiler, file string) error {
	m := t.modules[file]
	seen := map[string]bool{}
	for _, rule := range m.Rules {
		name := strings.Trim(rule.Head.Ref()[0].String(), `"`)
		skip := strings.HasPrefix(name, "todo_test_")
		if (!skip && !strings.HasPrefix(name, "test_")) || seen[name] || !t.chosen(packageOf(m)+"."+name) {
			continue
		}
		seen[name] = true
		result := TestResult{Package: packageOf(m), Name: name, File: file, Row: rule.Loc().Row, Outcome: TestSkip}
		if !skip {
			result.Outcome, result.Message = t.evaluate(ctx, compiler, packageOf(m)+"."+name)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("testing the policy: %w", err)
		}
		t.results = append(t.results, result)
	}
	return nil
}

func (t *testRun) evaluate(ctx context.Context, compiler *ast.Compiler, path string) (outcome, message string) {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	results, err := rego.New(
		rego.Query("data."+path), rego.Compiler(compiler), rego.Store(inmem.NewFromObject(map[string]any{paramsPackage: t.params})),
		rego.Strict(true), rego.StrictBuiltinErrors(true), rego.Capabilities(capabilities()), rego.QueryTracer(t.cover),
	).Eval(ctx)
	if err != nil {
		var failed *evalError
		if errors.As(classify(ctx, err, DefaultTimeout), &failed) {
			return TestError, failed.reason.Message
		}
		return TestError, oneLine(err.Error())
	}
	if len(results) != 1 {
		return TestFail, "undefined"
	}
	switch value := results[0].Expressions[0].Value.(type) {
	case bool:
		if value {
			return TestPass, ""
		}
		return TestFail, "false"
	case map[string]any: // named cases: test_x[case] if …
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if value[name] != true {
				return TestFail, fmt.Sprintf("case %q is not true", name)
			}
		}
		if len(value) > 0 {
			return TestPass, ""
		}
		return TestFail, "no case is defined"
	default:
		return TestFail, "the result is " + kindOf(value) + ", want true"
	}
}

// coverage sums up by lines: one counts as covered where anything on it was
// evaluated.
func (t *testRun) coverage() Coverage {
	report := t.cover.Report(t.counted)
	out := Coverage{Files: []FileCoverage{}}
	covered, all := 0, 0
	for _, name := range slices.Sorted(maps.Keys(t.counted)) {
		file := report.Files[t.counted[name].Package.Loc().File]
		if file == nil {
			continue // it has no rule
		}
		hit, missed := rows(file.Covered), rows(file.NotCovered)
		f := FileCoverage{File: name, Covered: len(hit), NotCovered: []int{}}
		for _, row := range slices.Sorted(maps.Keys(missed)) {
			if !hit[row] {
				f.NotCovered = append(f.NotCovered, row)
			}
		}
		covered += f.Covered
		all += f.Covered + len(f.NotCovered)
		out.Files = append(out.Files, f)
	}
	if all > 0 {
		out.Percent = 100 * float64(covered) / float64(all)
	}
	return out
}

func rows(ranges []cover.Range) map[int]bool {
	out := map[int]bool{}
	for _, r := range ranges {
		for row := r.Start.Row; row <= r.End.Row; row++ {
			out[row] = true
		}
	}
	return out
}
