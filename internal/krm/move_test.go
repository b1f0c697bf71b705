package krm_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

const inA = "# first\napiVersion: v1\nkind: Pod\nmetadata:\n  name: one # kept\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: two}\n"

// TestMoves has functions choose other files for a resource of a directory.
func TestMoves(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		old, new string
		want     map[string]string // files that change, "" where they go
		code     string
	}{
		{"to a new file", "path: 'a.yaml'", "path: 'sub/b.yaml'", map[string]string{
			"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: two}\n", "sub/b.yaml": "# first\napiVersion: v1\nkind: Pod\nmetadata:\n  name: one # kept\n",
		}, ""},
		{"to a file that is there", "path: 'a.yaml'", "path: 'z.yaml'", map[string]string{
			"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: two}\n", "z.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: z}\n---\n# first\napiVersion: v1\nkind: Pod\nmetadata:\n  name: one # kept\n",
		}, ""},
		{"outside", "path: 'a.yaml'", "path: '../b.yaml'", nil, "output.path"},
		{"to a workflow", "path: 'a.yaml'", "path: '.github/workflows/b.yaml'", nil, "output.path"},
		{"to two places", "config.kubernetes.io/path: 'a.yaml'\n      internal.config.kubernetes.io/index: '0'\n      internal.config.kubernetes.io/path: 'a.yaml'", "config.kubernetes.io/path: 'b.yaml'\n      internal.config.kubernetes.io/index: '0'\n      internal.config.kubernetes.io/path: 'c.yaml'", nil, "output.path"},
		{"within its file", "index: '0'", "index: '5'", nil, "output.path"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := krm.OpenDirectory(writeTree(t, map[string]string{"a.yaml": inA, "z.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: z}\n"}), krm.DefaultLimits(), krm.Skip{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			for _, moves := range []bool{false, true} {
				x, err := krm.NewExchange(d.List, krm.View{Moves: moves}, random())
				if err != nil {
					t.Fatal(err)
				}
				shown := string(x.Input())
				head, tail, _ := strings.Cut(shown, "name: two")
				answer := strings.ReplaceAll(head, tt.old, tt.new) + "name: two" + tail
				if answer == shown {
					t.Fatalf("nothing was moved in\n%s", shown)
				}
				out, err := x.Output([]byte(answer), krm.DefaultLimits())
				if !moves || tt.code != "" {
					if oe, ok := errors.AsType[*krm.OutputError](err); !ok || oe.Code != "output.path" {
						t.Errorf("Output with Moves %v = %v, want output.path", moves, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if len(out.Changes) != 1 || out.Changes[0].Path[2] != "internal.config.kubernetes.io/path" || out.Changes[0].Restored {
					t.Errorf("changes: %+v", out.Changes)
				}
				plan, err := d.Plan(out.List)
				if err != nil {
					t.Fatal(err)
				}
				got := map[string]string{}
				for _, c := range plan {
					got[c.Path] = string(c.After)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("plan (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestMoveInAStream has a function move a resource whose own annotations say where it is.
func TestMoveInAStream(t *testing.T) {
	t.Parallel()
	in := wrap(kept)
	out, err := exchange(t, in, krm.View{Moves: true}).Output([]byte(strings.ReplaceAll(in, "was/here.yaml", "now/here.yaml")), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.ReplaceAll(in, "was/here.yaml", "now/here.yaml"), encode(t, out.List)); diff != "" {
		t.Errorf("what leaves (-want +got):\n%s", diff)
	}
	if len(out.Changes) != 2 {
		t.Errorf("changes: %+v", out.Changes)
	}
}

// TestEmptyOrigin takes annotations that say nothing of a place for none: functions of kpt's catalog write them so.
func TestEmptyOrigin(t *testing.T) {
	t.Parallel()
	d, err := krm.OpenDirectory(writeTree(t, map[string]string{"a.yaml": inA}), krm.DefaultLimits(), krm.Skip{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	x, err := krm.NewExchange(d.List, krm.View{}, random())
	if err != nil {
		t.Fatal(err)
	}
	answer := strings.ReplaceAll(string(x.Input()), "config.kubernetes.io/index: '0'\n      internal", "config.kubernetes.io/index: ''\n      internal") +
		"- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: new\n    annotations: {config.kubernetes.io/index: '', config.kubernetes.io/path: 'n.yaml'}\n"
	if !strings.Contains(answer, "index: ''\n") {
		t.Fatalf("no index was emptied in\n%s", answer)
	}
	out, err := x.Output([]byte(answer), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	plan, err := d.Plan(out.List)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan) != 1 || plan[0].Path != "n.yaml" || string(plan[0].After) != "apiVersion: v1\nkind: Pod\nmetadata:\n  name: new\n" {
		t.Errorf("plan: %+v", plan)
	}
}
