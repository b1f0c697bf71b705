package krm_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/krm"
)

const inner = "  apiVersion: v1\n  kind: Pod\n  metadata: {name: evil}\n"

// TestHalfMarkerIsRefused: some tools divide a stream wherever a line begins with "---", and would find a Pod in what is
// a text to everybody else.
func TestHalfMarkerIsRefused(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	for name, text := range map[string]string{
		"a key":                head + "---x: |\n" + inner,
		"the first line":       "---x: |\n" + inner + head,
		"in a later document":  head + "---\n" + head + "---x: |\n" + inner,
		"four":                 head + "---- : |\n" + inner,
		"a colon":              head + "---: |\n" + inner,
		"in a ResourceList":    "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: []\n---x: |\n" + inner,
		"in text in quotes":    head + "data: {a: \"x\n---y\"}\n",
		"with the end of DOS":  strings.ReplaceAll(head+"---x: |\n"+inner, "\n", "\r\n"),
		"behind a byte order":  "\ufeff---x: |\n" + inner + head,
		"beside a true marker": "---\n---x: |\n" + inner + head,
	} {
		_, err := krm.ReadStream([]byte(text), krm.DefaultLimits())
		if e, ok := errors.AsType[*krm.SyntaxError](err); !ok || e.Code != "input.marker" || e.Line == 0 {
			t.Errorf("%s: read from a stream: %v", name, err)
		}
		dir := writeTree(t, map[string]string{"a.yaml": text})
		if d, err := krm.OpenDirectory(dir, krm.DefaultLimits(), krm.Skip{}); err == nil {
			_ = d.Close()
			t.Errorf("%s: read from a directory", name)
		}
		if docs := krm.OpenText([]byte(text), krm.DefaultLimits()).Documents(); len(docs) != 1 || docs[0].Err == nil {
			t.Errorf("%s: can be edited", name)
		}
	}
	for name, text := range map[string]string{
		"quoted":    head + "\"---x\": |\n" + inner,
		"indented":  head + "data:\n  ---x: |\n" + strings.ReplaceAll("  "+inner, "\n", "\n  ") + "\n",
		"a marker":  head + "---\t\n" + head + "--- # text\n" + head + "---",
		"a comment": head + "#---x\n",
		"a block":   head + "data:\n  a: |\n    ---x\n    ---\n",
	} {
		if _, err := krm.ReadStream([]byte(text), krm.DefaultLimits()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestItemDividesNoDocument: an item of a ResourceList is indented, and what is harmless there would divide the document
// that it becomes.
func TestItemDividesNoDocument(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n"
	const object = "  apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n"
	deep := strings.ReplaceAll("\n"+strings.TrimSuffix(inner, "\n"), "\n", "\n  ")[1:] + "\n"
	for name, items := range map[string]string{
		"a key":         "- " + object[2:] + "  ---x: |\n" + deep,
		"the first key": "- ---x: |\n" + deep + object,
		"quoted text":   "- " + object[2:] + "  data: {a: \"x\n  ---\n  " + strings.ReplaceAll(inner[2:], "\n", "\\n\n") + "  ---\n  y\"}\n",
		"half a marker": "- " + object[2:] + "  data: {a: 'x\n  ---y'}\n",
		"an end":        "- " + object[2:] + "  data: {a: 'x\n  ...\n  y'}\n",
	} {
		rl, err := krm.Parse([]byte(head+items), krm.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, err := rl.Manifests()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for l := range bytes.Lines(text) {
			if bytes.HasPrefix(l, []byte("---")) || bytes.HasPrefix(l, []byte("...")) {
				t.Errorf("%s: divided:\n%s", name, text)
			}
		}
		back, err := krm.ReadStream(text, krm.DefaultLimits())
		if err != nil || len(back.Items) != 1 {
			t.Errorf("%s: reads back as %v, %v:\n%s", name, back, err, text)
		}
	}
}
