package krm_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// wrap makes a ResourceList around items, each indented like an entry of the sequence already.
func wrap(items string) string {
	return "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n" + items
}

const deployment = `# head
- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: web   # the name
    namespace: shop
  spec:

    replicas: 3
    template: {spec: {containers: [{name: web, image: "nginx:1"}]}}
`

const configMap = `- apiVersion: v1
  kind: ConfigMap
  metadata: {name: settings, namespace: shop}
  data:
    text: |
      # not a comment
      line
`

func TestParse(t *testing.T) {
	t.Parallel()
	in := wrap(deployment+configMap) + "functionConfig:\n  apiVersion: example.com/v1\n  kind: Labels\n  metadata: {name: fn}\n"
	rl, err := krm.Parse([]byte(in), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	var got []krm.Identity
	for _, it := range rl.Items {
		got = append(got, it.Identity)
	}
	want := []krm.Identity{
		{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"},
		{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "settings"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("identities (-want +got):\n%s", diff)
	}
	if got, want := rl.FunctionConfig.Identity, (krm.Identity{Group: "example.com", Version: "v1", Kind: "Labels", Name: "fn"}); got != want {
		t.Errorf("functionConfig = %v, want %v", got, want)
	}
}

func TestEncodeKeepsUntouchedText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in string }{
		{"as written by hand", wrap(deployment + configMap)},
		{"without a last line end", strings.TrimSuffix(wrap(configMap), "\n")},
		{"no items", "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: []\n"},
		{"indented", "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n  - apiVersion: v1\n    kind: Pod\n\n  # two\n  - apiVersion: v1\n    kind: Service\n"},
		{"windows line ends", strings.ReplaceAll(wrap(deployment), "\n", "\r\n")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rl, err := krm.Parse([]byte(tt.in), krm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			got, err := rl.Encode()
			if err != nil {
				t.Fatal(err)
			}
			_, want, _ := strings.Cut(tt.in, "items:")
			_, have, _ := strings.Cut(string(got), "items:")
			norm := func(s string) string { return strings.TrimRight(strings.TrimLeft(s, "\r\n"), "\n") }
			if diff := cmp.Diff(norm(want), norm(have)); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in, code string
		line, column   int
	}{
		{"empty", "", "input.malformed", 0, 0},
		{"broken mapping", wrap("- a: b: c\n"), "input.syntax", 4, 7},
		{"broken on the first line", "a: b: c\n", "input.syntax", 1, 5},
		{"tab", wrap("- a:\n\tb: 1\n"), "input.syntax", 5, 1},
		{"unclosed quote", wrap("- a: \"x\n  b: 1\n"), "input.syntax", 4, 6},
		{"bad dedent", wrap("- a: 1\n   b: 2\n"), "input.syntax", 5, 5},
		{"not utf-8", wrap("- a: \xff\n"), "input.encoding", 4, 6},
		{"utf-16", "\xff\xfea\x00", "input.encoding", 1, 1},
		{"nul", wrap("- a: \x00\n"), "input.encoding", 4, 6},
		{"a pod", "apiVersion: v1\nkind: Pod\n", "input.malformed", 1, 1},
		{"unknown version", "apiVersion: config.kubernetes.io/v9\nkind: ResourceList\nitems: []\n", "input.malformed", 1, 1},
		{"no items", "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n", "input.items_missing", 1, 1},
		{"null items", "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n", "input.items_missing", 1, 1},
		{"items is a mapping", "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: {}\n", "input.malformed", 3, 8},
		{"second document", wrap("- {apiVersion: v1, kind: Pod}\n") + "---\na: b\n", "input.documents", 6, 1},
		{"duplicate key", wrap("- apiVersion: v1\n  kind: Pod\n  kind: Secret\n"), "input.duplicate_key", 6, 3},
		{"duplicate key, escaped", wrap("- apiVersion: v1\n  kind: Pod\n  \"\\x6bind\": Secret\n"), "input.duplicate_key", 6, 3},
		{"number as key", wrap("- apiVersion: v1\n  kind: Pod\n  1: x\n"), "input.key", 6, 3},
		{"null as key", wrap("- apiVersion: v1\n  kind: Pod\n  ~: x\n"), "input.key", 6, 3},
		{"mapping as key", wrap("- apiVersion: v1\n  kind: Pod\n  ? {a: b}\n  : x\n"), "input.key", 6, 5},
		{"binary tag", wrap("- apiVersion: v1\n  kind: Pod\n  x: !!binary aGk=\n"), "input.tag", 6, 6},
		{"own tag", wrap("- apiVersion: v1\n  kind: Pod\n  x: !env HOME\n"), "input.tag", 6, 6},
		{"item is text", wrap("- hello\n"), "input.item", 4, 3},
		{"item without kind", wrap("- apiVersion: v1\n"), "input.item", 4, 3},
		{"name is a number", wrap("- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: 12\n"), "input.item", 7, 11},
		{"bidi name", wrap("- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: \"a\\u202Eb\"\n"), "input.control", 7, 11},
		{"nul in name", wrap("- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: \"a\\0b\"\n"), "input.control", 7, 11},
		{"list item", wrap("- apiVersion: v1\n  kind: List\n  items: []\n"), "input.list", 4, 3},
		{"self alias", wrap("- &a\n  apiVersion: v1\n  kind: Pod\n  x: *a\n"), "input.anchor", 7, 6},
		{"results is text", wrap("  []\nresults: no\n"), "input.results", 5, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rl, err := krm.Parse([]byte(tt.in), krm.DefaultLimits())
			se, ok := errors.AsType[*krm.SyntaxError](err)
			if !ok {
				t.Fatalf("Parse = %v, %v, want a *SyntaxError", rl, err)
			}
			if se.Code != tt.code || se.Line != tt.line || se.Column != tt.column {
				t.Errorf("Parse: %s at %d:%d (%s), want %s at %d:%d", se.Code, se.Line, se.Column, se.Message, tt.code, tt.line, tt.column)
			}
		})
	}
}

func TestParseExpandsAliases(t *testing.T) {
	t.Parallel()
	in := wrap("- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a, labels: &l {app: web, tier: x}}\n  data:\n    <<: *l\n    tier: y\n")
	rl, err := krm.Parse([]byte(in), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	got, err := rl.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := wrap("- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a, labels: {app: web, tier: x}}\n  data:\n    tier: y\n    app: web\n")
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("Encode (-want +got):\n%s", diff)
	}
}

func TestAliasBombIsRefused(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("- apiVersion: v1\n  kind: ConfigMap\n  a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		p := string(rune('0' + i - 1))
		if i > 10 {
			p = "10"
		}
		n := string(rune('0' + i))
		if i >= 10 {
			n = "1" + string(rune('0'+i-10))
		}
		b.WriteString("  a" + n + ": &a" + n + " [" + strings.Repeat("*a"+p+",", 9) + "]\n")
	}
	limits := krm.DefaultLimits()
	limits.Nodes = 100_000
	_, err := krm.Parse([]byte(wrap(b.String())), limits)
	if se, ok := errors.AsType[*krm.SyntaxError](err); !ok || se.Code != "input.limit.nodes" {
		t.Errorf("Parse(bomb) = %v, want input.limit.nodes", err)
	}
	_, err = krm.ParseOutput([]byte(wrap(b.String())), limits)
	if oe, ok := errors.AsType[*krm.OutputError](err); !ok || oe.Code != "output.anchor" {
		t.Errorf("ParseOutput(bomb) = %v, want output.anchor", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	two := wrap(deployment + configMap)
	for _, tt := range []struct {
		name, in, code string
		change         func(*krm.Limits)
	}{
		{"bytes", two, "input.limit.bytes", func(l *krm.Limits) { l.Bytes = 100 }},
		{"items", two, "input.limit.items", func(l *krm.Limits) { l.Items = 1 }},
		{"nodes", two, "input.limit.nodes", func(l *krm.Limits) { l.Nodes = 20 }},
		{"depth", two, "input.limit.depth", func(l *krm.Limits) { l.Depth = 5 }},
		{"results", wrap("  []\nresults: [{message: a}, {message: b}]\n"), "input.limit.results", func(l *krm.Limits) { l.Results = 1 }},
		{"nothing allowed", two, "input.limit.bytes", func(l *krm.Limits) { *l = krm.Limits{} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limits := krm.DefaultLimits()
			tt.change(&limits)
			_, err := krm.Parse([]byte(tt.in), limits)
			if se, ok := errors.AsType[*krm.SyntaxError](err); !ok || se.Code != tt.code {
				t.Errorf("Parse = %v, want %s", err, tt.code)
			}
		})
	}
}

func TestDeepNestingIsRefused(t *testing.T) {
	t.Parallel()
	in := wrap("- apiVersion: v1\n  kind: X\n  a: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "\n")
	_, err := krm.Parse([]byte(in), krm.DefaultLimits())
	if se, ok := errors.AsType[*krm.SyntaxError](err); !ok || se.Code != "input.limit.depth" {
		t.Errorf("Parse = %v, want input.limit.depth", err)
	}
}

// TestHostileText reads what makes other readers of YAML slow or large, and demands an answer of one kind.
func TestHostileText(t *testing.T) {
	t.Parallel()
	const n = 1 << 18
	head := "- apiVersion: v1\n  kind: X\n  a: "
	for _, tt := range []struct{ name, in, code string }{
		{"open brackets", wrap(head + strings.Repeat("[", n) + "\n"), "output.syntax"},
		{"brackets in many items", wrap(strings.Repeat(head+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+"\n", 20)), "output.limit.depth"},
		{"dashes", wrap(head + "\n   " + strings.Repeat("- ", n) + "\n"), "output.syntax"},
		{"question marks", wrap(head + "\n   " + strings.Repeat("? ", n) + "\n"), "output.syntax"},
		{"one key many times", wrap(head + "{" + strings.Repeat("a,", n) + "}\n"), "output.duplicate_key"},
		{"long key", wrap("- apiVersion: v1\n  kind: X\n  \"" + strings.Repeat("a", n) + "\": b\n"), "output.syntax"},
		{"tags", wrap(head + strings.Repeat("!a ", n) + "\n"), "output.syntax"},
		{"anchors", wrap(head + "[" + strings.Repeat("&a a,", n) + "]\n"), "output.anchor"},
		{"more items than allowed", wrap(strings.Repeat("- a\n", n)), "output.limit.items"},
		{"more nodes than allowed", wrap(head + "[" + strings.Repeat("a,", 2*n) + "]\n"), "output.limit.nodes"},
		{"more nodes than allowed, over many items", wrap(strings.Repeat(head+"[a, a, a, a]\n", 50_000)), "output.limit.nodes"},
		{"more nodes than allowed, beside the items", wrap("- a: b\n") + "results: [" + strings.Repeat("a,", 2*n) + "]\n", "output.limit.nodes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limits := krm.DefaultLimits()
			limits.Nodes = 400_000
			_, err := krm.ParseOutput([]byte(tt.in), limits)
			if oe, ok := errors.AsType[*krm.OutputError](err); !ok || oe.Code != tt.code {
				t.Errorf("ParseOutput = %.200v, want %s", err, tt.code)
			}
		})
	}
}

func TestSurrogatesInJSON(t *testing.T) {
	t.Parallel()
	in := `{"apiVersion":"config.kubernetes.io/v1","kind":"ResourceList","items":[{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"\ud83c\uDF89","b":"\\ud83c","c":"\u00e9"}}]}`
	rl, err := krm.Parse([]byte(in), krm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a": "🎉", "b": `\ud83c`, "c": "é"}}
	if diff := cmp.Diff(any(want), value(t, rl.Items[0])); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
}
