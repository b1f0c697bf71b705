package policy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/policy"
)

var update = flag.Bool("update", false, "rewrite golden files")

// someFacts are of a function as Go builds it, from a registry and signed.
func someFacts() policy.Facts {
	return policy.Facts{
		Request: policy.Request{
			Source: "registry", Reference: "ghcr.io/acme/set-labels@sha256:1111111111111111111111111111111111111111111111111111111111111111",
			Registry: "ghcr.io", Repository: "acme/set-labels",
			Digest: "sha256:1111111111111111111111111111111111111111111111111111111111111111", Pinned: true, Date: "2026-11-22",
		},
		Verified: policy.Verified{
			Signed:     true,
			Signatures: []policy.Signature{{Authority: "release", Type: "key", KeyID: "sha256:2222"}},
			Attestations: []policy.Attestation{{
				Authority: "release", PredicateType: "https://slsa.dev/provenance/v1", Predicate: json.RawMessage(`{"buildDefinition":{"buildType":"go"}}`),
			}},
		},
		Module: policy.Module{
			Digest: "sha256:3333333333333333333333333333333333333333333333333333333333333333", SizeBytes: 4_000_000,
			Imports: []policy.Import{
				{Module: "wasi_snapshot_preview1", Name: "random_get", Kind: "func", Class: "random"},
				{Module: "wasi_snapshot_preview1", Name: "fd_write", Kind: "func", Class: "stdio"},
				{Module: "wasi_snapshot_preview1", Name: "fd_read", Kind: "func", Class: "stdio"},
				{Module: "wasi_snapshot_preview1", Name: "path_open", Kind: "func", Class: "fs"},
			},
			Exports:  []policy.Export{{Name: "memory", Kind: "memory"}, {Name: "_start", Kind: "func"}},
			Memory:   policy.Memory{Declared: true, MinPages: 108, MaxPages: 65536},
			Tables:   []policy.Table{{Type: "funcref", MinElements: 2411, MaxElements: 2411, HasMax: true}},
			Globals:  8,
			Features: []string{"sign-extension", "bulk-memory"}, EntryPoint: "_start",
			Functions: 2411, CodeBytes: 2_840_000, DataBytes: 900_000, DataSegments: 42_134, LargestFunctionBytes: 40_000, DeepestNesting: 60,
			Producers:      []policy.Producer{{Field: "language", Name: "Go", Version: "go1.26.8"}},
			CustomSections: []policy.CustomSection{{Name: "producers", SizeBytes: 58}},
		},
		Runtime: policy.Runtime{Engine: "interpreter", Jail: "full", OS: "linux", Arch: "amd64"},
		Resources: policy.Resources{
			Count: 3, Namespaces: []string{"shop", "shop", "infra"},
			Kinds: []policy.ResourceKinds{{Group: "apps", Version: "v1", Kind: "Deployment", Count: 2}, {Version: "v1", Kind: "ConfigMap", Count: 1}},
		},
		FunctionConfig: policy.FunctionConfig{APIVersion: "v1", Kind: "ConfigMap", Name: "set-labels"},
	}
}

func TestFactsGolden(t *testing.T) {
	golden(t, "facts.golden.json", indent(t, someFacts().Normalize()))
}

// The zero facts still have every field, and no null where a list belongs.
func TestFactsAlwaysPresent(t *testing.T) {
	text := indent(t, policy.Facts{}.Normalize())
	if bytes.Contains(text, []byte("null")) {
		t.Errorf("zero facts have a null:\n%s", text)
	}
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	mustHaveAll(t, "input", policy.FactsSchema(), value)
}

func mustHaveAll(t *testing.T, where string, schema map[string]any, value any) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	object, _ := value.(map[string]any)
	for name, sub := range properties {
		if _, ok := object[name]; !ok {
			t.Errorf("%s.%s is missing", where, name)
			continue
		}
		mustHaveAll(t, where+"."+name, sub.(map[string]any), object[name])
	}
}

func TestNormalizeTwiceIsOnce(t *testing.T) {
	once := someFacts().Normalize()
	if diff := cmp.Diff(once, once.Normalize()); diff != "" {
		t.Errorf("a second Normalize changes the facts:\n%s", diff)
	}
}

func TestNormalizeLeavesItsReceiver(t *testing.T) {
	facts := someFacts()
	facts.Normalize()
	if diff := cmp.Diff(someFacts(), facts); diff != "" {
		t.Errorf("Normalize changed its receiver:\n%s", diff)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); run with -update to accept:\n%s", name, diff)
	}
}

func indent(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}
