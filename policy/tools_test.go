package policy_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/policy"
)

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestExplain(t *testing.T) {
	facts := someFacts()
	facts.Verified = policy.Verified{}
	facts.Module.Memory.MinPages = 9000
	cfg := withRego(t, `package krmsafe.admit

import data.krmsafe.lib.limits as budget
import data.krmsafe.lib.signature

reasons contains r if some r in signature.required

reasons contains r if some r in budget.exceeded({"memoryPages": 100, "tableElements": 10000})

reasons contains {"id": "acme.registry", "message": "m"} if not _ours

_ours if startswith(input.request.registry, "acme")

default allow := false

allow if count(reasons) == 0
`)
	got, err := load(t, cfg).Explain(context.Background(), asJSON(t, facts.Normalize()))
	if err != nil {
		t.Fatal(err)
	}
	type short struct {
		ID, File, Rule, Title string
		Row                   int
		Facts                 []policy.Fact
	}
	var list []short
	for _, r := range got.Reasons {
		if len(r.Rules) == 0 {
			t.Errorf("reason %s has no rule", r.ID)
			continue
		}
		rule := r.Rules[0]
		list = append(list, short{r.ID, rule.File, rule.Rule, rule.Title, rule.Row, rule.Facts})
	}
	want := []short{
		{"acme.registry", "a.rego", "krmsafe.admit.reasons", "", 10, []policy.Fact{{Path: "input.request.registry", Value: `"ghcr.io"`}}},
		{"limits.memory", "lib/limits/limits.rego", "krmsafe.lib.limits._memory(limits)", "The module's memory fits", 18, []policy.Fact{{Path: "input.module.memory.minPages", Value: "9000"}}},
		{"signature.missing", "lib/signature/signature.rego", "krmsafe.lib.signature.required", "A signature is required", 14, []policy.Fact{
			{Path: "input.request.reference", Value: `"` + facts.Request.Reference + `"`}, {Path: "input.verified.signed", Value: "false"},
		}},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("explanation differs (-want +got):\n%s", diff)
	}
	if got.Decision.Allow || got.Package != "krmsafe.admit" {
		t.Errorf("Explain = %+v", got)
	}
}

func TestExplainChanges(t *testing.T) {
	changes := someChanges()
	changes.Function.Role = policy.RoleValidator
	got, err := load(t, shipped(t)).Explain(context.Background(), asJSON(t, changes.Normalize()))
	if err != nil || got.Package != "krmsafe.output" || len(got.Reasons) != 1 || len(got.Reasons[0].Rules) != 1 || got.Reasons[0].Rules[0].Title != "Validators change nothing" {
		t.Errorf("Explain = %+v, %v", got, err)
	}
}

func TestOddDocuments(t *testing.T) {
	p := load(t, shipped(t))
	for _, document := range []string{"", "null", "{}", `{"version": "krmsafe.dev/facts/v2"}`, `{"version": "krmsafe.dev/facts/v1", "modul": {}}`, `{"version": "krmsafe.dev/changes/v1", "changes": {}}`} {
		if d, err := p.DecideJSON(context.Background(), []byte(document)); err == nil || d.Allow {
			t.Errorf("DecideJSON(%s) = %+v, want an error", document, d)
		}
		if x, err := p.Explain(context.Background(), []byte(document)); err == nil {
			t.Errorf("Explain(%s) = %+v, want an error", document, x)
		}
	}
	d, err := p.DecideJSON(context.Background(), []byte(`{"version": "krmsafe.dev/facts/v1"}`))
	if err != nil || d.Allow {
		t.Errorf("DecideJSON of facts that leave all out = %+v, %v; want a refusal", d, err)
	}
}

func TestCheckSurveys(t *testing.T) {
	cfg := withRego(t, signedOnly, "package krmsafe.admit\n\nlimits := {\"fuel\": acme}\n\nacme := 1\n")
	if _, err := policy.Check(context.Background(), cfg, nil); err == nil {
		t.Error("an unknown rule passes the check")
	}
	cfg = withRego(t, signedOnly, "package krmsafe.admit\n\nlimits := {\"fuel\": data.acme.fuel}\n", "package acme\n\nfuel := 1\n")
	tests := []policy.Source{{Name: "a_test.rego", Text: []byte("package krmsafe.admit_test\n\nimport data.krmsafe.admit\n\ntest_a if admit.limits.fuel == 1\n")}}
	survey, err := policy.Check(context.Background(), cfg, tests)
	if err != nil {
		t.Fatal(err)
	}
	want := &policy.Survey{
		Digest: load(t, cfg).Digest(),
		Answers: []policy.SurveyAnswer{
			{Package: "krmsafe.admit", Files: []string{"a.rego", "b.rego"}},
			{Package: "krmsafe.output", Files: []string{"baseline/output.rego"}, Default: true},
		},
		Files: []policy.SurveyFile{{File: "a.rego", Package: "krmsafe.admit", Rules: 1}, {File: "b.rego", Package: "krmsafe.admit", Rules: 1}, {File: "c.rego", Package: "acme", Rules: 1}},
	}
	if diff := cmp.Diff(want, survey); diff != "" {
		t.Errorf("survey differs (-want +got):\n%s", diff)
	}
	tests[0].Text = []byte("package krmsafe.admit_test\n\nimport data.krmsafe.admit\n\ntest_a if admit.allow with input.nope as nope\n")
	if _, err := policy.Check(context.Background(), cfg, tests); err == nil || !strings.Contains(err.Error(), "a_test.rego") {
		t.Errorf("Check with a broken test = %v", err)
	}
}

const someTests = `package krmsafe.admit_test

import data.krmsafe.admit
import data.krmsafe.lib.fixture

test_signed if admit.allow with input as fixture.facts

test_unsigned if not admit.allow with input as fixture.unsigned_facts

test_wrong if admit.allow with input as fixture.unsigned_facts

test_false := false

test_number := 1

test_error if to_number("x") == 1

test_cases[name] if {
	some name, document in {"a": fixture.facts}
	admit.allow with input as document
}

test_cases_wrong[name] := value if {
	some name, value in {"a": true, "b": false}
}

todo_test_later if false
`

func TestTestRunner(t *testing.T) {
	cfg := withRego(t, signedOnly+`reasons contains {"id": "a.b", "message": "m"} if {
	input.module.startSection
	input.request.pinned
}
`)
	sources := slices.Concat(cfg.Sources, []policy.Source{{Name: "a_test.rego", Text: []byte(someTests)}})
	report, err := policy.Test(context.Background(), policy.TestConfig{Library: cfg.Library, Defaults: cfg.Defaults, Sources: sources})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range report.Results {
		got[r.Name] = strings.TrimSpace(r.Outcome + " " + r.Message)
	}
	want := map[string]string{
		"test_signed": "pass", "test_unsigned": "pass", "test_wrong": "fail undefined", "test_false": "fail false", "test_number": "fail the result is a number, want true",
		"test_error": `error a_test.rego:16:15: to_number: strconv.ParseFloat: parsing "x": invalid syntax`, "test_cases": "pass", "test_cases_wrong": `fail case "b" is not true`, "todo_test_later": "skip",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results differ (-want +got):\n%s", diff)
	}
	if report.Passed() {
		t.Error("a report with failures has passed")
	}
	if len(report.Coverage.Files) != 1 || report.Coverage.Files[0].File != "a.rego" || len(report.Coverage.Files[0].NotCovered) == 0 || report.Coverage.Percent >= 100 {
		t.Errorf("coverage = %+v", report.Coverage)
	}
}

// A file that no test reaches counts as not covered at all.
func TestUnreachedFileIsNotCovered(t *testing.T) {
	cfg := withRego(t, signedOnly, "package krmsafe.output\n\nallow if count(input.changes) == 0\n")
	sources := slices.Concat(cfg.Sources, []policy.Source{{Name: "a_test.rego", Text: []byte("package krmsafe.admit_test\n\nimport data.krmsafe.admit\nimport data.krmsafe.lib.fixture\n\ntest_signed if admit.allow with input as fixture.facts\n")}})
	report, err := policy.Test(context.Background(), policy.TestConfig{Library: cfg.Library, Sources: sources})
	if err != nil {
		t.Fatal(err)
	}
	want := []policy.FileCoverage{{File: "a.rego", Covered: 1, NotCovered: []int{}}, {File: "b.rego", NotCovered: []int{3}}}
	if diff := cmp.Diff(want, report.Coverage.Files); diff != "" || report.Coverage.Percent != 50 {
		t.Errorf("coverage %v differs (-want +got):\n%s", report.Coverage.Percent, diff)
	}
	if !report.Passed() {
		t.Errorf("the test fails: %+v", report.Results)
	}
}

func TestNoTests(t *testing.T) {
	var refused *policy.LoadError
	if _, err := policy.Test(context.Background(), policy.TestConfig{Sources: withRego(t, signedOnly).Sources}); !errors.As(err, &refused) || refused.Code != "policy.no_tests" {
		t.Errorf("Test = %v, want policy.no_tests", err)
	}
	if (&policy.TestReport{}).Passed() {
		t.Error("no test at all has passed")
	}
}

// Run chooses tests and fixtures by name; choosing none is no success.
func TestRunChooses(t *testing.T) {
	cfg := withRego(t, signedOnly)
	test := policy.TestConfig{
		Library: cfg.Library, Defaults: cfg.Defaults, Sources: append(cfg.Sources, policy.Source{Name: "a_test.rego", Text: []byte(someTests)}),
		Fixtures: []policy.Fixture{{Name: "dir/unsigned", Input: []byte(`{"version": "krmsafe.dev/facts/v1"}`), Expect: []byte(`{"allow": false}`)}},
	}
	for pattern, want := range map[string]string{`signed$`: "test_signed test_unsigned unsigned", `^krmsafe\.admit_test\.test_signed$`: "test_signed", "^dir/": "unsigned"} {
		test.Run = regexp.MustCompile(pattern)
		report, err := policy.Test(context.Background(), test)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range report.Results {
			names = append(names, r.Name)
		}
		if slices.Sort(names); strings.Join(names, " ") != want {
			t.Errorf("--run %s ran %v, want %s", pattern, names, want)
		}
	}
	test.Run = regexp.MustCompile("nothing")
	var refused *policy.LoadError
	if _, err := policy.Test(context.Background(), test); !errors.As(err, &refused) || refused.Code != "policy.no_tests" {
		t.Errorf("Test = %v, want policy.no_tests", err)
	}
}

func TestFixtures(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("signed.input.json", string(asJSON(t, someFacts().Normalize())))
	write("signed.expect.json", `{"allow": true, "reasons": []}`)
	write("unsigned.input.json", `{"version": "krmsafe.dev/facts/v1", "module": {"entryPoint": "_start", "memory": {"declared": true}}}`)
	write("unsigned.expect.json", `{"allow": false, "reasons": ["signature.missing"]}`)
	write("wrong.input.json", `{"version": "krmsafe.dev/changes/v1", "function": {"role": "transformer"}}`)
	write("wrong.expect.json", `{"allow": false, "reasons": ["output.removed"], "warnings": []}`)
	write("odd.input.json", `{"version": "krmsafe.dev/facts/v1", "nope": 1}`)
	write("odd.expect.json", `{"allow": true}`)
	write("vague.input.json", `{"version": "krmsafe.dev/facts/v1"}`)
	write("vague.expect.json", `{}`)
	fixtures, err := policy.FixturesPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg := shipped(t)
	report, err := policy.Test(context.Background(), policy.TestConfig{Library: cfg.Library, Defaults: cfg.Defaults, Fixtures: fixtures})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range report.Results {
		got[r.Name] = r.Outcome
		if r.Name == "wrong" && r.Message != `allow is true, want false; reasons are [], want ["output.removed"]` {
			t.Errorf("wrong: %s", r.Message)
		}
	}
	want := map[string]string{"signed": "pass", "unsigned": "pass", "wrong": "fail", "odd": "error", "vague": "error"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results differ (-want +got):\n%s", diff)
	}
	write("alone.input.json", "{}")
	var refused *policy.LoadError
	if _, err := policy.FixturesPath(dir); !errors.As(err, &refused) || refused.Code != "policy.fixture" {
		t.Errorf("a fixture without its expectation: %v", err)
	}
}
