package pipeline_test

import (
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/policy"
)

// TestResultWithoutSeverity is what a mutator did, and what a validator or a
// function that failed complains of.
func TestResultWithoutSeverity(t *testing.T) {
	config := strings.SplitAfter(settings, "- apiVersion: v1\n  kind: Secret")[0]
	config = strings.TrimSuffix(config, "- apiVersion: v1\n  kind: Secret")
	input, err := krm.Parse([]byte(config), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	answer := []byte(config + "results:\n- message: set the label\n")
	for _, c := range []struct {
		role string
		exit uint32
		want string
		ok   bool
	}{
		{policy.RoleTransformer, 0, krm.SeverityInfo, true},
		{policy.RoleValidator, 0, krm.SeverityError, false},
		{policy.RoleTransformer, 1, krm.SeverityError, false},
	} {
		report := run(t, setup{}.pipeline(t), pipeline.Request{File: file(t, asm.Emit(answer, nil, c.exit)), Role: c.role, Input: input})
		if report.Outcome.OK != c.ok || len(report.Results) != 1 || report.Results[0].Severity != c.want {
			t.Errorf("%s that exits with %d: %+v %+v", c.role, c.exit, report.Outcome, report.Results)
		}
	}
}
