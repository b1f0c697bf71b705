package main_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"

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

// TestRoomForTheHeap holds the collector back where there is memory for it, and not where there is little or nobody can tell.
func TestRoomForTheHeap(t *testing.T) {
	for _, tc := range []struct {
		limit uint64
		err   error
		want  int64
	}{
		{0, memlimit.ErrNoLimit, 96 << 20},
		{1 << 30, nil, 96 << 20},
		{1<<63 - 4096, nil, 96 << 20}, // how the first control groups say that there is none
		{1<<30 - 1, nil, 24 << 20},
		{64 << 20, nil, 24 << 20},
		{0, nil, 24 << 20},
		{1 << 40, errors.New("the file is torn"), 24 << 20},
		{0, memlimit.ErrNoCgroup, 24 << 20},
	} {
		if got := main.RoomFor(tc.limit, tc.err); got != tc.want {
			t.Errorf("a limit of %d (%v) leaves %d bytes, want %d", tc.limit, tc.err, got, tc.want)
		}
	}
}
