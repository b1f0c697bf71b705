package policy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
)

// A policy that allows what nobody can want is not loaded, unless it is asked
// for by name.
func TestPermissivePolicyIsNotLoaded(t *testing.T) {
	const head = "package krmsafe.admit\n\n"
	tests := []struct {
		name, rego string
		allowed    []string // canaries that must be named to load it, in order
	}{
		{"allow := true", head + "allow := true\n", []string{policy.CanaryEmpty, policy.CanaryWorst, policy.CanaryUnsigned}},
		{"default allow", head + "default allow := true\n\nallow := false if input.request.tag == \"bad\"\n", []string{policy.CanaryEmpty, policy.CanaryWorst, policy.CanaryUnsigned}},
		{"deny-list", head + "reasons contains {\"id\": \"a.b\", \"message\": \"m\"} if input.module.startSection\n\nallow if count(reasons) == 0\n", []string{policy.CanaryEmpty, policy.CanaryUnsigned}},
		{"no look at signatures", head + "import data.krmsafe.lib.module\n\nreasons contains r if some r in module.baseline\n\nallow if count(reasons) == 0\n", []string{policy.CanaryUnsigned}},
		{"only the jail counts", head + "allow if input.runtime.jail == \"full\"\n", []string{policy.CanaryUnsigned}},
		{"worst case by name", head + "allow if input.module.memory.imported\n", []string{policy.CanaryWorst}},
		{"output := true", "package krmsafe.output\n\nallow := true\n", []string{policy.CanaryOutput}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := withRego(t, test.rego)
			for _, name := range test.allowed {
				_, err := policy.Load(context.Background(), cfg)
				var refused *policy.LoadError
				if !errors.As(err, &refused) || refused.Code != "policy.permissive" || !strings.Contains(refused.Hint, name) {
					t.Fatalf("Load with %v = %v, want policy.permissive with a hint at %s", cfg.Permissive, err, name)
				}
				cfg.Permissive = append(cfg.Permissive, name)
			}
			load(t, cfg)
		})
	}
}

func TestPermissionForNoCanary(t *testing.T) {
	cfg := shipped(t)
	cfg.Permissive = []string{"all"}
	if _, err := policy.Load(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), `unknown permission "all"`) {
		t.Errorf("Load = %v", err)
	}
}

// Every policy that we ship stands up to the canaries.
func TestShippedPoliciesLoad(t *testing.T) {
	for _, name := range []string{"baseline", "ci-gate", "generators", "strict", "third-party"} {
		t.Run(name, func(t *testing.T) {
			cfg := shipped(t)
			sources, err := policy.SourcesFS(policies.FS, name)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Sources = sources
			if params, err := policies.FS.ReadFile(name + "/params.json"); err == nil {
				cfg.Params = params
			}
			load(t, cfg)
		})
	}
}
