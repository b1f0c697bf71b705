package krm_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// value is an item as plain values, numbers as they are written in JSON.
func value(tb testing.TB, it *krm.Item) any {
	tb.Helper()
	n, err := it.Node()
	if err != nil {
		tb.Fatal(err)
	}
	text, err := yaml.Marshal(n)
	if err != nil {
		tb.Fatal(err)
	}
	rn, err := yaml.Parse(string(text))
	if err != nil {
		tb.Fatal(err)
	}
	b, err := rn.MarshalJSON()
	if err != nil {
		tb.Fatal(err)
	}
	return decodeJSON(tb, b)
}

func decodeJSON(tb testing.TB, b []byte) any {
	tb.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		tb.Fatalf("%v in %s", err, b)
	}
	return v
}

func key(id krm.Identity) string {
	return strings.Join([]string{id.Group, id.Kind, id.Namespace, id.Name}, "|")
}

// apply carries out changes on the values of the input's resources. It knows nothing but the document of changes:
// removals name places in the input, so they are carried out from the last to the first, and all else names places
// in the output, so it is carried out from the first to the last.
func apply(tb testing.TB, items map[string]any, list []krm.Change) {
	tb.Helper()
	var removals, rest []krm.Change
	for _, c := range list {
		switch {
		case c.Restored:
		case len(c.Path) == 0 && c.Op == krm.OpRemove:
			delete(items, key(c.Resource))
		case len(c.Path) == 0:
			items[key(c.Resource)] = decodeJSON(tb, c.After)
		case c.Op == krm.OpRemove:
			removals = append(removals, c)
		default:
			rest = append(rest, c)
		}
	}
	byPointer := func(a, b krm.Change) int {
		return slices.CompareFunc(tokens(a), tokens(b), func(x, y string) int {
			i, errI := strconv.Atoi(x)
			j, errJ := strconv.Atoi(y)
			if errI == nil && errJ == nil {
				return i - j
			}
			return strings.Compare(x, y)
		})
	}
	slices.SortStableFunc(removals, func(a, b krm.Change) int { return byPointer(b, a) })
	slices.SortStableFunc(rest, byPointer)
	for _, c := range append(removals, rest...) {
		k := key(c.Resource)
		items[k] = edit(tb, items[k], tokens(c), c)
	}
}

func tokens(c krm.Change) []string {
	var list []string
	for _, s := range strings.Split(c.Pointer, "/")[1:] {
		list = append(list, strings.ReplaceAll(strings.ReplaceAll(s, "~1", "/"), "~0", "~"))
	}
	return list
}

func edit(tb testing.TB, v any, at []string, c krm.Change) any {
	tb.Helper()
	if len(at) == 0 {
		return decodeJSON(tb, c.After)
	}
	switch v := v.(type) {
	case map[string]any:
		if len(at) == 1 && c.Op == krm.OpRemove {
			delete(v, at[0])
			return v
		}
		v[at[0]] = edit(tb, v[at[0]], at[1:], c)
		return v
	case []any:
		i, err := strconv.Atoi(at[0])
		if err != nil || i < 0 || i > len(v) || i == len(v) && (len(at) > 1 || c.Op != krm.OpAdd) {
			tb.Fatalf("pointer %q does not fit a list of %d", c.Pointer, len(v))
		}
		switch {
		case len(at) == 1 && c.Op == krm.OpRemove:
			return slices.Delete(v, i, i+1)
		case len(at) == 1 && c.Op == krm.OpAdd:
			return slices.Insert(v, i, decodeJSON(tb, c.After))
		}
		v[i] = edit(tb, v[i], at[1:], c)
		return v
	}
	tb.Fatalf("pointer %q leads nowhere (%v at %T)", c.Pointer, at, v)
	return nil
}

// checkIdentity applies what an output says of its changes to the input and demands the output.
func checkIdentity(tb testing.TB, in *krm.ResourceList, out *krm.Output, answer *krm.ResourceList) {
	tb.Helper()
	have := map[string]any{}
	for _, it := range in.Items {
		have[key(it.Identity)] = value(tb, it)
	}
	apply(tb, have, out.Changes)
	for k, v := range have { // a field may have moved a resource to another namespace
		if meta, ok := v.(map[string]any)["metadata"].(map[string]any); ok {
			parts := strings.Split(k, "|")
			parts[2], _ = meta["namespace"].(string)
			if moved := strings.Join(parts, "|"); moved != k {
				delete(have, k)
				have[moved] = v
			}
		}
	}
	for _, tt := range []struct {
		name string
		list *krm.ResourceList
	}{{"what the function returned", answer}, {"what leaves", out.List}} {
		want := map[string]any{}
		for _, it := range tt.list.Items {
			want[key(it.Identity)] = value(tb, it)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			tb.Fatalf("changes applied to the input are not %s (-want +got):\n%s\nchanges: %v", tt.name, diff, changes(out.Changes))
		}
	}
}

func TestDiffThenApplyIsIdentity(t *testing.T) {
	t.Parallel()
	for seed := range uint64(250) {
		g := generator{rand.New(rand.NewPCG(seed, 7))}
		var in, answer []any
		for i := range g.IntN(5) {
			o := g.object(i)
			in = append(in, o)
			if g.IntN(6) > 0 {
				answer = append(answer, g.mutate(clone(t, o), 0))
			}
		}
		for i := range g.IntN(2) {
			answer = append(answer, g.object(100+i))
		}
		g.Shuffle(len(answer), func(i, j int) { answer[i], answer[j] = answer[j], answer[i] })
		rl, err := krm.Parse(document(t, in), krm.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		x, err := krm.NewExchange(rl, krm.View{}, random())
		if err != nil {
			t.Fatal(err)
		}
		answered, err := krm.ParseOutput(document(t, answer), krm.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		out, err := x.Output(document(t, answer), krm.DefaultLimits())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		checkIdentity(t, rl, out, answered)
		emitted, err := krm.ParseOutput([]byte(encode(t, out.List)), krm.DefaultLimits())
		if err != nil {
			t.Fatalf("seed %d: what leaves cannot be read: %v", seed, err)
		}
		checkIdentity(t, rl, out, emitted)
	}
}

func document(tb testing.TB, items []any) []byte {
	tb.Helper()
	if items == nil {
		items = []any{}
	}
	b, err := yaml.Marshal(map[string]any{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": items})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func clone(tb testing.TB, v any) any {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return decodeJSON(tb, b)
}

// generator makes objects that look like those of a cluster and changes them at random.
type generator struct{ *rand.Rand }

func (g generator) object(i int) any {
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": fmt.Sprint("d", i), "labels": g.leafMap()},
		"spec": map[string]any{
			"replicas": g.IntN(5), "args": g.leafList(), "containers": g.named("name"), "env": g.named("name"),
			"ports": g.ports(), "rules": g.named("name"), "nested": []any{g.leafList(), g.leafMap(), []any{g.leafList()}},
		},
	}
}

func (g generator) leaf() any {
	return []any{
		"x", "y", "yes", "007", "1.5", "", "a\nb\n", "a b: c #d", "\"q\"", "[x", "::error::x", "##[x", " lead", "tail ", "\ttab", "é🎉", "\x00",
		1, 2.5, -3, 1e21, true, false, nil,
		map[string]any{},
		[]any{},
	}[g.IntN(26)]
}

func (g generator) name() string {
	return []string{"a", "b", "c", "d", "[0]", `\x`, "a/b~c", "x.y"}[g.IntN(8)]
}

func (g generator) leafMap() map[string]any {
	m := map[string]any{}
	for range g.IntN(5) {
		m[g.name()] = g.leaf()
	}
	return m
}

func (g generator) leafList() []any {
	list := []any{}
	for range g.IntN(5) {
		list = append(list, g.leaf())
	}
	return list
}

func (g generator) named(key string) []any {
	list := []any{}
	for range g.IntN(5) {
		list = append(list, map[string]any{key: g.name(), "value": g.leaf(), "args": g.leafList()})
	}
	return list
}

func (g generator) ports() []any {
	list := []any{}
	for range g.IntN(4) {
		p := map[string]any{"containerPort": g.IntN(3), "x": g.leaf()}
		if g.IntN(2) == 0 {
			p["protocol"] = []any{"TCP", "UDP"}[g.IntN(2)]
		}
		list = append(list, p)
	}
	return list
}

// mutate changes a value here and there, but not what an object is known by.
func (g generator) mutate(v any, depth int) any {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			switch {
			case depth < 2 && (k == "apiVersion" || k == "kind" || k == "name" || k == "metadata" && g.IntN(2) == 0):
			case depth > 0 && k != "labels" && g.IntN(12) == 0:
				delete(v, k)
			default:
				v[k] = g.mutate(v[k], depth+1)
			}
		}
		if depth > 1 && g.IntN(4) == 0 {
			v[g.name()] = g.leaf()
		}
		return v
	case []any:
		for i := range v {
			v[i] = g.mutate(v[i], depth+1)
		}
		switch g.IntN(8) {
		case 0:
			return slices.Insert(v, g.IntN(len(v)+1), g.leaf())
		case 1:
			if len(v) > 0 {
				i := g.IntN(len(v))
				return slices.Delete(v, i, i+1)
			}
		case 2:
			g.Shuffle(len(v), func(i, j int) { v[i], v[j] = v[j], v[i] })
		case 3:
			return slices.Insert(v, g.IntN(len(v)+1), any(map[string]any{"name": g.name(), "new": g.leafList()}))
		}
		return v
	}
	if g.IntN(8) == 0 {
		return g.leaf()
	}
	return v
}
