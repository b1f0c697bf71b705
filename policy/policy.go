// Package policy judges a run by the organisation's Rego: what is known
// before it starts becomes a decision with limits. It knows facts, Rego and
// the one closed shape of a decision; it does not know where facts come from,
// nor how a limit is enforced.
//
// A policy is Rego v1. Package krmsafe.admit answers whether a module may run:
//
//	package krmsafe.admit
//
//	import data.krmsafe.lib.module
//	import data.krmsafe.lib.signature
//
//	reasons contains r if some r in signature.required
//	reasons contains r if some r in module.baseline
//
//	default allow := false
//	allow if count(reasons) == 0
//
// # Why it fails closed
//
// Rego fails open in easy ways: a rule that is undefined does not refuse, a
// misspelt field is undefined, a failing builtin makes its rule undefined, a
// data document can stand in for a rule. So krmsafe compiles against a schema
// of the input, always fills every field, treats errors of builtins as
// refusals, keeps data under data.params, refuses a policy whose rules nobody
// would evaluate, and reads the answer strictly: allow must be true, reasons
// must be empty, and nothing unknown may stand beside them.
package policy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// DefaultTimeout bounds one evaluation where Config says nothing.
const DefaultTimeout = 2 * time.Second

// Config says what a policy is made of. Who calls chooses all of it: this
// package reads no file by itself and ships no Rego.
type Config struct {
	// Library is the Rego under data.krmsafe.lib that policies import. Only
	// these sources may define that package.
	Library []Source
	// Defaults answer the questions that Sources leave open, file by file of
	// the same package: where Sources have no krmsafe.admit, that of Defaults
	// is used.
	Defaults []Source
	// Sources is the operator's policy. Nil means that there is none and
	// Defaults decide; empty but not nil is refused.
	Sources []Source
	// Params is a JSON object that policies read as data.params, or empty.
	Params []byte
	// Timeout bounds one evaluation; DefaultTimeout where it is zero.
	Timeout time.Duration
}

// Policy is a compiled policy. It is safe for concurrent use.
type Policy struct {
	admit   *question
	digest  string
	timeout time.Duration
}

// Load compiles a policy. It fails with *CompileError where Rego or krmsafe's
// own checks complain, and with *LoadError where there is nothing to compile.
func Load(ctx context.Context, cfg Config) (*Policy, error) {
	params, err := decodeParams(cfg.Params)
	if err != nil {
		return nil, err
	}
	set, err := assemble(cfg)
	if err != nil {
		return nil, err
	}
	compiler, err := compile(admitEntry, set.admit)
	if err != nil {
		return nil, err
	}
	if complaints := checkParams(compiler, params); len(complaints) > 0 {
		return nil, compileError(complaints)
	}
	admit, err := prepare(ctx, admitEntry, compiler, params)
	if err != nil {
		return nil, err
	}
	timeout := cfg.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	return &Policy{admit: admit, digest: digest(set.texts, params), timeout: timeout}, nil
}

// Digest identifies everything that takes part in a decision: the text of
// each Rego file that can be reached, shipped ones included, and the params.
// Names of files do not count, since they change no decision.
func (p *Policy) Digest() string { return p.digest }

// Admit judges a run before it starts. A refusal is a Decision, also where the
// policy itself is at fault; an error means that nothing was judged, because
// ctx ended.
func (p *Policy) Admit(ctx context.Context, facts Facts) (Decision, error) {
	input, err := json.Marshal(facts.Normalize())
	if err != nil {
		return Decision{}, fmt.Errorf("writing the policy's input: %w", err)
	}
	value, err := p.admit.ask(ctx, input, p.timeout)
	var failed *evalError
	switch {
	case errors.As(err, &failed):
		d := refusal(failed.reason.ID, failed.reason.Message, failed.reason.Remedy)
		d.Policy = p.digest
		return d, nil
	case err != nil:
		return Decision{}, err
	}
	d := decodeAdmit(value)
	d.Policy = p.digest
	return d, nil
}

func decodeParams(text []byte) (map[string]any, error) {
	params := map[string]any{}
	if len(text) == 0 {
		return params, nil
	}
	bad := func(why string) error {
		return &LoadError{Code: "policy.params", Message: "policy data " + why, Hint: "give one JSON object; policies read it as data.params"}
	}
	if len(text) > maxPolicyBytes {
		return nil, bad(fmt.Sprintf("exceeds the limit of %d bytes", maxPolicyBytes))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&params); err != nil || params == nil {
		return nil, bad("is not a JSON object")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, bad("has more after its first value")
	}
	return params, nil
}

func digest(texts [][]byte, params map[string]any) string {
	sums := make([]string, 0, len(texts))
	for _, text := range texts {
		sum := sha256.Sum256(text)
		sums = append(sums, hex.EncodeToString(sum[:]))
	}
	slices.Sort(sums)
	whole, err := json.Marshal(struct {
		Format  string
		Modules []string
		Params  map[string]any
	}{"krmsafe.dev/policy/v1", sums, maps.Clone(params)})
	if err != nil { // params came from JSON
		return ""
	}
	sum := sha256.Sum256(whole)
	return "sha256:" + hex.EncodeToString(sum[:])
}
