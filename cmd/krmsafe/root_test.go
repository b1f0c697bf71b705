package main_test

import (
	"slices"
	"testing"

	main "github.com/krmsafe/krmsafe/cmd/krmsafe"
)

// TestVerbsAreFoundByName makes each verb alone where the command line begins with its name, and all where it does not.
func TestVerbsAreFoundByName(t *testing.T) {
	all := main.Verbs()
	if len(all) < 18 {
		t.Fatalf("there are %d verbs: %v", len(all), all)
	}
	for _, verb := range all {
		if got := main.Verbs(verb, "--help"); !slices.Equal(got, []string{verb}) {
			t.Errorf("%s alone makes %v", verb, got)
		}
	}
	for _, args := range [][]string{{"help", "run"}, {"--config", "run"}, {"ru"}, {"__complete", "run", ""}, {""}} {
		if got := main.Verbs(args...); !slices.Equal(got, all) {
			t.Errorf("%v makes %v, want all", args, got)
		}
	}
}
