package policy_test

import (
	"encoding/json"
	"math/rand"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/policy"
)

// However the facts were gathered, a policy sees the same document.
func TestOrderOfFactsDoesNotCount(t *testing.T) {
	facts := someFacts()
	facts.Verified.Signatures = []policy.Signature{
		{Authority: "a", Type: "key", KeyID: "1", Annotations: map[string]string{"env": "prod"}},
		{Authority: "a", Type: "key", KeyID: "1"},
		{Authority: "a", Type: "key", KeyID: "1", Annotations: map[string]string{"env": "test", "x": "y"}},
		{Authority: "b", Type: "certificate", Issuer: "i", Subject: "s"},
		{Authority: "b", Type: "certificate", Issuer: "i", Subject: "s", Timestamps: []policy.Timestamp{{Type: "tsa", Time: "2"}, {Type: "tlog", Time: "1"}}},
	}
	facts.Verified.Attestations = []policy.Attestation{
		{Authority: "a", PredicateType: "t", Predicate: json.RawMessage(`1`)}, {Authority: "a", PredicateType: "t", Predicate: json.RawMessage(`2`)}, {Authority: "a"},
	}
	facts.Resources.Namespaces = []string{"b", "a", "c", "a"}
	want := facts.Normalize()
	random := rand.New(rand.NewSource(1))
	for range 50 {
		shuffle(random, facts.Verified.Attestations)
		shuffle(random, facts.Module.Imports)
		shuffle(random, facts.Module.Exports)
		shuffle(random, facts.Module.Features)
		shuffle(random, facts.Resources.Kinds)
		shuffle(random, facts.Resources.Namespaces)
		shuffle(random, facts.Verified.Signatures)
		if diff := cmp.Diff(want, facts.Normalize()); diff != "" {
			t.Fatalf("the order counts (-want +got):\n%s", diff)
		}
	}
}

func shuffle[T any](random *rand.Rand, list []T) {
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

func TestNormalizeOfTheOddRest(t *testing.T) {
	facts := policy.Facts{
		Verified: policy.Verified{Attestations: []policy.Attestation{{}}, Signatures: []policy.Signature{{}}},
		Module:   policy.Module{Imports: []policy.Import{{Class: "fs"}, {Class: "fs"}, {}}, ImportClasses: []string{"stdio"}},
	}.Normalize()
	if got := string(facts.Verified.Attestations[0].Predicate); got != "null" {
		t.Errorf("a missing predicate is %q, want null", got)
	}
	if facts.Verified.Signatures[0].Annotations == nil || facts.Verified.Signatures[0].Timestamps == nil {
		t.Errorf("signature %+v has a null", facts.Verified.Signatures[0])
	}
	if diff := cmp.Diff([]string{"fs", "stdio"}, facts.Module.ImportClasses); diff != "" {
		t.Errorf("import classes differ (-want +got):\n%s", diff)
	}
}
