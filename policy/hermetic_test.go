package policy_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/policy"
)

// Functions that reach the host, the network, the clock or chance, and those
// that make much out of little, do not compile.
func TestForbiddenBuiltins(t *testing.T) {
	calls := []string{
		`http.send({"method": "get", "url": "http://127.0.0.1"})`, `net.lookup_ip_addr("localhost")`, `opa.runtime()`, `time.now_ns()`,
		`rand.intn("x", 2)`, `uuid.rfc4122("x")`, `trace("x")`, `io.jwt.decode("x")`, `crypto.x509.parse_certificates("x")`,
		`providers.aws.sign_req({}, {}, 1)`, `rego.parse_module("a", "package a")`, `bits.lsh(1, 2)`, `numbers.range(1, 2)`,
		`numbers.range_step(1, 2, 1)`, `net.cidr_expand("10.0.0.0/8")`, `strings.render_template("x", {})`, `json.patch({}, [])`,
		`graph.reachable({}, {"a"})`, `yaml.unmarshal("a: 1")`, `graphql.parse_query("x")`, `json.match_schema({}, {})`,
	}
	for _, call := range calls {
		t.Run(call, func(t *testing.T) {
			_, err := policy.Load(context.Background(), withRego(t, "package krmsafe.admit\n\nallow if "+call+"\n"))
			var compile *policy.CompileError
			if !errors.As(err, &compile) || !strings.Contains(err.Error(), "undefined function") {
				t.Errorf("Load = %v, want an undefined function", err)
			}
		})
	}
}

// Mocking cannot bring a forbidden function back, nor take the place of one
// that is allowed (CVE-2022-36085).
func TestWithDoesNotBypassCapabilities(t *testing.T) {
	for _, rego := range []string{
		"allow if count(input.request.reference) == 1 with count as http.send\n",
		"_f(x) := opa.runtime() if x\nallow if is_string(input.request.reference) with is_string as _f\n",
	} {
		if _, err := policy.Load(context.Background(), withRego(t, "package krmsafe.admit\n\n"+rego)); err == nil {
			t.Errorf("%q loads", rego)
		}
	}
}

// Data cannot stand in for a rule: it is read under data.params only.
func TestDataCannotDecide(t *testing.T) {
	cfg := withRego(t, signedOnly)
	cfg.Params = []byte(`{"krmsafe": {"admit": {"allow": true}}, "admit": {"allow": true}, "allow": true}`)
	facts := someFacts()
	facts.Verified = policy.Verified{}
	if d := admit(t, cfg, facts); d.Allow {
		t.Error("a data document allows")
	}
	cfg = shipped(t)
	cfg.Defaults = nil
	cfg.Params = []byte(`{"krmsafe": {"admit": {"allow": true}}}`)
	if _, err := policy.Load(context.Background(), cfg); err == nil {
		t.Error("data without a policy loads")
	}
}

func TestBadParams(t *testing.T) {
	for _, params := range []string{"null", "[]", "1", "{", "{} {}", `{"a":1}x`, strings.Repeat(" ", 17<<20)} {
		cfg := shipped(t)
		cfg.Params = []byte(params)
		var refused *policy.LoadError
		if _, err := policy.Load(context.Background(), cfg); !errors.As(err, &refused) || refused.Code != "policy.params" {
			t.Errorf("Load with params %.10q = %v, want policy.params", params, err)
		}
	}
}

// A parameter that is not given is an error before anything is judged, unless
// the policy says that it may be missing.
func TestMissingParams(t *testing.T) {
	const rule = `reasons contains {"id": "a.b", "message": "m"} if input.request.registry in `
	for _, read := range []string{"data.params.blocked", "data.params.a.blocked"} {
		cfg := withRego(t, signedOnly+rule+read+"\n")
		cfg.Params = []byte(`{"a": {}}`)
		if _, err := policy.Load(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "a.rego:5:") {
			t.Errorf("%s: Load = %v, want its position", read, err)
		}
	}
	cfg := withRego(t, "package krmsafe.admit\n\nimport data.params\n\nallow if input.verified.signed\n\n"+rule+"params.blocked\n")
	if _, err := policy.Load(context.Background(), cfg); err == nil {
		t.Error("a missing parameter behind an import loads")
	}
	if d := admit(t, withRego(t, signedOnly+rule+`object.get(data.params, "blocked", [])`+"\n"), someFacts()); !d.Allow {
		t.Errorf("Admit = %+v", d)
	}
	cfg = withRego(t, signedOnly+rule+"data.params.a.blocked\n")
	cfg.Params = []byte(`{"a": {"blocked": ["ghcr.io"]}}`)
	if d := admit(t, cfg, someFacts()); ids(d.Reasons) != "a.b policy.contradiction" {
		t.Errorf("Admit = %+v", d)
	}
}

// The operator's files cannot change the meaning of what is shipped.
func TestPlacement(t *testing.T) {
	tests := map[string]struct{ rego, want string }{
		"library":     {"package krmsafe.lib.module\n\nbaseline := set()\n", "belongs to krmsafe"},
		"below it":    {"package krmsafe.lib.more\n\nx := 1\n", "belongs to krmsafe"},
		"above it":    {"package krmsafe\n\nlib.module.baseline contains \"x\"\n", "belongs to krmsafe"},
		"entry above": {"package krmsafe\n\nadmit.allow := true\n", "belongs to krmsafe"},
		"params":      {"package params\n\nblocked := []\n", "would shadow the data"},
		"unreachable": {"package main\n\ndeny contains \"x\"\n", "would never be evaluated"},
		"inside":      {"package krmsafe.admit.more\n\nx := 1\n", "closed shape"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Load(context.Background(), withRego(t, signedOnly, test.rego))
			if err == nil || !strings.Contains(err.Error(), "b.rego:1:1: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Load = %v, want b.rego:1:1 with %q", err, test.want)
			}
		})
	}
	helper := "package acme.registries\n\naccepted := {\"ghcr.io\"}\n"
	for _, use := range []string{
		"import data.acme.registries\n\nallow if {\n\tinput.verified.signed\n\tinput.request.registry in registries.accepted\n}\n",
		"allow if {\n\tinput.verified.signed\n\tinput.request.registry in data.acme.registries.accepted\n}\n",
		"allow if {\n\tinput.verified.signed\n\tsome name\n\tinput.request.registry in data.acme[name].accepted\n}\n",
	} {
		if d := admit(t, withRego(t, "package krmsafe.admit\n\n"+use, helper), someFacts()); !d.Allow {
			t.Errorf("%q with a helper package: %+v", use, d)
		}
	}
}

// A package is reached however it is named, so that none is left out of
// compilation, where its rules would be undefined without a word.
func TestEveryWayToReachAPackage(t *testing.T) {
	const guard = "package acme.guard\n\ndenied contains \"x\" if input.request.pinned\n"
	for _, use := range []string{
		"import data.acme.guard\n\n_n := count(guard.denied)\n",
		"import data.acme.guard as g\n\n_n := count(g.denied)\n",
		"import data.acme\n\n_n := count(acme.guard.denied)\n",
		"import data.acme.guard.denied\n\n_n := count(denied)\n",
		"_n := count(data.acme.guard.denied)\n",
		"_n := count(data.acme[\"guard\"].denied)\n",
		"_n := sum([count(g.denied) | some g in data.acme])\n",
		"_n := count([1 | data.acme[_].denied[_]])\n",
		"_n := count([1 | data.acme[\"guard\"][name][_]; name == \"denied\"])\n",
	} {
		t.Run(use, func(t *testing.T) {
			head, body, ok := strings.Cut(use, "\n\n")
			if !ok {
				head, body = "", use
			}
			d := admit(t, withRego(t, "package krmsafe.admit\n\n"+head+"\n\nallow if input.verified.signed\n\nreasons contains {\"id\": \"a.b\", \"message\": \"m\"} if _n > 0\n\n"+body, guard), someFacts())
			if d.Allow || ids(d.Reasons) != "a.b policy.contradiction" {
				t.Errorf("Admit = %+v, want the guard's refusal", d)
			}
		})
	}
	// The whole of data holds packages of both questions, which cannot compile
	// against one schema: an error, and no rule that is quietly undefined.
	for _, use := range []string{"_n := count([1 | data[_].guard.denied[_]])\n", "_n := count([1 | some a in data; a.guard.denied[_]])\n"} {
		_, err := policy.Load(context.Background(), withRego(t, signedOnly+use+"reasons contains {\"id\": \"a.b\", \"message\": \"m\"} if _n > 0\n", guard))
		if err == nil {
			t.Errorf("%q loads", use)
		}
	}
}

// A reference to nothing is an error: Rego would take it for data that may
// come, and the reason behind it would never be given.
func TestReferenceToNothing(t *testing.T) {
	for rego, want := range map[string]string{
		"reasons contains r if some r in data.krmsafe.lib.modul.baseline\n":                                    "a.rego:5:33: undefined ref: data.krmsafe.lib.modul.baseline: there is no such package",
		"reasons contains r if some r in data.krmsafe.lib.module.basline\n":                                    "package krmsafe.lib.module has no rule basline, only ",
		"reasons contains r if some r in data.acme.denied\n":                                                   "there is no such package",
		"reasons contains {\"id\": \"a.b\", \"message\": \"m\"} if data.krmsafe.admit.allowed\n":               "package krmsafe.admit has no rule allowed",
		"reasons contains {\"id\": \"a.b\", \"message\": \"m\"} if data.krmsafe.lib.changes.is_protectd({})\n": "data.krmsafe.lib.changes.is_protectd",
	} {
		if _, err := policy.Load(context.Background(), withRego(t, signedOnly+rego)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: Load = %v, want %q", rego, err, want)
		}
	}
	imported := "package krmsafe.admit\n\nimport data.krmsafe.lib.sinature\n\nallow if input.verified.signed\n\nreasons contains r if some r in sinature.required\n"
	if _, err := policy.Load(context.Background(), withRego(t, imported)); err == nil || !strings.Contains(err.Error(), "a.rego:7:33: undefined ref: data.krmsafe.lib.sinature.required: there is no such package") {
		t.Errorf("a misspelt import: Load = %v", err)
	}
	misspeltAlias := "package krmsafe.admit\n\nimport data.krmsafe.lib.signature as s\n\nallow if input.verified.signed\n\nreasons contains r if some r in s.requierd\n"
	if _, err := policy.Load(context.Background(), withRego(t, misspeltAlias)); err == nil || !strings.Contains(err.Error(), "has no rule requierd") {
		t.Errorf("a misspelt rule of an import: Load = %v", err)
	}
}

// A field that has one of a few words is compared with those only.
func TestWordThatNeverComes(t *testing.T) {
	for body, want := range map[string]string{
		`_x if input.runtime.jail == "non"`:                                     `a.rego:5:7: input.runtime.jail is never "non", only full, partial, none`,
		`_x if "non" == input.runtime.jail`:                                     `is never "non"`,
		`_x if input.request.source != "files"`:                                 `is never "files"`,
		`_x if input.request.source in {"file", "image"}`:                       `input.request.source is never "image"`,
		`_x if not input.request.source in ["files"]`:                           `is never "files"`,
		`_x if input.module.imports[_].class == "network"`:                      `is never "network"`,
		`_x := count([1 | input.verified.signatures[i].type == "keys"; i < 5])`: `is never "keys"`,
		`_x := input.runtime.jail == "no"`:                                      `is never "no"`,
	} {
		if _, err := policy.Load(context.Background(), withRego(t, signedOnly+body+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Load = %v, want %q", body, err, want)
		}
	}
	for _, body := range []string{
		`_x if input.runtime.jail == ""`, `_x if input.runtime.os == "plan9"`, `_x if input.request.source in {"file", "registry"}`,
		`_x if input.module.imports[_].class in ["fs", "net"]`, `_x if input.unverified.annotations.source == "x"`, `_x if input.unverified.annotations[_] == "x"`,
		`_x if input[_] == "x"`, `_x if input == "x"`,
	} {
		_, err := policy.Load(context.Background(), withRego(t, signedOnly+body+"\n"))
		if err != nil && strings.Contains(err.Error(), "is never") {
			t.Errorf("%s: Load = %v", body, err)
		}
	}
	if _, err := policy.Load(context.Background(), withRego(t, "package krmsafe.output\n\nallow if input.function.role == \"mutator\"\n")); err == nil || !strings.Contains(err.Error(), `is never "mutator"`) {
		t.Errorf("Load = %v", err)
	}
}

// The library's packages of both questions lie side by side; to import their
// common folder reaches those that are used.
func TestImportOfTheWholeLibrary(t *testing.T) {
	d := admit(t, withRego(t, "package krmsafe.admit\n\nimport data.krmsafe.lib\n\nreasons contains r if some r in lib.signature.required\n\nreasons contains r if some r in lib.module.baseline\n\nallow if count(reasons) == 0\n"), someFacts())
	if !d.Allow {
		t.Errorf("Admit = %+v", d)
	}
}

// Every file of the schema's other document is an error: facts in an output
// policy, changes in an admission policy.
func TestSchemasAreKeptApart(t *testing.T) {
	for _, rego := range []string{
		"package krmsafe.output\n\nallow if input.module.sizeBytes > 1\n",
		"package krmsafe.admit\n\nallow if count(input.changes) == 0\n",
	} {
		if _, err := policy.Load(context.Background(), withRego(t, rego)); err == nil || !strings.Contains(err.Error(), "undefined ref: input.") {
			t.Errorf("Load = %v", err)
		}
	}
}

// print is for people who write policies; it has no effect on a decision and
// no way out.
func TestPrintIsSilent(t *testing.T) {
	if d := admit(t, withRego(t, "package krmsafe.admit\n\nallow if {\n\tprint(input)\n\tinput.verified.signed\n}\n"), someFacts()); !d.Allow {
		t.Errorf("Admit = %+v", d)
	}
}

// A rule without end is cut off.
func TestEndlessRule(t *testing.T) {
	cfg := withRego(t, signedOnly+`
_n := [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
reasons contains {"id": "a.b", "message": "m"} if count([1 | some a in _n; some b in _n; some c in _n; some d in _n; some e in _n; some f in _n; some g in _n; some h in _n; some i in _n; a+b+c+d+e+f+g+h+i == 0]) > 0
`)
	cfg.Timeout = 50 * time.Millisecond
	start := time.Now()
	d := admit(t, cfg, someFacts())
	if d.Allow || ids(d.Reasons) != policy.ReasonTimeout {
		t.Errorf("Admit = %+v, want %s", d, policy.ReasonTimeout)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("cut off after %s", took)
	}
}

// When the caller gives up nothing was judged.
func TestCanceledIsNoDecision(t *testing.T) {
	p := load(t, shipped(t))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if d, err := p.Admit(ctx, someFacts()); !errors.Is(err, context.Canceled) || d.Allow {
		t.Errorf("Admit = %+v, %v; want context.Canceled", d, err)
	}
}

func TestSourcesPath(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var refused *policy.LoadError
	write("README.md", "no policy")
	write("a_test.rego", "package a_test\n")
	write(".hidden/a.rego", "package a\n")
	if _, err := policy.SourcesPath(dir); !errors.As(err, &refused) || refused.Code != "policy.empty" {
		t.Errorf("a folder without Rego: %v", err)
	}
	if _, err := policy.SourcesPath(filepath.Join(dir, "nope")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}
	write("b/z.rego", signedOnly)
	write("a.rego", "package acme\n")
	sources, err := policy.SourcesPath(dir)
	if err != nil || len(sources) != 2 || sources[0].Name != filepath.Join(dir, "a.rego") || sources[1].Name != filepath.Join(dir, "b", "z.rego") {
		t.Errorf("SourcesPath = %v, %v", sources, err)
	}
	if tests, err := policy.TestSourcesPath(dir); err != nil || len(tests) != 3 {
		t.Errorf("TestSourcesPath = %v, %v", tests, err)
	}
	if one, err := policy.SourcesPath(filepath.Join(dir, "b", "z.rego")); err != nil || len(one) != 1 || string(one[0].Text) != signedOnly {
		t.Errorf("SourcesPath of a file = %v, %v", one, err)
	}
	write("big.rego", "package big\n#"+strings.Repeat("x", 1<<20))
	if _, err := policy.SourcesPath(dir); !errors.As(err, &refused) || refused.Code != "policy.too_large" {
		t.Errorf("a file that is too large: %v", err)
	}
}

func TestFileGivenTwice(t *testing.T) {
	cfg := withRego(t, signedOnly)
	cfg.Sources = append(cfg.Sources, cfg.Sources[0])
	var refused *policy.LoadError
	if _, err := policy.Load(context.Background(), cfg); !errors.As(err, &refused) || refused.Code != "policy.duplicate" {
		t.Errorf("Load = %v, want policy.duplicate", err)
	}
}

func TestEmptyPolicy(t *testing.T) {
	for name, files := range map[string][]string{
		"no file": {}, "no rule": {"package krmsafe.admit\n"}, "comment": {"package krmsafe.admit\n\n# allow := true\n"},
	} {
		var refused *policy.LoadError
		if _, err := policy.Load(context.Background(), withRego(t, files...)); !errors.As(err, &refused) || refused.Code != "policy.empty" {
			t.Errorf("%s: Load = %v, want policy.empty", name, err)
		}
	}
	if _, err := policy.Load(context.Background(), policy.Config{}); err == nil {
		t.Error("a configuration without any policy loads")
	}
}

func TestDigest(t *testing.T) {
	base := load(t, withRego(t, signedOnly)).Digest()
	renamed := withRego(t, signedOnly)
	renamed.Sources[0].Name = "other.rego"
	if got := load(t, renamed).Digest(); got != base {
		t.Error("the name of a file changes the digest")
	}
	if got := load(t, withRego(t, signedOnly+"# x\n")).Digest(); got == base {
		t.Error("the text of a file does not change the digest")
	}
	params := withRego(t, signedOnly)
	params.Params = []byte(`{"a":1}`)
	if got := load(t, params).Digest(); got == base {
		t.Error("params do not change the digest")
	}
	if got := load(t, shipped(t)).Digest(); got == base {
		t.Error("the baseline has the digest of another policy")
	}
}
