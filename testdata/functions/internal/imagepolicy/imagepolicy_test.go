package imagepolicy_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/testdata/functions/internal/functiontest"
	"github.com/krmsafe/krmsafe/testdata/functions/internal/imagepolicy"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestImagePolicy(t *testing.T) {
	functiontest.Golden(t, imagepolicy.Processor(), *update)
}

// TestShop runs the function over the sample input under the two sample policies, one
// of which it satisfies.
func TestShop(t *testing.T) {
	for _, c := range []struct {
		policy string
		exit   string
		counts map[string]int // results by severity
	}{
		{"image-policy.yaml", "exit 0", map[string]int{"error": 0, "warning": 1, "info": 3}},
		{"image-policy-strict.yaml", "exit 1", map[string]int{"error": 12, "warning": 0, "info": 3}},
	} {
		t.Run(c.policy, func(t *testing.T) {
			input := shop(t, c.policy)
			stdout, ending := functiontest.Run(imagepolicy.Processor(), input)
			if exit, _, _ := strings.Cut(ending, "\n"); exit != c.exit {
				t.Errorf("it ended with %q, want %q", exit, c.exit)
			}
			before, results, _ := strings.Cut(string(stdout), "\nresults:\n")
			for severity, want := range c.counts {
				if got := strings.Count(results, "severity: "+severity+"\n"); got != want {
					t.Errorf("%d results with severity %s, want %d", got, severity, want)
				}
			}
			items, _, _ := strings.Cut(before, "\nfunctionConfig:\n")
			want, _, _ := strings.Cut(string(input), "\nfunctionConfig:\n")
			if diff := cmp.Diff(want, items); diff != "" {
				t.Errorf("a validator changed the items (-in +out):\n%s", diff)
			}
		})
	}
}

// shop is the sample input with a functionConfig.
func shop(t *testing.T, policy string) []byte {
	t.Helper()
	list, err := os.ReadFile("../../../resources/shop-list.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile("../../../resources/" + policy)
	if err != nil {
		t.Fatal(err)
	}
	indented := "  " + strings.ReplaceAll(strings.TrimSpace(string(config)), "\n", "\n  ")
	return fmt.Appendf(list, "functionConfig:\n%s\n", indented)
}
