package krm_test

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/testkit/conformance"
)

var update = flag.Bool("update", false, "rewrite golden files")

// fromCodec are the expectations that this package meets. What the whole pipeline makes of a case is tested there.
var fromCodec = []string{"want/shown.yaml", "want/results", "want/change", "want/out.yaml", "want/error"}

// TestConformance runs each case of the suite whose function does nothing but answer.
func TestConformance(t *testing.T) {
	t.Parallel()
	cases, err := conformance.Load("../../testdata/conformance")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 90 {
		t.Fatalf("the suite has %d cases", len(cases))
	}
	for _, c := range cases {
		if c.Function != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			got := conform(c)
			if *update {
				if err := c.Update(got, fromCodec...); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(c.Want(fromCodec...), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.Why, diff)
			}
		})
	}
}

func conform(c *conformance.Case) map[string]string {
	got := map[string]string{}
	fail := func(err error) map[string]string {
		code, hint := "none", ""
		if e, ok := errors.AsType[*krm.SyntaxError](err); ok {
			code, hint = e.Code, e.Hint
		}
		if e, ok := errors.AsType[*krm.OutputError](err); ok {
			code, hint = e.Code, e.Hint
		}
		got["want/error"] = fmt.Sprintf("%s\n%v\n%s\n", code, err, hint)
		return got
	}
	list, err := krm.ReadStream([]byte(c.Files[conformance.Input]), krm.DefaultLimits())
	if err != nil {
		return fail(err)
	}
	x, err := krm.NewExchange(list, krm.View{}, random())
	if err != nil {
		return fail(err)
	}
	answer, given := c.Files[conformance.Answer]
	if !given {
		answer = string(x.Input())
		got["want/shown.yaml"] = answer
	}
	if results, err := x.Results([]byte(answer), krm.DefaultLimits()); err == nil && len(results) > 0 {
		got["want/results"] = told(results)
	}
	if _, failed := c.Files[conformance.Exit]; failed {
		got["want/error"] = "guest.exit\n"
		return got
	}
	out, err := x.Output([]byte(answer), krm.DefaultLimits())
	if err != nil {
		return fail(err)
	}
	for _, c := range out.Changes {
		restored := ""
		if c.Restored {
			restored = ", put back"
		}
		got["want/change"] += fmt.Sprintf("%s %s %s: %s to %s%s\n", c.Op, c.Resource.String(), c.Pointer, c.Before, c.After, restored)
	}
	emit := out.List.Encode
	if list.Plain {
		emit = out.List.Manifests
	}
	text, err := emit()
	if err != nil {
		return fail(err)
	}
	got["want/out.yaml"] = string(text)
	return got
}

// told is what a function reported, one result a line, with those of its fields that there are.
func told(results []krm.Result) string {
	var b strings.Builder
	for _, r := range results {
		fmt.Fprintf(&b, "%s: %s", r.Severity, r.Message)
		if ref := r.ResourceRef; ref != nil {
			fmt.Fprintf(&b, ", resource %s %s %s/%s", ref.APIVersion, ref.Kind, ref.Namespace, ref.Name)
		}
		if f := r.Field; f != nil {
			fmt.Fprintf(&b, ", field %s from %q to %q", f.Path, f.CurrentValue, f.ProposedValue)
		}
		if f := r.File; f != nil {
			fmt.Fprintf(&b, ", file %s at %d", f.Path, f.Index)
		}
		for k, v := range r.Tags {
			fmt.Fprintf(&b, ", tag %s=%s", k, v)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
