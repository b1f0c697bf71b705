package policies_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
)

// profiles are the complete policies, each tested with the library.
var profiles = []string{"baseline", "ci-gate", "generators", "strict", "third-party"}

// Every _test.rego passes, and together they evaluate nearly all of each file
// that is shipped.
func TestRego(t *testing.T) {
	const floor = 95
	for _, profile := range profiles {
		t.Run(profile, func(t *testing.T) {
			library, err := policy.TestSourcesPath("lib")
			if err != nil {
				t.Fatal(err)
			}
			sources, err := policy.TestSourcesPath(profile)
			if err != nil {
				t.Fatal(err)
			}
			report, err := policy.Test(context.Background(), policy.TestConfig{Library: library, Sources: sources, Params: params(t, profile)})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results {
				if r.Outcome != policy.TestPass {
					t.Errorf("%s:%d: %s: %s %s", r.File, r.Row, r.Name, r.Outcome, r.Message)
				}
			}
			for _, f := range report.Coverage.Files {
				if f.Percent() < floor {
					t.Errorf("coverage of %s is %.1f %%, want %d %%; not covered: lines %v", f.File, f.Percent(), floor, f.NotCovered)
				}
			}
			t.Logf("%d tests, coverage %.1f %%", len(report.Results), report.Coverage.Percent)
		})
	}
}

func params(t *testing.T, profile string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(profile, "params.json"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The library's own files are tested as the library, beside the one that comes
// with krmsafe.
func TestLibraryAlone(t *testing.T) {
	shipped, err := policy.SourcesFS(policies.FS, "lib")
	if err != nil {
		t.Fatal(err)
	}
	own, err := policy.TestSourcesPath("lib")
	if err != nil {
		t.Fatal(err)
	}
	report, err := policy.Test(context.Background(), policy.TestConfig{Library: shipped, Sources: own})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Passed() || len(report.Coverage.Files) == 0 {
		t.Errorf("report %+v", report)
	}
}
