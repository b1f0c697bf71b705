package policy_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/policy"
)

// signedOnly is the head of a policy that no canary passes.
const signedOnly = "package krmsafe.admit\n\nallow if input.verified.signed\n\n"

// Every odd shape of an answer refuses with its own reason, and an allow
// beside it does not count.
func TestReasonCodes(t *testing.T) {
	tests := []struct {
		name, rego, want string
	}{
		{"allow undefined", "package krmsafe.admit\n\nallow if input.request.reference == \"other\"\n", policy.ReasonUndefined},
		{"everything undefined", "package krmsafe.admit\n\nreasons := {1} if false\n", policy.ReasonUndefined},
		{"allow is a string", "package krmsafe.admit\n\nallow := \"true\"\n", policy.ReasonShape},
		{"allow is a number", "package krmsafe.admit\n\nallow := 1\n", policy.ReasonShape},
		{"allow is null", "package krmsafe.admit\n\nallow := null\n", policy.ReasonShape},
		{"allow is an object", "package krmsafe.admit\n\nallow := {\"allow\": true}\n", policy.ReasonShape},
		{"allow is a set", "package krmsafe.admit\n\nallow contains true\n", policy.ReasonShape},
		{"false without a reason", "package krmsafe.admit\n\nallow := false\n", policy.ReasonUnexplained},
		{"allow with a reason", signedOnly + `reasons contains {"id": "a.b", "message": "m"}`, "a.b " + policy.ReasonContradiction},
		{"reasons is a string", signedOnly + `reasons := "no"`, policy.ReasonShape},
		{"reasons is null", signedOnly + `reasons := null`, policy.ReasonShape},
		{"a reason is a string", signedOnly + `reasons contains "no"`, policy.ReasonShape},
		{"a reason without a message", signedOnly + `reasons contains {"id": "a.b"}`, policy.ReasonShape},
		{"a reason with an empty id", signedOnly + `reasons contains {"id": "", "message": "m"}`, policy.ReasonRange},
		{"a reason with an odd id", signedOnly + `reasons contains {"id": "A b", "message": "m"}`, policy.ReasonRange},
		{"a reason with more", signedOnly + `reasons contains {"id": "a.b", "message": "m", "severity": "low"}`, policy.ReasonUnknownKey},
		{"a reason without end", signedOnly + `reasons contains {"id": "a.b", "message": concat("", [x | some c in input.module.imports; some d in split(c.name, ""); x := sprintf("%1000s", [d])])}`, policy.ReasonRange},
		{"warnings is an object", signedOnly + `warnings := {"id": "a.b"}`, policy.ReasonShape},
		{"limits is a list", signedOnly + `limits := []`, policy.ReasonShape},
		{"limits is null", signedOnly + `limits := null`, policy.ReasonShape},
		{"limits with a misspelt key", signedOnly + `limits := {"memoryPage": 1}`, policy.ReasonUnknownKey},
		{"memoryPages too high", signedOnly + `limits := {"memoryPages": 70000}`, policy.ReasonRange},
		{"memoryPages zero", signedOnly + `limits := {"memoryPages": 0}`, policy.ReasonRange},
		{"memoryPages negative", signedOnly + `limits := {"memoryPages": -1}`, policy.ReasonRange},
		{"memoryPages a fraction", signedOnly + `limits := {"memoryPages": 1.5}`, policy.ReasonRange},
		{"memoryPages a string", signedOnly + `limits := {"memoryPages": "16"}`, policy.ReasonShape},
		{"fuel without end", signedOnly + `limits := {"fuel": 1e300}`, policy.ReasonRange},
		{"fuel beyond 64 bits", signedOnly + `limits := {"fuel": 18446744073709551617}`, policy.ReasonRange},
		{"timeout negative", signedOnly + `limits := {"timeout": "-1s"}`, policy.ReasonRange},
		{"timeout without a unit", signedOnly + `limits := {"timeout": "30"}`, policy.ReasonRange},
		{"timeout a number", signedOnly + `limits := {"timeout": 30}`, policy.ReasonShape},
		{"timeout of days", signedOnly + `limits := {"timeout": "48h"}`, policy.ReasonRange},
		{"compileTimeout above timeout", signedOnly + `limits := {"timeout": "5s", "compileTimeout": "6s"}`, policy.ReasonRange},
		{"grants is a list", signedOnly + `grants := ["clock"]`, policy.ReasonShape},
		{"grants of the network", signedOnly + `grants := {"network": true}`, policy.ReasonUnknownKey},
		{"grants the host's clock by the word for chance", signedOnly + `grants := {"clock": "host"}`, policy.ReasonShape},
		{"grants chance by the word for the clock", signedOnly + `grants := {"random": "real"}`, policy.ReasonShape},
		{"grants chance in capitals", signedOnly + `grants := {"random": "Host"}`, policy.ReasonShape},
		{"grants a clock by the word true", signedOnly + `grants := {"clock": "true"}`, policy.ReasonShape},
		{"grants an empty word", signedOnly + `grants := {"clock": ""}`, policy.ReasonShape},
		{"grants null", signedOnly + `grants := {"clock": null}`, policy.ReasonShape},
		{"grants a number", signedOnly + `grants := {"random": 1}`, policy.ReasonShape},
		{"grants a list of words", signedOnly + `grants := {"random": ["host"]}`, policy.ReasonShape},
		{"grants an object", signedOnly + `grants := {"clock": {}}`, policy.ReasonShape},
		{"grants streams by a word", signedOnly + `grants := {"stdioPaths": "real"}`, policy.ReasonShape},
		{"grants a truthy clock", signedOnly + `grants := {"clock": "yes"}`, policy.ReasonShape},
		{"view of unknown secrets", signedOnly + `view := {"secrets": "some"}`, policy.ReasonRange},
		{"view with an odd selector", signedOnly + `view := {"match": [{"kinds": "Secret"}]}`, policy.ReasonUnknownKey},
		{"view with an empty selector", signedOnly + `view := {"exclude": [{}]}`, policy.ReasonRange},
		{"view with a list of kinds", signedOnly + `view := {"match": [{"kind": ["Secret"]}]}`, policy.ReasonShape},
		{"view with odd labels", signedOnly + `view := {"match": [{"labels": {"a": 1}}]}`, policy.ReasonShape},
		{"changes without only", signedOnly + `changes := {"add": []}`, policy.ReasonShape},
		{"changes with a misspelt key", signedOnly + `changes := {"only": [], "removes": []}`, policy.ReasonUnknownKey},
		{"changes of a kind without its group", signedOnly + `changes := {"only": [], "add": [{"kind": "Role"}]}`, policy.ReasonShape},
		{"changes of a kind without its name", signedOnly + `changes := {"only": [], "add": [{"group": ""}]}`, policy.ReasonShape},
		{"changes of a field without its slash", signedOnly + `changes := {"only": [], "fields": [{"group": "", "kind": "Pod", "pointer": "spec"}]}`, policy.ReasonRange},
		{"changes.only is a string", signedOnly + `changes := {"only": "any"}`, policy.ReasonShape},
		{"changes of a field that is a string", signedOnly + `changes := {"only": [], "fields": ["/spec"]}`, policy.ReasonShape},
		{"changes is a list", signedOnly + `changes := ["any"]`, policy.ReasonShape},
		{"view is a string", signedOnly + `view := "all"`, policy.ReasonShape},
		{"view with labels as a list", signedOnly + `view := {"match": [{"kind": "Pod", "labels": ["a"]}]}`, policy.ReasonShape},
		{"view without end", signedOnly + `view := {"match": [{"name": sprintf("%d%d%d%d", [a, b, c, d])} | some a in _n; some b in _n; some c in _n; some d in _n]}` + "\n\n_n := [0, 1, 2, 3, 4, 5]\n", policy.ReasonRange},
		{"reasons without end", signedOnly + `reasons contains {"id": "a.b", "message": sprintf("%d%d%d%d", [a, b, c, d])} if {` + "\n\tsome a in _n\n\tsome b in _n\n\tsome c in _n\n\tsome d in _n\n}\n\n_n := [0, 1, 2, 3, 4, 5]\n", "a.b " + policy.ReasonContradiction + " " + policy.ReasonMore},
		{"engine unknown", signedOnly + `engine := "fast"`, policy.ReasonRange},
		{"engine a boolean", signedOnly + `engine := true`, policy.ReasonShape},
		{"jail unknown", signedOnly + `jail := ""`, policy.ReasonRange},
		{"conflict in one file", signedOnly + "jail := \"full\" if input.verified.signed\njail := \"none\" if input.request.pinned\n", policy.ReasonConflict},
		{"builtin that fails", signedOnly + `reasons contains {"id": "a.b", "message": "m"} if to_number(input.request.reference) > 1`, policy.ReasonBuiltin},
		{"builtin that fails in allow", "package krmsafe.admit\n\nallow if regex.match(concat(\"\", [\"[\", input.request.tag]), \"x\")\n", policy.ReasonBuiltin},
		{"division by nothing", signedOnly + `reasons contains {"id": "a.b", "message": "m"} if 1 / (input.module.sizeBytes - 4000000) > 1`, policy.ReasonBuiltin},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := admit(t, withRego(t, test.rego+"\n"), someFacts())
			if got := strings.Join(unique(d.Reasons), " "); d.Allow || got != test.want {
				t.Errorf("Admit = allow %v, reasons %+v; want %s", d.Allow, d.Reasons, test.want)
			}
			if diff := cmp.Diff(policy.Decision{Reasons: d.Reasons, Warnings: d.Warnings, Policy: d.Policy}, d); diff != "" {
				t.Errorf("a refusal grants something:\n%s", diff)
			}
		})
	}
}

func unique(reasons []policy.Reason) []string {
	var out []string
	for _, r := range reasons {
		if len(out) == 0 || out[len(out)-1] != r.ID {
			out = append(out, r.ID)
		}
	}
	return out
}

// Two files that decide differently conflict, whatever their order.
func TestTwoFilesConflict(t *testing.T) {
	a := "package krmsafe.admit\n\nallow := true if input.verified.signed\n"
	b := "package krmsafe.admit\n\nallow := false if input.request.pinned\n"
	for _, files := range [][]string{{a, b}, {b, a}} {
		if d := admit(t, withRego(t, files...), someFacts()); d.Allow || ids(d.Reasons) != policy.ReasonConflict {
			t.Errorf("Admit = %+v, want %s", d, policy.ReasonConflict)
		}
	}
}

// Grants are booleans, or words that say what is given.
func TestGrantWords(t *testing.T) {
	for rego, want := range map[string]policy.Grants{
		`{}`:                                    {},
		`{"clock": false, "random": false}`:     {},
		`{"clock": "fixed", "random": "fixed"}`: {},
		`{"clock": "real", "random": "host"}`:   {Clock: true, Random: true},
		`{"clock": true, "random": "host"}`:     {Clock: true, Random: true},
		`{"clock": "real", "random": "fixed"}`:  {Clock: true},
		`{"clock": "fixed", "random": true}`:    {Random: true},
		`{"random": "host"}`:                    {Random: true},
	} {
		if d := admit(t, withRego(t, signedOnly+"grants := "+rego), someFacts()); !d.Allow || d.Grants != want {
			t.Errorf("%s: Admit = %+v, want %+v", rego, d, want)
		}
	}
}

func TestFullDecision(t *testing.T) {
	d := admit(t, withRego(t, signedOnly+`
warnings contains {"id": "a.b", "message": "m", "remedy": "r"}
limits := {"memoryPages": 16, "tableElements": 10, "callDepth": 5, "fuel": 1000, "timeout": "5s", "compileTimeout": "2s", "compileBytes": 1024, "outputBytes": 2048, "stderrBytes": 512}
grants := {"clock": true, "stdioPaths": true}
view := {"secrets": "values", "match": [{"kind": "Deployment", "labels": {"app": "web"}}], "exclude": [{"namespace": "kube-system"}]}
changes := {"only": ["images", "generator", "images"], "add": [{"group": "", "kind": "ConfigMap"}], "remove": [{"group": "apps", "kind": "Deployment"}], "protected": [{"group": "", "kind": "Secret"}], "fields": [{"group": "", "kind": "Pod", "pointer": "/spec"}]}
engine := "compiler"
jail := "partial"
_helper := 1
`), someFacts())
	none := map[string]string{}
	want := policy.Decision{
		Allow: true, Reasons: []policy.Reason{}, Warnings: []policy.Reason{{ID: "a.b", Message: "m", Remedy: "r"}},
		Limits: policy.Limits{
			MemoryPages: 16, TableElements: 10, CallDepth: 5, Fuel: 1000, Timeout: 5 * time.Second, CompileTimeout: 2 * time.Second,
			CompileBytes: 1024, OutputBytes: 2048, StderrBytes: 512,
		},
		Grants: policy.Grants{Clock: true, StdioPaths: true},
		View: policy.View{
			Secrets: policy.SecretsValues, Match: []policy.Selector{{Kind: "Deployment", Labels: map[string]string{"app": "web"}, Annotations: none}},
			Exclude: []policy.Selector{{Namespace: "kube-system", Labels: none, Annotations: none}},
		},
		Changes: policy.ChangeGrant{
			Only: []string{"generator", "images"}, Add: []policy.KindGrant{{Kind: "ConfigMap"}}, Remove: []policy.KindGrant{{Group: "apps", Kind: "Deployment"}},
			Protected: []policy.KindGrant{{Kind: "Secret"}}, Fields: []policy.FieldGrant{{Kind: "Pod", Pointer: "/spec"}},
		},
		Engine: policy.EngineCompiler, Jail: policy.JailPartial, Policy: d.Policy,
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("decision differs (-want +got):\n%s", diff)
	}
	golden(t, "decision.golden.json", indent(t, scrub(d)))
}

func scrub(d policy.Decision) policy.Decision {
	d.Policy = "sha256:…"
	return d
}

// What a decision leaves out takes the documented default, the closed one
// where there is a choice.
func TestDefaults(t *testing.T) {
	d := admit(t, withRego(t, signedOnly), someFacts())
	want := policy.Decision{
		Allow: true, Reasons: []policy.Reason{}, Warnings: []policy.Reason{}, Limits: policy.DefaultLimits(),
		View:    policy.View{Secrets: policy.SecretsPlaceholders, Match: []policy.Selector{}, Exclude: []policy.Selector{}},
		Changes: policy.ChangeGrant{Only: []string{policy.AllowanceAny}, Add: []policy.KindGrant{}, Remove: []policy.KindGrant{}, Protected: []policy.KindGrant{}, Fields: []policy.FieldGrant{}},
		Engine:  policy.EngineAuto, Jail: policy.JailFull, Policy: d.Policy,
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("decision differs (-want +got):\n%s", diff)
	}
}

// compileTimeout is a part of timeout also where only timeout is given.
func TestShortTimeoutShortensCompileTimeout(t *testing.T) {
	d := admit(t, withRego(t, signedOnly+`limits := {"timeout": "3s"}`), someFacts())
	if !d.Allow || d.Limits.CompileTimeout != 3*time.Second {
		t.Errorf("Admit = %+v, want a compile timeout of 3s", d)
	}
}

func TestDefaultLimitsAreWithinTheCeiling(t *testing.T) {
	text, err := json.Marshal(policy.MaxLimits())
	if err != nil {
		t.Fatal(err)
	}
	d := admit(t, withRego(t, signedOnly+"limits := "+string(text)), someFacts())
	if !d.Allow || d.Limits != policy.MaxLimits() {
		t.Errorf("the ceiling itself is refused: %+v", d)
	}
}

func TestZeroDecisionRefuses(t *testing.T) {
	var d policy.Decision
	if d.Allow || d.Limits != (policy.Limits{}) || len(d.Changes.Only) > 0 || d.View.Secrets != "" {
		t.Errorf("the zero decision grants something: %+v", d)
	}
}

// The output policy has the smaller shape: what admission may grant is
// unknown there.
func TestOutputShape(t *testing.T) {
	for name, test := range map[string]struct{ rego, want string }{
		"undefined":     {"allow if input.request.tag == \"other\"\n", policy.ReasonUndefined},
		"truthy":        {"allow := \"true\"\n", policy.ReasonShape},
		"unexplained":   {"allow := false\n", policy.ReasonUnexplained},
		"contradiction": {"allow if count(input.changes) == 1\nreasons contains {\"id\": \"a.b\", \"message\": \"m\"}\n", "a.b " + policy.ReasonContradiction},
		"conflict":      {"allow := true if count(input.changes) == 1\nallow := false if input.summary.changed == 1\n", policy.ReasonConflict},
		"builtin":       {"allow if to_number(input.function.role) == 1\n", policy.ReasonBuiltin},
	} {
		t.Run(name, func(t *testing.T) {
			p := load(t, withRego(t, "package krmsafe.output\n\n"+test.rego))
			d, err := p.Check(context.Background(), someChanges())
			if got := ids(d.Reasons); err != nil || d.Allow || got != test.want {
				t.Errorf("Check = %+v, %v; want %s", d, err, test.want)
			}
		})
	}
	_, err := policy.Load(context.Background(), withRego(t, "package krmsafe.output\n\nallow := false\nlimits := {}\n"))
	if err == nil || !strings.Contains(err.Error(), "rule limits means nothing in package krmsafe.output") {
		t.Errorf("Load = %v", err)
	}
}
