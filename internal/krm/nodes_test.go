package krm_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/kyaml/kio"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// nodesOf gives the trees that kyaml makes of manifests.
func nodesOf(tb testing.TB, text []byte) ([]*yaml.Node, error) {
	tb.Helper()
	read, err := (&kio.ByteReader{Reader: bytes.NewReader(text), OmitReaderAnnotations: true, DisableUnwrapping: true}).Read()
	if err != nil {
		return nil, err
	}
	nodes := make([]*yaml.Node, 0, len(read))
	for _, n := range read {
		nodes = append(nodes, n.YNode())
	}
	return nodes, nil
}

// words are the scalars of a tree in order, with what stands around them. No encoder has a hand in it.
func words(n *yaml.Node) (list []string) {
	switch {
	case n.Kind == yaml.AliasNode:
		return words(n.Alias)
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		return []string{"null"} // in any spelling
	case n.Kind == yaml.ScalarNode:
		return []string{strings.NewReplacer("!!timestamp", "!!str", "!!merge", "!!str", "!!float", "!!int").Replace(n.ShortTag()) + " " + n.Value}
	}
	for _, c := range n.Content {
		list = append(list, words(c)...)
	}
	return append(list, n.ShortTag()+".")
}

// FuzzFromNodes takes any text for manifests. What FromNodes takes of kyaml's trees holds the values of those trees, which stay
// as they are, and what it leaves out is no resource.
func FuzzFromNodes(f *testing.F) {
	f.Add([]byte("# a\napiVersion: v1\nkind: Pod\nmetadata: {name: p} # b\nspec:\n  - x: |\n      y\n"))
	f.Add([]byte("a: 1\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: &l {a: b}, annotations: *l}\n"))
	f.Add([]byte("apiVersion: A\nkind: A\nA: >+\n 0\n\n"))
	f.Add([]byte("apiVersion: A\nkind: A\nA: {A}\n"))
	f.Add([]byte("apiVersion: A\nkind: A\nA: {A: &l,B: *l}\n"))
	f.Add([]byte("apiVersion: v1\nkind: Pod\nspec: [0x1F, 1e3, yes, 12:30:45, 2001-01-01, ~, \"\"]\n"))
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<12 || bytes.Count(data, []byte("*")) > 8 {
			return // kyaml's reader has no bounds
		}
		nodes, err := nodesOf(t, data)
		if err != nil {
			return
		}
		var before [][]string
		for _, n := range nodes {
			before = append(before, words(n))
		}
		list, from, err := krm.FromNodes(nodes, nil, small())
		if err != nil {
			if se, ok := errors.AsType[*krm.SyntaxError](err); list != nil || !ok || !strings.HasPrefix(se.Code, "input.") {
				t.Fatalf("FromNodes = %v, %v, want nothing and a *SyntaxError", list, err)
			}
			return
		}
		if len(list.Items) != len(from) || len(from)+len(list.Skipped) != len(nodes) {
			t.Fatalf("%d items, %d positions and %d left out of %d nodes", len(list.Items), len(from), len(list.Skipped), len(nodes))
		}
		for i, n := range nodes {
			if diff := cmp.Diff(before[i], words(n)); diff != "" {
				t.Errorf("tree %d was changed (-before +after):\n%s", i, diff)
			}
		}
		for i, it := range list.Items {
			n, err := it.Node()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before[from[i]], words(n)); diff != "" && !bytes.Contains(data, []byte("<<")) {
				t.Errorf("item %d has other values (-tree +item):\n%s\nof\n%s", i, diff, data)
			}
		}
	})
}

func TestFromNodesKeepsCommentsAndConfig(t *testing.T) {
	t.Parallel()
	nodes, err := nodesOf(t, []byte("# a\napiVersion: v1\nkind: Pod\nmetadata: {name: p} # b\n---\nreplicas: 3\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  # c\n  name: q\n"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := nodesOf(t, []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"))
	if err != nil {
		t.Fatal(err)
	}
	list, from, err := krm.FromNodes(nodes, config[0], krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- # a\n  apiVersion: v1\n  kind: Pod\n  metadata: {name: p} # b\n" +
		"- apiVersion: v1\n  kind: Pod\n  metadata:\n    # c\n    name: q\nfunctionConfig:\n  apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: c}\n"
	if diff := cmp.Diff(want, encode(t, list)); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{0, 2}, from); diff != "" || len(list.Skipped) != 1 || list.Skipped[0].Index != 1 {
		t.Errorf("positions (-want +got):\n%s\nleft out: %+v", diff, list.Skipped)
	}
}
