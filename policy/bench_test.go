package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/krmsafe/krmsafe/policy"
)

func BenchmarkLoad(b *testing.B) {
	cfg := shipped(b)
	for b.Loop() {
		load(b, cfg)
	}
}

// At most 10 ms for the baseline, compiled once per process.
func BenchmarkAdmit(b *testing.B) {
	p, facts := load(b, shipped(b)), someFacts()
	for range 30 { // as many imports as Go's runtime has
		facts.Module.Imports = append(facts.Module.Imports, facts.Module.Imports[0])
	}
	for b.Loop() {
		if d, err := p.Admit(context.Background(), facts); err != nil || !d.Allow {
			b.Fatal(d, err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	p := load(b, shipped(b))
	for _, only := range []string{policy.AllowanceAny, "labels-and-annotations"} {
		for _, n := range []int{100, 1000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", only, n), func(b *testing.B) {
				changes := manyChanges(n)
				changes.Granted.Only = []string{only}
				for b.Loop() {
					if d, err := p.Check(context.Background(), changes); err != nil || !d.Allow {
						b.Fatal(d.Reasons, err)
					}
				}
			})
		}
	}
}

// manyChanges relabels n resources.
func manyChanges(n int) policy.Changes {
	changes := someChanges()
	changes.Changes = nil
	for i := range n {
		changes.Changes = append(changes.Changes, policy.Change{
			Op: policy.OpAdd, Resource: policy.ResourceID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: fmt.Sprintf("web-%d", i)},
			Path: []string{"metadata", "labels", "team"}, Pointer: "/metadata/labels/team", After: json.RawMessage(`"shop"`),
		})
	}
	return changes
}
