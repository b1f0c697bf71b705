// Package policy judges a run by the organisation's Rego: what is known
// before it starts becomes a decision with limits, and what the function
// changed becomes a second one. It knows facts, changes, Rego and the one
// closed shape of a decision; it does not know where facts come from, nor how
// a limit is enforced.
//
// A policy is Rego v1. Package krmsafe.admit answers whether a module may run,
// package krmsafe.output whether what it changed may leave:
//
//	package krmsafe.admit
//
//	import data.krmsafe.lib.module
//	import data.krmsafe.lib.signature
//
//	reasons contains r if some r in signature.required
//
//	reasons contains r if some r in module.baseline
//
//	default allow := false
//
//	allow if count(reasons) == 0
//
// # Why it fails closed
//
// Rego fails open in easy ways: a rule that is undefined does not refuse, a
// misspelt field is undefined, a failing builtin makes its rule undefined, a
// data document can stand in for a rule. So krmsafe compiles against a schema
// of the input, always fills every field, treats errors of builtins as
// refusals, keeps data under data.params, refuses a policy whose rules nobody
// would evaluate or that allows what nobody can want, and reads the answer
// strictly: allow must be true, reasons must be empty, and nothing unknown may
// stand beside them.
//
// # Why an Evaluator
//
// A few lines of Rego can ask a builtin function for more memory than the
// machine has, and Go cannot recover from that. A policy from outside is
// therefore compiled and evaluated where it can do no harm: Config.Evaluator
// carries it to a confined child, whose side is Server. Without an Evaluator
// policies are evaluated in this process; that is right for policies that
// come with the program, and bounds their time but not their memory.
package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// DefaultTimeout bounds one evaluation where Config says nothing.
const DefaultTimeout = 5 * time.Second

// Config says what a policy is made of. Who calls chooses all of it: this
// package ships no Rego.
type Config struct {
	// Library is the Rego under data.krmsafe.lib that policies import. Only
	// these sources may define that package. What a policy cannot reach over its
	// imports is not looked at.
	Library []Source
	// Defaults answer the questions that Sources leave open: where Sources have
	// no package krmsafe.admit, that of Defaults is used, and the same for
	// krmsafe.output.
	Defaults []Source
	// Sources is the operator's policy. Nil means that there is none and
	// Defaults decide; empty but not nil is refused.
	Sources []Source
	// Params is a JSON object that policies read as data.params, or empty.
	Params []byte
	// Timeout bounds one evaluation; DefaultTimeout where it is zero. It is
	// granted again for every 4 MiB of input.
	Timeout time.Duration
	// Permissive names the canaries that the policy may allow, such as
	// CanaryUnsigned. Any other that it allows makes Load fail.
	Permissive []string
	// Evaluator is where the policy is evaluated; this process where it is nil.
	Evaluator Evaluator
}

// Policy is a compiled policy. It is safe for concurrent use if its Evaluator
// is.
type Policy struct {
	engine engine
	digest string
	cfg    Config // for Explain
}

// engine answers an entry's question over an input document. An *evalError
// means that the policy gave no answer, any other that nothing was judged.
type engine interface {
	ask(ctx context.Context, e entry, input []byte) (any, error)
}

// Load compiles a policy and tries it on the canaries. It fails with
// *CompileError where Rego or krmsafe's own checks complain, with *LoadError
// where there is nothing to compile or the policy allows what it must not.
func Load(ctx context.Context, cfg Config) (*Policy, error) {
	if err := checkPermissive(cfg.Permissive); err != nil {
		return nil, err
	}
	if cfg.Evaluator != nil {
		return loadRemote(ctx, cfg)
	}
	l, err := loadLocal(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &Policy{engine: l, digest: l.digest, cfg: cfg}, nil
}

// Digest identifies everything that takes part in a decision: the text of
// each Rego file that can be reached, shipped ones included, and the params.
// Names of files do not count, since they change no decision.
func (p *Policy) Digest() string { return p.digest }

// Admit judges a run before it starts. A refusal is a Decision, also where the
// policy itself is at fault; an error means that nothing was judged.
func (p *Policy) Admit(ctx context.Context, facts Facts) (Decision, error) {
	return p.decide(ctx, admitEntry, facts.Normalize())
}

// Check judges what a function changed. Only Allow, Reasons, Warnings and
// Policy of the decision have a meaning. A refusal is a Decision, an error
// means that nothing was judged.
func (p *Policy) Check(ctx context.Context, changes Changes) (Decision, error) {
	return p.decide(ctx, outputEntry, changes.Normalize())
}

func (p *Policy) decide(ctx context.Context, e entry, document any) (Decision, error) {
	input, err := json.Marshal(document)
	if err != nil {
		return Decision{}, fmt.Errorf("writing the input of %s: %w", e.pkg, err)
	}
	value, err := p.engine.ask(ctx, e, input)
	var failed *evalError
	switch {
	case errors.As(err, &failed):
		return refusal(failed.reason, p.digest), nil
	case err != nil:
		return Decision{}, err
	}
	d := e.decode(value)
	d.Policy = p.digest
	return d, nil
}
