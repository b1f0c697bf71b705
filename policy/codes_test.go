package policy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/krmsafe/krmsafe/policy"
)

// Every complaint of krmsafe's own about a policy has its code, with the place
// at which it is mended.
func TestComplaintCodes(t *testing.T) {
	const admit = "package krmsafe.admit\n\ndefault allow := false\n\n"
	for _, c := range []struct {
		name  string
		files []string
		code  string
		place string
	}{
		{"a package that is not there", []string{admit + "allow if data.acme.rules.ok"}, "policy.reference", "a.rego:5"},
		{"a misspelt rule of the library", []string{admit + "import data.krmsafe.lib.signature\n\nreasons contains r if some r in signature.requird"}, "policy.reference", "a.rego:7"},
		{"a word that never occurs", []string{admit + `allow if input.runtime.jail != "non"`}, "policy.word", "a.rego:5"},
		{"a word in a set that never occurs", []string{admit + `allow if input.request.source in {"registry", "docker"}`}, "policy.word", "a.rego:5"},
		{"a mode that there is not", []string{admit + `allow if input.request.flags.mode != "audit"`}, "policy.word", "a.rego:5"},
		{"no package that is asked", []string{"package acme\n\nallow := true\n"}, "policy.unreachable", "a.rego:1"},
		{"conftest's package", []string{"package main\n\ndeny contains \"no\" if input.module.startSection\n"}, "policy.unreachable", "a.rego:1"},
		{"a file that nobody uses", []string{admit, "package acme\n\nok := true\n"}, "policy.unreachable", "b.rego:1"},
		{"metadata with a schema", []string{"package krmsafe.admit\n\n# METADATA\n# scope: rule\n# schemas:\n#   - input: {type: object}\nallow := false\n"}, "policy.schemas", "a.rego:3"},
		{"a package of the library", []string{admit, "package krmsafe.lib.signature\n\nrequired := set()\n"}, "policy.reserved_package", "b.rego:1"},
		{"a package around the library", []string{admit, "package krmsafe\n\nlib.signature.required := set()\n"}, "policy.reserved_package", "b.rego:1"},
		{"a package in place of the data", []string{admit, "package params.acme\n\nteam := \"shop\"\n"}, "policy.reserved_package", "b.rego:1"},
		{"two policies", []string{admit, admit}, "policy.twice", "b.rego:1"},
		{"data that nobody gives", []string{admit + "allow if data.params.team == \"shop\""}, "policy.params", "a.rego:5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := policy.Load(context.Background(), withRego(t, c.files...))
			var compile *policy.CompileError
			if !errors.As(err, &compile) {
				t.Fatalf("Load = %v, want a complaint with %s", err, c.code)
			}
			for _, p := range compile.Errors {
				if p.Code == c.code && p.File+":"+string(rune('0'+p.Row)) == c.place {
					return
				}
			}
			t.Errorf("Load = %+v, want %s at %s", compile.Errors, c.code, c.place)
		})
	}
}
