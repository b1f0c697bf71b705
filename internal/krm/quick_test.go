package krm_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// What is read without the parser must be worth reading so: usual manifests are.
func TestQuickReadsManifests(t *testing.T) {
	for i, entry := range strings.SplitAfter(strings.SplitAfterN(string(cluster(8)), "items:\n", 2)[1], "\n- ") {
		entry = "- " + strings.TrimSuffix(strings.TrimPrefix(entry, "- "), "- ")
		if krm.QuickEntry([]byte(entry)) == nil {
			t.Errorf("item %d is left to the parser:\n%s", i, entry)
		}
	}
	files, err := filepath.Glob("../../testdata/resources/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		same(t, text)
	}
}

// What means something else than it seems to, or is no YAML, is the parser's.
func TestQuickLeavesTheRestToTheParser(t *testing.T) {
	for _, text := range []string{
		"", "a", "a: b", "a: b\n ", "a: b # why\n", "# why\na: b\n", "a: &x b\n", "a: *x\n", "a: !!str b\n", "a: !x b\n", "a:\n", "a:\nb: c\n", "a: \n",
		"a: b\n  c\n", "a: b: c\n", "a: b:\n", "a: \"b\\n\"\n", "a: \"b\" c\n", "a: 'b''c'\n", "a: 'b\n  c'\n", "a: \"b\n  c\"\n", "a: b\n\nc: d\n",
		"a: [b, [c]]\n", "a: [b: c]\n", "a: [b\n  ]\n", "a: {b: c}\n", "a: >\n  b\n", "a: |+\n  b\n", "a: |2\n    b\n", "a: |\n\n  b\n", "a: |\n  b\n \n",
		"a: |\n", "a: |\nb: c\n", "a: |\n  b\n# why\n", "? a\n: b\n", "<<: b\n", "a: ~\n", "a: - b\n", "a: --- b\n", "- - a\n", "-\n  a: b\n", "-  a: b\n",
		"a:\tb\n", "a: b\r\n", "a: \u00e4\n", "a: \x00\n", "a: b\n- c\n", "a:\n  b: c\n d: e\n", "a:\n- b\n  - c\n", "a:\n  - b\n - c\n", "---\na: b\n",
		"a: b\n---\nc: d\n", "a: b\n...\n", "%YAML 1.1\n---\na: b\n", "a: =\n", "a: `b\n", "a: @b\n", "a: b #\n", "a: b \n", "a : b\n", "'a': b\n", "{}\n", "[]\n",
		strings.Repeat("a", 600) + ": b\n",
	} {
		if krm.QuickDocument([]byte(text)) != nil || krm.QuickEntry([]byte(text)) != nil {
			t.Errorf("%q is read without the parser", text)
		}
	}
}

func TestQuickReadsAsTheParserDoes(t *testing.T) {
	for i, text := range quickTexts {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if krm.QuickDocument([]byte(text)) == nil && krm.QuickEntry([]byte(text)) == nil {
				t.Errorf("%q is left to the parser", text)
			}
			same(t, []byte(text))
		})
	}
}

// Texts that are read without the parser.
var quickTexts = []string{
	"a: b\n", "a: 1\n", "a: -1\n", "a: 0x1F\n", "a: 1_000\n", "a: 1e3\n", "a: .5\n", "a: .inf\n", "a: true\n", "a: yes\n", "a: off\n", "a: null\n", "a: Null\n", "a: 2001-01-01\n",
	"a: 2001-01-01 10:00:00\n", "a: 0o17\n", "a: 017\n", "a: 12:30:45\n", "a: --verbose\n", "a: -x y\n", "a: b c d\n", "a: http://x/y:8080\n", "a: b:c\n", "a: x,y (z) $(w) <=> *&!%\n",
	"a: ''\n", "a: \"\"\n", "a: \"b # c: d\"\n", "a: 'b \"c\" {'\n", "a: []\n", "a: {}\n", "a: [b]\n", "a: [b, 1, \"c, d\", '', true]\n",
	"a: |\n  b\n   c\n  # d\n", "a: |-\n  b\n\n  c\n\n", "a: |\n  b\n\nc: d\n", "a: |\n    b: c\n    - d\ne: f\n", "a:\n- |\n  b\n- c\n",
	"a:\n- b\n- c\nd: e\n", "a:\n  - b: c\n    d: e\n  - f\n", "a:\n  b:\n  - c:\n    - d\n    e: f\n  g: h\n", "1: b\n", "true: b\n", "a: b\na: c\n", "a: b\n\n\n",
	"- a: b\n  c: d\n", "  - a: b\n    c:\n    - d\n", "- a:\n    b: c\n  d: |\n    e\n",
}

// A tree that is read without the parser is the parser's, whatever the text.
func FuzzQuick(f *testing.F) {
	for _, text := range quickTexts {
		f.Add([]byte(text))
	}
	f.Add(cluster(4)[60:])
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) < 1<<14 {
			same(t, text)
		}
	})
}

// same fails where a text is read without the parser and the parser reads it in another way.
func same(t *testing.T, text []byte) {
	t.Helper()
	if got := krm.QuickDocument(text); got != nil {
		if diff := cmp.Diff(parsed(t, text), got); diff != "" {
			t.Errorf("%q: the parser's tree (-) is not the quick one (+):\n%s", text, diff)
		}
	}
	if got := krm.QuickEntry(text); got != nil {
		seq := parsed(t, text)
		if seq.Kind != yaml.SequenceNode || len(seq.Content) != 1 {
			t.Fatalf("%q is not one entry", text)
		}
		if diff := cmp.Diff(seq.Content[0], got); diff != "" {
			t.Errorf("%q: the parser's tree (-) is not the quick one (+):\n%s", text, diff)
		}
	}
}

func parsed(t *testing.T, text []byte) *yaml.Node {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatalf("the parser refuses %q: %v", text, err)
	}
	if d := doc; d.HeadComment != "" || d.FootComment != "" || len(d.Content) != 1 {
		t.Fatalf("%q has comments, or more or less than one root", text)
	}
	return doc.Content[0]
}

// Lines put together at random are mostly nonsense; what of them is read without the parser must still be the
// parser's tree.
func TestQuickReadsNonsenseAsTheParserDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(of []string) string { return of[r.IntN(len(of))] }
	indents := []string{"", "", "  ", "  ", "    ", "      ", " ", "   "}
	dashes := []string{"", "", "", "- ", "- ", "- - ", "-", "-  "}
	keys := []string{"", "a: ", "b: ", "a:", "b:", "c.d/e-f: ", "1: ", "a:b: ", "\"a\": ", "a : ", "-: ", ".: ", "/x: ", "true: ", "__: ", "...: "}
	values := []string{
		"", "b", "b c", "1", "-1", "-.5", "--x", "- x", "|", "|-", "|+", ">", "|2", "''", "\"\"", "'a'", "\"a b\"", "'a' b", "\"\\n\"", "[]", "{}", "[a]", "[a, 'b', 1]", "[a,b]",
		"[a, ]", "[ a ]", "[a", "{a: b}", "a: b", "a:b", "a:", "#", "a #b", "a#b", "!a", "&a", "*a", "&a b", "~", "null", "yes", "0x1F", "1:20", "2001-01-01", "...", "---", ".", "/", "..",
		"a  b", "a ", "a\tb", "%a", "@a", "`a", "a,b", "a]", "a}", "<<", "=", "a=b", "a<b>", "a | b", "a > b", "$(a)", "a'b", "a\"b", "?", "? a", "a?", "1e3", "1_000", ".inf", "0b1", "0o7", "on",
	}
	accepted := 0
	for range 300_000 {
		var b strings.Builder
		for range 1 + r.IntN(6) {
			if r.IntN(12) == 0 {
				b.WriteByte('\n')
				continue
			}
			b.WriteString(pick(indents) + pick(dashes) + pick(keys) + pick(values) + "\n")
		}
		text := []byte(b.String())
		if krm.QuickDocument(text) != nil || krm.QuickEntry(text) != nil {
			accepted++
			same(t, text)
			if t.Failed() {
				return
			}
		}
	}
	if accepted < 2000 {
		t.Errorf("only %d texts were read without the parser", accepted)
	}
}
