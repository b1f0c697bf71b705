package report_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
)

// TestFunctionResults writes what kpt's readers of results.yaml find, and a refusal so that none of them takes it for a
// success.
func TestFunctionResults(t *testing.T) {
	t.Parallel()
	ran, refused := pipeline.NewReport(), pipeline.NewReport()
	ran.Outcome = pipeline.Outcome{OK: true, Stage: pipeline.StageDone}
	ran.Function = pipeline.Function{Source: "registry", Reference: "ghcr.io/acme/set:v1"}
	ran.Run = &pipeline.Execution{Stderr: "two\nlines, ##[command]\n"}
	ran.Results = []pipeline.Result{{
		Severity: "warning", Message: "::error::no owner", Resource: pipeline.ResourceRef{APIVersion: "v1", Kind: "Pod", Name: "web", Namespace: "shop"},
		Field: pipeline.Field{Path: "metadata.labels.owner", ProposedValue: "shop"}, File: "web.yaml", Tags: map[string]string{"team": "a"},
	}}
	refused.Outcome = pipeline.Outcome{Stage: pipeline.StageCheck, Code: "policy.output_denied", Message: "the policy says no"}
	refused.Function = pipeline.Function{Source: "file", Reference: "check.wasm"}
	got, err := report.FunctionResults([]*pipeline.Report{ran, refused}, []string{"set-labels:v0.2"}, 5)
	if err != nil {
		t.Fatal(err)
	}
	const want = `apiVersion: kpt.dev/v1
kind: FunctionResultList
metadata:
  name: fnresults
exitCode: 5
items:
- image: set-labels:v0.2
  stderr: "two\nlines, #\x23[command]\n"
  exitCode: 0
  results:
  - message: "::error::no owner"
    severity: warning
    resourceRef:
      apiVersion: v1
      kind: Pod
      name: web
      namespace: shop
    field:
      path: metadata.labels.owner
      proposedValue: shop
    file:
      path: web.yaml
    tags:
      team: a
- exec: check.wasm
  exitCode: 1
  results:
  - message: 'krmsafe: the policy says no'
    severity: error
    tags:
      krmsafe.dev/code: policy.output_denied
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("FunctionResults (-want +got):\n%s", diff)
	}
}
