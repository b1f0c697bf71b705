package policy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
)

// shipped is the configuration with krmsafe's own library and baseline.
func shipped(tb testing.TB) policy.Config {
	tb.Helper()
	library, err := policy.SourcesFS(policies.FS, "lib")
	if err != nil {
		tb.Fatal(err)
	}
	baseline, err := policy.SourcesFS(policies.FS, "baseline")
	if err != nil {
		tb.Fatal(err)
	}
	return policy.Config{Library: library, Defaults: baseline}
}

func load(tb testing.TB, cfg policy.Config) *policy.Policy {
	tb.Helper()
	p, err := policy.Load(context.Background(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func withRego(tb testing.TB, files ...string) policy.Config {
	tb.Helper()
	cfg := shipped(tb)
	cfg.Sources = []policy.Source{}
	for i, text := range files {
		cfg.Sources = append(cfg.Sources, policy.Source{Name: string(rune('a'+i)) + ".rego", Text: []byte(text)})
	}
	return cfg
}

func admit(tb testing.TB, cfg policy.Config, facts policy.Facts) policy.Decision {
	tb.Helper()
	d, err := load(tb, cfg).Admit(context.Background(), facts)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func ids(reasons []policy.Reason) string {
	var list []string
	for _, r := range reasons {
		list = append(list, r.ID)
	}
	return strings.Join(list, " ")
}

func TestBaseline(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*policy.Facts)
		want  string // ids of the reasons, empty for allow
	}{
		{"signed", func(*policy.Facts) {}, ""},
		{"unsigned", func(f *policy.Facts) { f.Verified = policy.Verified{} }, "signature.missing"},
		{"unsigned and accepted", func(f *policy.Facts) { f.Verified = policy.Verified{}; f.Request.Flags.AllowUnsigned = true }, ""},
		{"unsigned file", func(f *policy.Facts) { f.Verified = policy.Verified{}; f.Request.Source = "file" }, "signature.missing"},
		{"other import", func(f *policy.Facts) {
			f.Module.Imports = append(f.Module.Imports, policy.Import{Module: "env", Name: "exec", Kind: "func", Class: "other"})
		}, "module.import"},
		{"no entry point", func(f *policy.Facts) { f.Module.EntryPoint = "" }, "module.no_entry_point"},
		{"too much memory", func(f *policy.Facts) { f.Module.Memory.MinPages = 9000 }, "limits.memory"},
		{"nothing known", func(f *policy.Facts) { *f = policy.Facts{} }, "module.no_entry_point module.no_memory signature.missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			facts := someFacts()
			test.spoil(&facts)
			d := admit(t, shipped(t), facts)
			if got := ids(d.Reasons); got != test.want || d.Allow != (test.want == "") {
				t.Errorf("Admit = allow %v, reasons %q; want reasons %q", d.Allow, got, test.want)
			}
			if want := (policy.Limits{}); !d.Allow && d.Limits != want {
				t.Errorf("a refusal grants limits %+v", d.Limits)
			}
			for _, r := range d.Reasons {
				if r.Message == "" || r.Remedy == "" {
					t.Errorf("reason %+v lacks a message or a remedy", r)
				}
			}
		})
	}
}

func TestCompileErrors(t *testing.T) {
	const head = "package krmsafe.admit\n\n"
	tests := []struct {
		name, rego, want string
	}{
		{"syntax", head + "allow if {", "a.rego:3:"},
		{"misspelt field", head + "allow if input.modul.sizeBytes > 1\n", "a.rego:3:10: undefined ref: input.modul.sizeBytes: input has no such field, only functionConfig, module, "},
		{"misspelt nested field", head + "allow if input.module.memory.minPage > 1\n", "input.module.memory has no such field"},
		{"wrong type", head + "allow if input.module.sizeBytes == \"big\"\n", "match error"},
		{"rego v0", head + "allow { true }\n", "`if` keyword is required"},
		{"unused import", head + "import data.krmsafe.lib.module\nallow := false\n", "unused"},
		{"unknown rule", head + "allow := false\nreason contains {}\n", "a.rego:4:1: rule reason means nothing in package krmsafe.admit"},
		{"package inside", "package krmsafe.admit.more\n\nallow := true\n", "no file has package krmsafe.admit or krmsafe.output"},
		{"unreachable", "package main\n\ndeny contains \"x\"\n", "no file has package krmsafe.admit or krmsafe.output"},
		{"reserved package", "package krmsafe.lib.module\n\nbaseline contains \"x\"\n", "no file has package krmsafe.admit or krmsafe.output"},
		{"metadata schema", head + "# METADATA\n# schemas:\n#   - input: {type: object}\nallow := false\n", "metadata may not set schemas"},
		{"missing data", head + "allow if input.request.registry in data.params.registries\n", "data.params.registries is read and no --data gives it"},
		{"http", head + "allow if http.send({\"method\": \"get\", \"url\": \"http://localhost\"}).status_code == 200\n", "undefined function http.send"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := policy.Load(context.Background(), withRego(t, test.rego))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Load = %v, want one line with %q", err, test.want)
			}
		})
	}
}

func TestCompileErrorHasPosition(t *testing.T) {
	_, err := policy.Load(context.Background(), withRego(t, "package krmsafe.admit\n\nallow if input.nope\n"))
	var compile *policy.CompileError
	if !errors.As(err, &compile) {
		t.Fatalf("Load = %v, want a CompileError", err)
	}
	if p := compile.Errors[0]; p.File != "a.rego" || p.Row != 3 || p.Col != 10 || p.Code != "rego_type_error" {
		t.Errorf("position = %+v", p)
	}
}
