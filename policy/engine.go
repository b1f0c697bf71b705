package policy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// question is one compiled entry, ready for any number of inputs at once.
type question struct {
	query rego.PreparedEvalQuery
}

// prepare makes a question of a compiled entry. The query is fixed; no caller
// chooses what is evaluated.
func prepare(ctx context.Context, e entry, c *ast.Compiler, params map[string]any) (*question, error) {
	store := inmem.NewFromObject(map[string]any{paramsPackage: params})
	query, err := rego.New(
		rego.Query("data."+e.pkg), rego.Compiler(c), rego.Store(store),
		rego.Strict(true), rego.StrictBuiltinErrors(true), rego.Capabilities(capabilities()),
	).PrepareForEval(ctx)
	if err != nil {
		return nil, compileError(positions(err, e.pkg))
	}
	return &question{query: query}, nil
}

// evalError is why a question has no answer, as a reason against the run.
type evalError struct {
	reason Reason
}

func (e *evalError) Error() string { return e.reason.Message }

// ask evaluates the question over one input document. It returns within
// timeout even where a builtin function does not heed its context; such a
// function is then left behind, which is why policies from outside belong in
// a confined child.
func (q *question) ask(ctx context.Context, input []byte, timeout time.Duration) (any, error) {
	document, err := ast.ValueFromReader(bytes.NewReader(input))
	if err != nil {
		return nil, fmt.Errorf("reading the policy's input: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type answer struct {
		results rego.ResultSet
		err     error
	}
	done := make(chan answer, 1)
	go func() {
		ample()
		results, err := q.query.Eval(ctx, rego.EvalParsedInput(document))
		done <- answer{results, err}
	}()
	select {
	case a := <-done:
		if a.err != nil {
			return nil, classify(ctx, a.err, timeout)
		}
		if len(a.results) != 1 || len(a.results[0].Expressions) != 1 {
			return nil, undefined()
		}
		return a.results[0].Expressions[0].Value, nil
	case <-ctx.Done():
		return nil, classify(ctx, ctx.Err(), timeout)
	}
}

func undefined() error {
	return &evalError{Reason{ReasonUndefined, "the policy gives no answer", "define allow in the policy"}}
}

// classify turns an evaluation's error into a reason, except where the caller
// gave up: then nothing was judged.
func classify(ctx context.Context, err error, timeout time.Duration) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("evaluating the policy: %w", context.Canceled)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &evalError{Reason{ReasonTimeout, fmt.Sprintf("the policy took longer than %s", timeout), "simplify the policy's rules"}}
	}
	var e *topdown.Error
	if !errors.As(err, &e) {
		return &evalError{Reason{ReasonEval, "evaluating the policy: " + oneLine(err.Error()), ""}}
	}
	where := ""
	if e.Location != nil {
		where = fmt.Sprintf("%s:%d:%d: ", e.Location.File, e.Location.Row, e.Location.Col)
	}
	message := where + oneLine(e.Message)
	switch e.Code {
	case topdown.ConflictErr, topdown.WithMergeErr:
		return &evalError{Reason{ReasonConflict, message, "let one rule decide each value, for all files of the policy"}}
	case topdown.BuiltinErr, topdown.TypeErr:
		return &evalError{Reason{ReasonBuiltin, message, "guard the call, so that it is made only on values it can take"}}
	}
	return &evalError{Reason{ReasonEval, message, ""}}
}
