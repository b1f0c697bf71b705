package pipeline_test

import (
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/testkit/asm"
)

const booked = `apiVersion: config.kubernetes.io/v1
kind: ResourceList
items:
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: settings
    annotations:
      internal.config.kubernetes.io/previousNames: a
      config.k8s.io/id: '1'
      kustomize.config.k8s.io/id: x
`

func bookedList(t *testing.T) *krm.ResourceList {
	t.Helper()
	l, err := krm.Parse([]byte(booked), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestDroppedBookkeepingPassesTheBaseline lets a function return a resource without what kustomize keeps on it.
func TestDroppedBookkeepingPassesTheBaseline(t *testing.T) {
	answer, _, _ := strings.Cut(booked, "    annotations:")
	report := run(t, setup{}.pipeline(t), pipeline.Request{File: file(t, asm.Emit([]byte(answer), nil, 0)), Input: bookedList(t)})
	if !report.Outcome.OK || len(report.Changes) != 0 {
		t.Fatalf("%+v, %+v", report.Outcome, report.Changes)
	}
	if got, err := report.Emit.Encode(); err != nil || string(got) != booked {
		t.Errorf("what leaves: %v\n%s", err, got)
	}
}

// TestTamperedBookkeeping alters an annotation on which kustomize is known to crash: the baseline refuses it, and under a
// policy that does not, it is put back.
func TestTamperedBookkeeping(t *testing.T) {
	req := pipeline.Request{File: file(t, asm.Emit([]byte(strings.Replace(booked, "previousNames: a", "previousNames: a,b", 1)), nil, 0)), Input: bookedList(t)}
	report := run(t, setup{}.pipeline(t), req)
	if report.Outcome.Code != "policy.output_denied" || len(report.Check.Reasons) != 1 || report.Check.Reasons[0].ID != "output.reserved_annotation" {
		t.Fatalf("%+v, %+v", report.Outcome, report.Check)
	}
	report = run(t, setup{rego: careful, output: "package krmsafe.output\ndefault allow := false\nallow if count(input.changes) == 1\n"}.pipeline(t), req)
	if !report.Outcome.OK || len(report.Warnings) == 0 || report.Warnings[len(report.Warnings)-1].ID != "output.restored" {
		t.Fatalf("%+v, %+v", report.Outcome, report.Warnings)
	}
	if got, err := report.Emit.Encode(); err != nil || string(got) != booked {
		t.Errorf("what leaves: %v\n%s", err, got)
	}
}
