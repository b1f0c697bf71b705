package policy_test

import (
	"context"
	"fmt"

	"github.com/krmsafe/krmsafe/policy"
)

// A policy from outside is evaluated in a confined child. Main of a program
// that does so begins with policy.IsChild.
func ExampleJailed() {
	cfg, err := shippedConfig()
	if err != nil {
		fmt.Println(err)
		return
	}
	jailed, err := policy.NewJailed(policy.JailConfig{Level: policy.JailFull})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer jailed.Close()
	cfg.Evaluator = jailed
	p, err := policy.Load(context.Background(), cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	decision, err := p.Admit(context.Background(), someFacts())
	fmt.Println(decision.Allow, err)
	// Output:
	// true <nil>
}
