package krm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/krm"
)

const functionKey = "config.kubernetes.io/function"

// toWasip1 makes the edit that migration makes most: inside an annotation, a key is renamed and a value set.
func toWasip1(t *testing.T, root krm.Place, image string) {
	t.Helper()
	inner, err := root.At("metadata", "annotations", functionKey).Inner()
	if err != nil {
		t.Fatal(err)
	}
	spec := inner.Documents()[0].Root.Field("container")
	if err := spec.Rename("wasip1"); err != nil {
		t.Fatal(err)
	}
	if err := spec.Field("image").SetText(image); err != nil {
		t.Fatal(err)
	}
}

func TestEditInPlace(t *testing.T) {
	tests := []struct{ name, before, after string }{
		{
			"literal",
			"# head\nmetadata:\n  annotations:\n    config.kubernetes.io/function: | # why\n      container:   # c\n        image: 'a:v1' # i\n\n    x: y\n",
			"# head\nmetadata:\n  annotations:\n    config.kubernetes.io/function: | # why\n      wasip1:   # c\n        image: 'new@sha256:1' # i\n\n    x: y\n",
		},
		{
			"literal with an indentation indicator and two-space indentation",
			"metadata:\n    annotations:\n        config.kubernetes.io/function: |2-\n          container:\n            image: a:v1\n        x:   y\n",
			"metadata:\n    annotations:\n        config.kubernetes.io/function: |2-\n          wasip1:\n            image: new@sha256:1\n        x:   y\n",
		},
		{
			"folded",
			"metadata:\n  annotations:\n    config.kubernetes.io/function: >-\n      container: {image: a:v1}\nspec: 1\n",
			"metadata:\n  annotations:\n    config.kubernetes.io/function: |-\n      wasip1: {image: new@sha256:1}\nspec: 1\n",
		},
		{
			"double quoted",
			"metadata:\n  annotations: {\"config.kubernetes.io/function\": \"container:\\n  image: \\\"a:v1\\\"\\n\", b: c} # end\n",
			"metadata:\n  annotations: {\"config.kubernetes.io/function\": \"wasip1:\\n  image: \\\"new@sha256:1\\\"\\n\", b: c} # end\n",
		},
		{
			"single quoted",
			"metadata:\n  annotations:\n    'config.kubernetes.io/function': 'container: {image: ''a:v1''}'   # q\n",
			"metadata:\n  annotations:\n    'config.kubernetes.io/function': 'wasip1: {image: ''new@sha256:1''}'   # q\n",
		},
		{
			"crlf and byte order mark",
			"\xef\xbb\xbfmetadata:\r\n  annotations:\r\n    config.kubernetes.io/function: |\r\n      container:\r\n        image: a:v1\r\n  name: ü\r\n",
			"\xef\xbb\xbfmetadata:\r\n  annotations:\r\n    config.kubernetes.io/function: |\r\n      wasip1:\r\n        image: new@sha256:1\r\n  name: ü\r\n",
		},
		{
			"JSON",
			`{"metadata":{"annotations":{"config.kubernetes.io/function":"{\"container\":{\"image\":\"a:v1\"}}"}}}`,
			`{"metadata":{"annotations":{"config.kubernetes.io/function":"{\"wasip1\":{\"image\":\"new@sha256:1\"}}"}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := krm.OpenText([]byte(tt.before), krm.DefaultLimits())
			toWasip1(t, text.Documents()[0].Root, "new@sha256:1")
			got, err := text.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.after, string(got)); diff != "" {
				t.Errorf("edited (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEditStructure(t *testing.T) {
	const before = "flow: {s: t}\na:\n  # above\n  one: x # note\n  two:\n    deep:\n    - z\n  three: 3\nlist:\n- k: v\n  l: w\n"
	tests := []struct {
		name, after string
		edit        func(root krm.Place) error
	}{
		{"insert one line", "a:\n  # above\n  new: v\n  one: x", func(r krm.Place) error { return r.At("a", "one").InsertBefore("v", "new") }},
		{"insert several lines", "a:\n  # above\n  new: |\n    p:\n      q\n  one: x", func(r krm.Place) error { return r.At("a", "one").InsertBefore("p:\n  q", "new") }},
		{"insert behind a dash", "- new: 'a: b'\n  k: v\n", func(r krm.Place) error { return r.Field("list").Elements()[0].Field("k").InsertBefore("a: b", "new") }},
		{"insert a mapping", "  # above\n  m:\n    n.o/p: |\n      q: |\n        r\n  one: x", func(r krm.Place) error { return r.At("a", "one").InsertBefore("q: |\n  r\n", "m", "n.o/p") }},
		{"insert a mapping in flow style", "flow: {m: {n: '{o: p}'}, s: t}", func(r krm.Place) error { return r.At("flow", "s").InsertBefore("{o: p}", "m", "n") }},
		{"remove a tree", "one: x # note\n  three: 3\n", func(r krm.Place) error { return r.At("a", "two").Remove() }},
		{"remove behind a dash", "list:\n- l: w\n", func(r krm.Place) error { return r.Field("list").Elements()[0].Field("k").Remove() }},
		{"remove the last", "list:\n- k: v\n", func(r krm.Place) error { return r.Field("list").Elements()[0].Field("l").Remove() }},
		{"plain to block", "one: |- # note\n    p:\n      q\n  two:", func(r krm.Place) error { return r.At("a", "one").SetText("p:\n  q\n") }},
		{"plain to quotes", "one: 'a: b' # note\n", func(r krm.Place) error { return r.At("a", "one").SetText("a: b") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := krm.OpenText([]byte(before), krm.DefaultLimits())
			if err := tt.edit(text.Documents()[0].Root); err != nil {
				t.Fatal(err)
			}
			got, err := text.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(got), tt.after) {
				t.Errorf("the edited text lacks %q:\n%s", tt.after, got)
			}
		})
	}
}

// An edit that cannot be made in place is refused and not guessed at.
func TestEditRefused(t *testing.T) {
	tests := []struct {
		name, text string
		edit       func(root krm.Place) error
	}{
		{"anchored value", "a: &x old\nb: *x\n", func(r krm.Place) error { return r.Field("a").SetText("new") }},
		{"alias", "a: &x old\nb: *x\n", func(r krm.Place) error { return r.Field("b").SetText("new") }},
		{"tagged value", "a: !!str old\n", func(r krm.Place) error { return r.Field("a").SetText("new") }},
		{"plain over several lines", "a: old\n  older\n", func(r krm.Place) error { return r.Field("a").SetText("new") }},
		{"not text", "a: 1\n", func(r krm.Place) error { return r.Field("a").SetText("new") }},
		{"key there already", "a: b\nc: d\n", func(r krm.Place) error { return r.Field("a").Rename("c") }},
		{"insert a key that is there", "a: b\nc: d\n", func(r krm.Place) error { return r.Field("a").InsertBefore("x", "c") }},
		{"remove the only key", "a:\n  b: c\n", func(r krm.Place) error { return r.At("a", "b").Remove() }},
		{"remove from flow style", "a: {b: c, d: e}\n", func(r krm.Place) error { return r.At("a", "b").Remove() }},
		{"twice", "a: b\n", func(r krm.Place) error {
			_ = r.Field("a").SetText("x")
			return r.Field("a").SetText("y")
		}},
		{"nothing there", "a: b\n", func(r krm.Place) error { return r.At("x", "y").SetText("z") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := krm.OpenText([]byte(tt.text), krm.DefaultLimits())
			err := tt.edit(text.Documents()[0].Root)
			if err == nil {
				_, err = text.Bytes()
			}
			if err == nil {
				t.Error("the edit was made")
			}
		})
	}
}

// What fails on its way is taken back whole, and what was edited before stays.
func TestEditTakenBack(t *testing.T) {
	text := krm.OpenText([]byte("a: b\nin: |\n  x: &y z\n  v: w\n"), krm.DefaultLimits())
	root := text.Documents()[0].Root
	if err := root.Field("a").SetText("kept"); err != nil {
		t.Fatal(err)
	}
	err := text.Try(func() error {
		inner, err := root.Field("in").Inner()
		if err != nil {
			return err
		}
		r := inner.Documents()[0].Root
		for _, err := range []error{
			root.Field("a").Rename("gone"), r.Field("v").InsertBefore("1", "u"), r.Field("v").SetText("2"), r.Field("x").SetText("3"),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		t.Fatal("an anchored value was edited")
	}
	got, err := text.Bytes()
	if want := "a: kept\nin: |\n  x: &y z\n  v: w\n"; err != nil || string(got) != want {
		t.Errorf("Bytes = %q, %v; want %q", got, err, want)
	}
}

// A document that cannot be read, for its syntax, a key that stands twice or a bomb of aliases, has no root, and those
// beside it are read and edited.
func TestEditBesideBrokenDocument(t *testing.T) {
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		p := string(rune('0' + i))
		bomb += "a" + string(rune('1'+i)) + ": &a" + string(rune('1'+i)) + " [" + strings.Repeat("*a"+p+",", 8) + "*a" + p + "]\n"
	}
	for _, broken := range []string{"a: {{ .Values.x }}\nb: [\n", "a: 1\na: 2\n", bomb} {
		text := krm.OpenText([]byte("a: b\n---\n"+broken+"---\nc: d\n"), krm.DefaultLimits())
		docs := text.Documents()
		if len(docs) != 3 || docs[1].Err == nil || docs[1].Root.Exists() {
			t.Fatalf("%d documents, the second read", len(docs))
		}
		if err := docs[2].Root.Field("c").SetText("e"); err != nil {
			t.Fatal(err)
		}
		got, err := text.Bytes()
		if want := "a: b\n---\n" + broken + "---\nc: e\n"; err != nil || string(got) != want {
			t.Errorf("Bytes = %q, %v", got, err)
		}
	}
}

// Whatever the text, every string in it is either set in place, so that the document holds the new value there and
// nothing else in it is different, or the edit is refused; and what stands before the first and behind the last edited
// byte is as it was.
func FuzzEditText(f *testing.F) {
	for _, s := range []string{
		"a: b\n", "a: |\n  b\n\n  c\n", "a: >\n  b\n   c\nd: e\n", "{a: 'b', \"c\": \"d\\n\"}", "- a\n- - b\n", "a: &x b\nc: *x\n",
		"\xef\xbb\xbfa: b\r\nc: |-\r\n  d\r\n", "# c\na: b # d\n---\ne: f\n...\n", "a: |2\n    b\n  c\n", "? a\n: b\n", "a: b\u2028c: d\n", "a: |+\n  x\n\n\nb: c",
	} {
		f.Add([]byte(s), "new value", 0)
		f.Add([]byte(s), "k: [v]\nl: m\n", 1)
	}
	limits := krm.Limits{Bytes: 1 << 16, Items: 100, Nodes: 2000, Depth: 20, Results: 1, Files: 1}
	f.Fuzz(func(t *testing.T, data []byte, value string, which int) {
		text := krm.OpenText(data, limits)
		var places []krm.Place
		var walk func(p krm.Place)
		walk = func(p krm.Place) {
			if _, ok := p.Text(); ok {
				places = append(places, p)
			}
			for _, c := range append(p.Fields(), p.Elements()...) {
				walk(c)
			}
		}
		for _, d := range text.Documents() {
			walk(d.Root)
		}
		if len(places) == 0 {
			return
		}
		p := places[uint(which)%uint(len(places))]
		start, end, lineEnd, ok := krm.SpanOf(p)
		if p.SetText(value) != nil {
			return
		}
		want, _ := p.Text()
		got, err := text.Bytes()
		if err != nil {
			return
		}
		before, behind := string(data[:start]), string(data[end:])
		if strings.HasPrefix(string(got[min(start, len(got)):]), "|-") { // a block stands below what stood behind the value
			behind = string(data[lineEnd:])
		}
		if !ok || !strings.HasPrefix(string(got), before) || !strings.HasSuffix(string(got), behind) {
			t.Fatalf("%q with %q became %q: more than the value from %d to %d changed", data, value, got, start, end)
		}
		found := 0
		again := krm.OpenText(got, limits)
		var look func(p krm.Place)
		look = func(p krm.Place) {
			if s, ok := p.Text(); ok && s == want {
				found++
			}
			for _, c := range append(p.Fields(), p.Elements()...) {
				look(c)
			}
		}
		for _, d := range again.Documents() {
			look(d.Root)
		}
		if found == 0 {
			t.Fatalf("%q with %q at line %d is %q, where the value is not found", data, value, p.Line(), got)
		}
		if strings.TrimRight(want, "\n") != strings.TrimRight(value, "\n") {
			t.Fatalf("set %q, which became %q", value, want)
		}
	})
}
