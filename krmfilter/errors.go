package krmfilter

import (
	"errors"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/sandbox"
)

// RefusedError says that the module was refused, that it failed, or that what it returned was refused. Message may hold
// text of the function: clean it before it goes to a terminal.
type RefusedError struct {
	// Stage at which it was refused: fetch, verify, inspect, decide, run or check.
	Stage string
	// Code is the stable reason: a dotted word such as "signature.none", "policy.denied", "limit.fuel" or "guest.exit".
	Code    string
	Message string
	Hint    string // the remedy, "" where there is none to name
	// Reasons are those of the policy, where it refused.
	Reasons []Reason
	// ExitCode is that of the function, where it ran.
	ExitCode uint32
	// Stderr is what the function wrote on its standard error, where it ran.
	Stderr string

	own bool // the function's own failure
}

// Error is the message, the policy's reasons and the code, on one line.
func (e *RefusedError) Error() string {
	text := e.Message
	for i, r := range e.Reasons {
		text += [2]string{": ", "; "}[min(i, 1)] + r.Message
	}
	return text + " (" + e.Code + ")"
}

// Reason is why a policy refused, in its author's words.
type Reason struct {
	ID      string // dotted, stable
	Message string
	Remedy  string
}

// ConfigError says that a Config or a Filter cannot be carried out as written, or that nodes given to it cannot be read.
// Nothing ran.
type ConfigError struct {
	Code    string // stable: "config." or "input." and words
	Message string
	Hint    string // the remedy, "" where there is none to name
}

// Error is the message.
func (e *ConfigError) Error() string { return e.Message }

// configError tells the callers' own mistakes from other errors.
func configError(err error) error {
	if usage, ok := errors.AsType[*pipeline.UsageError](err); ok {
		return &ConfigError{Code: "config.usage", Message: usage.Message, Hint: usage.Hint}
	}
	if bad, ok := errors.AsType[*krm.SyntaxError](err); ok {
		return &ConfigError{Code: bad.Code, Message: bad.Error(), Hint: bad.Hint}
	}
	return err
}

// refused is the error that a report tells of.
func refused(r *pipeline.Report) *RefusedError {
	o := r.Outcome
	e := &RefusedError{Stage: string(o.Stage), Code: o.Code, Message: o.Message, Hint: o.Hint}
	reasons := r.Policy.Reasons
	if r.Check != nil {
		reasons = append(reasons[:len(reasons):len(reasons)], r.Check.Reasons...)
	}
	for _, reason := range reasons {
		e.Reasons = append(e.Reasons, Reason(reason))
	}
	if r.Run != nil {
		e.ExitCode, e.Stderr = r.Run.ExitCode, r.Run.Stderr
	}
	e.own = o.Code == sandbox.CodeGuestExit || o.Code == "output.results"
	return e
}
