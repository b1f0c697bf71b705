package policies_test

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
)

// The policies in examples, which users copy, pass their own tests and would be
// loaded by a run.
func TestExamples(t *testing.T) {
	library, err := policy.SourcesFS(policies.FS, "lib")
	if err != nil {
		t.Fatal(err)
	}
	defaults, err := policy.SourcesFS(policies.FS, "baseline")
	if err != nil {
		t.Fatal(err)
	}
	dirs := regoDirs(t, filepath.Join("..", "examples"))
	if len(dirs) < 2 {
		t.Fatalf("only %v hold Rego: were the examples moved?", dirs)
	}
	for _, dir := range dirs {
		t.Run(filepath.ToSlash(dir), func(t *testing.T) {
			sources, err := policy.TestSourcesPath(dir)
			if err != nil {
				t.Fatal(err)
			}
			report, err := policy.Test(context.Background(), policy.TestConfig{Library: library, Defaults: defaults, Sources: sources})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results {
				if r.Outcome != policy.TestPass {
					t.Errorf("%s:%d: %s: %s %s", r.File, r.Row, r.Name, r.Outcome, r.Message)
				}
			}
			if !report.Passed() {
				t.Error("no test passed")
			}
			isTest := func(s policy.Source) bool { return strings.HasSuffix(s.Name, "_test.rego") }
			tests := slices.DeleteFunc(slices.Clone(sources), func(s policy.Source) bool { return !isTest(s) })
			cfg := policy.Config{Library: library, Defaults: defaults, Sources: slices.DeleteFunc(sources, isTest)}
			if _, err := policy.Check(context.Background(), cfg, tests); err != nil {
				t.Errorf("a run would not load it: %v", err)
			}
		})
	}
}

// regoDirs lists the folders that hold Rego, each of them a policy.
func regoDirs(t *testing.T, root string) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if dir := filepath.Dir(path); err == nil && !entry.IsDir() && filepath.Ext(path) == ".rego" && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}
