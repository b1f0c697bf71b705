package pipeline

import (
	"bytes"
	"context"
	"fmt"

	"github.com/krmsafe/krmsafe/sandbox"
)

// execute runs the job, and where the request asks for it a second time in
// another child: a function whose two runs differ is refused, since nobody can
// review what it will do next.
func (j *judgement) execute(ctx context.Context, job sandbox.Job) (*sandbox.Result, error) {
	first, err := j.p.cfg.Sandbox.Do(ctx, job)
	if err != nil || !j.req.CheckDeterminism || first.Stop != nil {
		return first, err
	}
	second, err := j.p.cfg.Sandbox.Do(ctx, job)
	if err != nil {
		return nil, err
	}
	if second.Stop != nil {
		return second, nil
	}
	var differs string
	switch {
	case !bytes.Equal(first.Stdout, second.Stdout):
		differs = fmt.Sprintf("standard output, from byte %d", firstDifference(first.Stdout, second.Stdout))
	case !bytes.Equal(first.Stderr, second.Stderr):
		differs = fmt.Sprintf("standard error, from byte %d", firstDifference(first.Stderr, second.Stderr))
	case first.Usage.Fuel != second.Usage.Fuel:
		differs = fmt.Sprintf("fuel, %d and %d", first.Usage.Fuel, second.Usage.Fuel)
	default:
		return first, nil
	}
	first.Stop = &sandbox.Stop{
		Code: "guest.nondeterministic", Message: "two runs on the same input differ in " + differs,
		Hint: "the policy grants it a clock or random numbers; take the grant away, or run without --check-determinism",
	}
	return first, nil
}

func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
