package krm_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// kept is a resource as kustomize hands it to a function.
const kept = `- apiVersion: v1
  kind: Pod
  metadata:
    name: p
    annotations:
      internal.config.kubernetes.io/previousNames: p,q
      internal.config.kubernetes.io/path: was/here.yaml
      config.kubernetes.io/path: was/here.yaml
      internal.config.kubernetes.io/index: '0'
      internal.config.kubernetes.io/id: '7'
      config.k8s.io/id: '7'
      kustomize.config.k8s.io/id: |
        kind: Pod
        name: p
      mine: x
`

// TestBookkeepingIsRestored has functions drop, respell, make up and alter what orchestrators keep on a resource. None of it
// leaves; only another value is told.
func TestBookkeepingIsRestored(t *testing.T) {
	t.Parallel()
	in := wrap(kept)
	without := func(keys ...string) func(string) string {
		return func(s string) string {
			var out strings.Builder
			for line := range strings.Lines(s) {
				if !slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(strings.TrimSpace(line), k) }) {
					out.WriteString(line)
				}
			}
			return out.String()
		}
	}
	for _, tt := range []struct {
		name string
		does func(string) string
		want []string // annotations that are told
	}{
		{"drops an internal id", without("internal.config.kubernetes.io/id"), nil},
		{"drops a legacy id", without("config.k8s.io/id"), nil},
		{"drops kustomize's id", replaced("      kustomize.config.k8s.io/id: |\n        kind: Pod\n        name: p\n", ""), nil},
		{"drops a legacy path", without("config.kubernetes.io/path"), nil},
		{"drops path and index", without("config.kubernetes.io/path", "internal.config.kubernetes.io/path", "internal.config.kubernetes.io/index"), nil},
		{"drops all that is internal", without("internal.config.kubernetes.io/"), nil},
		{"adds the legacy index", replaced("      mine: x\n", "      mine: x\n      config.kubernetes.io/index: '0'\n"), nil},
		{"adds the legacy index as a number", replaced("      mine: x\n", "      mine: x\n      config.kubernetes.io/index: 0\n"), nil},
		{"writes numbers for text", func(s string) string { return strings.ReplaceAll(s, "'7'", "7") }, nil},
		{"makes one up", replaced("      mine: x\n", "      mine: x\n      internal.config.kubernetes.io/prefixes: x\n"), nil},
		{"alters what is internal", replaced("p,q", "p"), []string{"internal.config.kubernetes.io/previousNames"}},
		{"alters what is internal to a mapping", replaced("p,q", "{}"), []string{"internal.config.kubernetes.io/previousNames"}},
		{"alters one spelling of an id", replaced("config.k8s.io/id: '7'", "config.k8s.io/id: '8'"), []string{"config.k8s.io/id"}},
		{"alters both spellings of an id", func(s string) string { return strings.ReplaceAll(s, "'7'", "'8'") }, []string{"config.k8s.io/id", "internal.config.kubernetes.io/id"}},
		{"alters kustomize's id", replaced("        name: p\n", "        name: q\n"), []string{"kustomize.config.k8s.io/id"}},
		{"respells an id with another value", func(s string) string {
			return strings.Replace(without("internal.config.kubernetes.io/id")(s), "config.k8s.io/id: '7'", "config.k8s.io/id: '8'", 1)
		}, []string{"config.k8s.io/id"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer := tt.does(in)
			if answer == in {
				t.Fatal("the function did nothing")
			}
			out, err := exchange(t, in, krm.View{}).Output([]byte(answer), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(in, encode(t, out.List)); diff != "" {
				t.Errorf("what leaves (-want +got):\n%s", diff)
			}
			var told []string
			for _, c := range out.Changes {
				if !c.Restored || c.Op != krm.OpReplace {
					t.Errorf("an unexpected change: %+v", c)
				}
				told = append(told, c.Path[2])
			}
			slices.Sort(told)
			if diff := cmp.Diff(tt.want, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(append([]string{}, tt.want...), out.Summary.ReservedAnnotations); diff != "" {
				t.Errorf("ReservedAnnotations (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBookkeepingOfAChangedResource has a function put a label on a resource and print it without its bookkeeping.
func TestBookkeepingOfAChangedResource(t *testing.T) {
	t.Parallel()
	in := wrap(kept)
	out, err := exchange(t, in, krm.View{}).Output([]byte(wrap("- {apiVersion: v1, kind: Pod, metadata: {name: p, labels: {a: b}, annotations: {mine: x}}}\n")), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := []change{{"add", "Pod p", "metadata labels", "/metadata/labels", "null", `{"a":"b"}`}}
	if diff := cmp.Diff(want, changes(out.Changes)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	got := encode(t, out.List)
	if rest := strings.Replace(got, "    labels:\n      a: b\n", "", 1); rest != in {
		t.Errorf("what leaves (-want +got):\n%s", cmp.Diff(in, rest))
	}
}

func TestNewResourceKeepsNoBookkeeping(t *testing.T) {
	t.Parallel()
	made := "- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: made\n    annotations:\n      config.k8s.io/id: '7'\n      internal.config.kubernetes.io/id: '7'\n      kustomize.config.k8s.io/id: x\n      internal.config.kubernetes.io/prefixes: y\n"
	out, err := exchange(t, wrap(kept), krm.View{}).Output([]byte(wrap(kept+made)), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := wrap(kept + "- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: made\n")
	if diff := cmp.Diff(want, encode(t, out.List)); diff != "" {
		t.Errorf("what leaves (-want +got):\n%s", diff)
	}
}

func TestSpellingsThatDifferAreRefusedInInput(t *testing.T) {
	t.Parallel()
	for _, keys := range [][2]string{
		{"internal.config.kubernetes.io/path", "config.kubernetes.io/path"},
		{"internal.config.kubernetes.io/index", "config.kubernetes.io/index"},
		{"internal.config.kubernetes.io/id", "config.k8s.io/id"},
	} {
		block := wrap("- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: p\n    annotations:\n      " + keys[0] + ": '1'\n      " + keys[1] + ": '2'\n")
		flow := `{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "annotations": {"` + keys[0] + `": "1", "` + keys[1] + `": "2"}}}]}`
		for _, in := range []string{block, flow} {
			for _, read := range []func([]byte, krm.Limits) (*krm.ResourceList, error){krm.Parse, krm.ReadStream} {
				_, err := read([]byte(in), krm.DefaultLimits())
				if se, ok := errors.AsType[*krm.SyntaxError](err); !ok || se.Code != "input.path" {
					t.Errorf("reading %s = %v, want input.path", in, err)
				}
				if _, err := read([]byte(strings.Replace(in, "2", "1", 1)), krm.DefaultLimits()); err != nil && strings.Contains(err.Error(), "differ") {
					t.Errorf("reading spellings that agree = %v", err)
				}
			}
		}
	}
}

// TestTwinsAreToldApartById has two resources of one identity and a function that turns them round and drops their paths.
func TestTwinsAreToldApartById(t *testing.T) {
	t.Parallel()
	item := func(id, value string) string {
		return "- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: c\n    annotations:\n      config.k8s.io/id: '" + id + "'\n  data:\n    v: " + value + "\n"
	}
	out, err := exchange(t, wrap(item("1", "a")+item("2", "b")), krm.View{}).Output([]byte(wrap(item("2", "b2")+item("1", "a2"))), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := []change{{"replace", "ConfigMap c", "data v", "/data/v", `"b"`, `"b2"`}, {"replace", "ConfigMap c", "data v", "/data/v", `"a"`, `"a2"`}}
	if diff := cmp.Diff(want, changes(out.Changes)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}
