package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
	"github.com/krmsafe/krmsafe/verify"
)

func TestMain(m *testing.M) {
	if sandbox.IsChild(os.Args) {
		os.Exit(sandbox.Child(os.Args))
	}
	os.Exit(m.Run())
}

// signedRun runs the signed fixture on two resources, one of them a Secret.
func signedRun(t *testing.T) *pipeline.Report {
	t.Helper()
	pem, err := os.ReadFile("../../testdata/signed/cosign3-key.pub")
	check(t, err)
	verifier, err := verify.New(verify.TrustPolicy{Rules: []verify.Rule{{
		Name: "ours", Match: []string{"**"}, Authorities: []verify.Authority{{Name: "acme", Key: &verify.Key{PEM: pem, Source: "acme.pub"}}},
	}}})
	check(t, err)
	client, err := oci.New(oci.Config{})
	check(t, err)
	library, err := policy.SourcesFS(policies.FS, "lib")
	check(t, err)
	defaults, err := policy.SourcesFS(policies.FS, "baseline")
	check(t, err)
	rego, err := policy.Load(context.Background(), policy.Config{Library: library, Defaults: defaults})
	check(t, err)
	box, err := sandbox.New(sandbox.Config{Engine: sandbox.EngineInterpreter})
	check(t, err)
	t.Cleanup(func() { _ = box.Close() })
	p, err := pipeline.New(pipeline.Config{
		Registry: client, Verifier: verifier, Policy: rego, PolicyName: "baseline", Sandbox: box,
		Runtime: policy.Runtime{Engine: policy.EngineInterpreter, Jail: policy.JailFull, OS: "linux", Arch: "amd64"},
		Date:    "2026-11-22", KRM: krm.DefaultLimits(), Random: strings.NewReader("sixteen bytes, and some more"),
	})
	check(t, err)
	input, err := krm.Parse([]byte(`apiVersion: config.kubernetes.io/v1
kind: ResourceList
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: shop}
- apiVersion: v1
  kind: Secret
  metadata: {name: db, namespace: shop}
  data: {password: aHVudGVyMg==}
`), krm.DefaultLimits())
	check(t, err)
	here, err := os.Getwd()
	check(t, err)
	t.Chdir("../../testdata/signed")
	r, err := p.Run(context.Background(), pipeline.Request{
		Image: "oci-layout:cosign3-key:v1", NamedBy: pipeline.NamedByFlag, Input: input, FailOn: krm.SeverityError,
		View: pipeline.Selection{Exclude: []policy.Selector{{Kind: "Nothing"}}},
	})
	check(t, err)
	t.Chdir(here)
	r.ExitCode = r.Outcome.ExitCode()
	return r
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// scrub takes out what differs from run to run and from machine to machine, in
// this one place.
func scrub(text []byte) []byte {
	for _, s := range []struct{ pattern, with string }{
		{`"(cpu|wall)Nanoseconds": ?\d+`, `"${1}Nanoseconds":0`},
		{`"peakBytes": ?\d+`, `"peakBytes":0`},
		{`"fuel": ?\d+,(\s*)"cpu`, `"fuel":0,${1}"cpu`},
		{`"landlockABI": ?\d+`, `"landlockABI":0`},
		{`"platform": ?"[a-z0-9/]+"`, `"platform":"os/arch"`},
		{`(baseline",\s*"digest": ?"sha256:)[0-9a-f]+`, `${1}0000`},
		{`(baseline sha256:)[0-9a-f]+`, `${1}0000`},
		{`ran in [0-9.a-zµ]+ `, `ran in 0s `},
		{`and \d+ units of fuel`, `and 0 units of fuel`},
	} {
		text = regexp.MustCompile(s.pattern).ReplaceAll(text, []byte(s.with))
	}
	return text
}

// changedRun is a report that needs no run: a function that changed, added and
// removed something, and had things to say that a terminal must not obey.
func changedRun() *pipeline.Report {
	r := pipeline.NewReport()
	r.Outcome, r.ExitCode = pipeline.Outcome{OK: true, Stage: pipeline.StageDone, Code: "ok", Message: "ran, and the output was allowed"}, 0
	r.Function = pipeline.Function{Source: "registry", Reference: "ghcr.io/acme/fn:v1", Digest: "sha256:11", ModuleDigest: "sha256:22", Layout: "cncf-wasm", Role: "transformer"}
	r.Signatures = append(r.Signatures, pipeline.Signature{
		Authority: "release", Type: "certificate", Issuer: "https://token.actions.githubusercontent.com", Subject: "https://github.com/acme/fn/.github/workflows/release.yaml@refs/tags/v1",
	})
	r.Policy.Name, r.Policy.Digest, r.Policy.Allow = "org.rego", "sha256:0123456789abcdef", true
	r.Policy.Limits = pipeline.Limits{MemoryPages: 4096, Fuel: 50_000_000_000, Timeout: "1m0s", OutputBytes: 16 << 20}
	r.View.Seen, r.View.HeldBack, r.View.Redacted = 17, 3, 2
	r.Run = &pipeline.Execution{
		Engine: "compiler", MemoryPages: 120, Fuel: 1_234_567, Wall: 1234 * time.Millisecond, Stderr: "loading\n\x1b[31mred\n::error::owned\n",
		Jail: pipeline.Jail{Level: "full", Layers: []pipeline.Layer{{Name: "seccomp", Held: true}}, Missing: []string{}},
	}
	r.Check = &pipeline.Check{Allow: true, Reasons: []pipeline.Reason{}}
	r.Input.Items, r.Output.Items = 20, 20
	r.Summary = pipeline.Summary{Added: 1, Removed: 1, Changed: 2, Fields: 3, Reordered: true, KindsAdded: []string{"ConfigMap"}, KindsRemoved: []string{"apps/Deployment"}, KindsChanged: []string{"Secret", "apps/Deployment"}}
	web := pipeline.Resource{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	r.Changes = []pipeline.Change{
		{Op: "remove", Resource: pipeline.Resource{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "old"}, Path: []string{}, Before: json.RawMessage(`{}`)},
		{Op: "replace", Resource: web, Path: []string{"spec", "replicas"}, Before: json.RawMessage(`1`), After: json.RawMessage(`12345678901234567890`)},
		{Op: "add", Resource: web, Path: []string{"spec", "template", "spec", "containers", "[name=app]", "image"}, After: json.RawMessage(`"nginx:1 & more"`)},
		{Op: "add", Resource: web, Path: []string{"metadata", "annotations", "example.com/a b"}, After: json.RawMessage(`"\n::error::owned\u001b[31m` + strings.Repeat("x", 200) + `"`)},
		{Op: "replace", Resource: pipeline.Resource{Kind: "Secret", Namespace: "shop", Name: "db"}, Path: []string{"data", "password"}, Before: json.RawMessage(`"[secret]"`), After: json.RawMessage(`"[secret]"`)},
		{Op: "add", Resource: pipeline.Resource{Kind: "ConfigMap", Name: "new\n::error::owned"}, Path: []string{}, After: json.RawMessage(`{}`)},
	}
	r.Results = []pipeline.Result{{
		Severity: "warning", Message: "tag \x1b[31mlatest##[command]", File: "web.yaml",
		Resource: pipeline.ResourceRef{Kind: "Deployment", Namespace: "shop", Name: "web"}, Field: pipeline.Field{Path: "spec.image", ProposedValue: "nginx:1"},
	}}
	return r
}

func refusedAt(stage pipeline.Stage, code, message, hint string) *pipeline.Report {
	r := changedRun()
	r.Outcome = pipeline.Outcome{Stage: stage, Code: code, Message: message, Hint: hint}
	return r
}

func TestText(t *testing.T) {
	warned := changedRun()
	warned.Mode, warned.Outcome.Waived = pipeline.ModeWarn, true
	warned.Warnings = []pipeline.Warning{{Stage: pipeline.StageDecide, ID: "org.no", Message: "would be refused: not ours", Remedy: "use one of ours", Waived: true}}
	denied := refusedAt(pipeline.StageDecide, "policy.denied", "policy org.rego does not allow ghcr.io/acme/fn:v1", "")
	denied.Run, denied.Results = nil, nil
	denied.Policy.Reasons = []pipeline.Reason{{ID: "org.no", Message: "not ours\n::error::owned", Remedy: "use one of ours"}}
	unsigned := refusedAt(pipeline.StageVerify, "verify.no_signature", "ghcr.io/acme/fn:v1 carries no signature", "sign it with `cosign sign`")
	unsigned.Run, unsigned.Results = nil, nil
	stopped := refusedAt(pipeline.StageRun, "limit.fuel", "ghcr.io/acme/fn:v1: the function used up its 1 units of fuel", "allow more with limits.fuel")
	output := refusedAt(pipeline.StageCheck, "policy.output_denied", "policy org.rego does not allow what ghcr.io/acme/fn:v1 changed", "")
	output.Check = &pipeline.Check{Reasons: []pipeline.Reason{{ID: "output.removed", Message: "Deployment.apps shop/old is removed", Remedy: "list the kind in changes.remove"}}}
	partial := changedRun()
	partial.Run.Jail = pipeline.Jail{Level: "partial", Layers: []pipeline.Layer{{Name: "landlock_fs"}}, Missing: []string{"landlock_fs"}}
	for name, c := range map[string]struct {
		report  *pipeline.Report
		options report.Options
	}{
		"allowed":  {changedRun(), report.Options{}},
		"changes":  {changedRun(), report.Options{Changes: true}},
		"quiet":    {warned, report.Options{Quiet: true}},
		"warned":   {warned, report.Options{}},
		"denied":   {denied, report.Options{}},
		"unsigned": {unsigned, report.Options{Quiet: true}},
		"stopped":  {stopped, report.Options{Quiet: true}},
		"output":   {output, report.Options{}},
		"partial":  {partial, report.Options{}},
		"real":     {signedRun(t), report.Options{Changes: true}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			check(t, report.Text(&b, c.report, c.options))
			golden(t, name+".txt", scrub(b.Bytes()))
			for line := range strings.SplitSeq(b.String(), "\n") {
				if strings.ContainsAny(line, "\x1b\r") || strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##") {
					t.Errorf("a terminal or a CI system would obey %q", line)
				}
			}
		})
	}
}

func TestJSON(t *testing.T) {
	for name, r := range map[string]*pipeline.Report{"real": signedRun(t), "changes": changedRun(), "new": pipeline.NewReport()} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			check(t, report.JSON(&b, r))
			golden(t, name+".json", scrub(b.Bytes()))
			if bytes.Contains(b.Bytes(), []byte("aHVudGVyMg")) {
				t.Error("the value of a Secret is in the report")
			}
		})
	}
}

func TestAuditLine(t *testing.T) {
	program := report.Program{Version: "v1.2.3", Revision: "abc", Go: "go1.26", Platform: "linux/amd64", Modules: map[string]string{"wazero": "v1.12.0"}}
	for name, r := range map[string]*pipeline.Report{"real": signedRun(t), "refused": refusedAt(pipeline.StageRun, "limit.fuel", "it used up its fuel", "")} {
		t.Run(name, func(t *testing.T) {
			line, err := report.Audit(r, program, report.EventRun, "2026-11-22T10:00:00Z", "RUN").Line()
			check(t, err)
			if bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
				t.Error("a record is not one line")
			}
			for _, secret := range []string{"aHVudGVyMg", "loading", "nginx:1"} {
				if bytes.Contains(line, []byte(secret)) {
					t.Errorf("%q of a resource or of the function's standard error is in the audit log", secret)
				}
			}
			var b bytes.Buffer
			check(t, json.Indent(&b, line, "", "  "))
			golden(t, name+".audit.json", scrub(b.Bytes()))
		})
	}
}

func TestExitClass(t *testing.T) {
	want := map[int]string{0: "ok", 1: "error", 2: "usage", 3: "refused", 4: "stopped", 5: "output-refused", 6: "error", -1: "error"}
	for code, class := range want {
		if got := report.ExitClass(code); got != class {
			t.Errorf("ExitClass(%d) = %q, want %q", code, got, class)
		}
	}
}

func TestChanged(t *testing.T) {
	for want, s := range map[string]pipeline.Summary{
		"nothing changed":                      {},
		"1 resource changed (1 field)":         {Changed: 1, Fields: 1},
		"3 resources changed (12 fields)":      {Changed: 3, Fields: 12},
		"resources reordered":                  {Reordered: true},
		"2 resources added (A, B, C, D, E, …)": {Added: 2, KindsAdded: []string{"A", "B", "C", "D", "E", "F"}},
		"1 resource removed (apps/Deployment)": {Removed: 1, KindsRemoved: []string{"apps/Deployment"}},
		`1 resource added (A\n::error::x)`:     {Added: 1, KindsAdded: []string{"A\n::error::x"}},
	} {
		if got := report.Changed(s); got != want {
			t.Errorf("Changed(%+v) = %q, want %q", s, got, want)
		}
	}
}
