package policy_test

import (
	"context"
	"fmt"

	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
)

// shippedConfig is how a program takes the Rego that krmsafe ships.
func shippedConfig() (policy.Config, error) {
	library, err := policy.SourcesFS(policies.FS, "lib")
	if err != nil {
		return policy.Config{}, err
	}
	baseline, err := policy.SourcesFS(policies.FS, "baseline")
	return policy.Config{Library: library, Defaults: baseline}, err
}

// The baseline refuses a module that nobody signed.
func ExamplePolicy_Admit() {
	cfg, err := shippedConfig()
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := policy.Load(context.Background(), cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	facts := someFacts()
	facts.Verified = policy.Verified{}
	decision, err := p.Admit(context.Background(), facts)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(decision.Allow)
	for _, r := range decision.Reasons {
		fmt.Println(r.ID)
	}
	// Output:
	// false
	// signature.missing
}

// A policy of one's own, with data. It compiles against the schema of its
// input, so that a misspelt field is an error with its position.
func ExampleLoad() {
	cfg, err := shippedConfig()
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg.Sources = []policy.Source{{Name: "team.rego", Text: []byte(`package krmsafe.admit

reasons contains {"id": "team.registry", "message": "not one of ours"} if not input.request.registri in data.params.registries

default allow := false

allow if {
	input.verified.signed
	count(reasons) == 0
}
`)}}
	cfg.Params = []byte(`{"registries": ["ghcr.io"]}`)
	_, err = policy.Load(context.Background(), cfg)
	fmt.Println(err)
	// Output:
	// team.rego:3:79: undefined ref: input.request.registri: input.request has no such field, only date, digest, flags, namedBy, pinned, reference, registry, repository, source, tag
}

// A function that removed an object is refused by the output policy.
func ExamplePolicy_Check() {
	cfg, err := shippedConfig()
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := policy.Load(context.Background(), cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	decision, err := p.Check(context.Background(), policy.Changes{
		Function: policy.FunctionRole{Role: policy.RoleTransformer},
		Granted:  policy.ChangeGrant{Only: []string{policy.AllowanceAny}},
		Changes: []policy.Change{{
			Op: policy.OpRemove, Resource: policy.ResourceID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(decision.Allow, decision.Reasons[0].ID, decision.Reasons[0].Message)
	// Output:
	// false output.removed Deployment.apps shop/web is removed
}
