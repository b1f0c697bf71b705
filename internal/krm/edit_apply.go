package krm

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Edited says whether anything was edited.
func (t *Text) Edited() bool {
	return slices.ContainsFunc(t.docs, func(d *editDoc) bool {
		return len(d.edits) > 0 || slices.ContainsFunc(d.inner, func(in *innerText) bool { return in.text.Edited() })
	})
}

// Bytes is the file with its edits. It is parsed again and must hold the documents that it held but for the edits; where
// it does not, the error is an *EditError and nothing of it may be used. Bytes is called once.
func (t *Text) Bytes() ([]byte, error) {
	if !t.Edited() {
		return t.data, nil
	}
	var out bytes.Buffer
	end := 0
	for _, d := range t.docs {
		src, err := d.apply()
		if err != nil {
			return nil, err
		}
		out.Write(t.data[end:d.start])
		out.WriteString(src)
		end = d.start + len(d.src)
	}
	out.Write(t.data[end:])
	return out.Bytes(), t.verify(out.Bytes())
}

// apply is the document's text with its edits.
func (d *editDoc) apply() (string, error) {
	for _, in := range d.inner {
		if in.text.Edited() {
			if err := d.applyInner(in); err != nil {
				return "", err
			}
		}
	}
	slices.SortStableFunc(d.edits, func(a, b edit) int { return a.start - b.start })
	var out strings.Builder
	end := 0
	for _, e := range d.edits {
		if e.start < end || e.end > len(d.src) {
			return "", &EditError{Message: "two edits meet in one place"}
		}
		out.WriteString(d.src[end:e.start])
		out.WriteString(e.with)
		end = e.end
	}
	out.WriteString(d.src[end:])
	return out.String(), nil
}

// applyInner turns the edits of a text inside a scalar into edits of this document: in a literal block each for itself,
// so that the lines around them stay, and elsewhere by writing the scalar anew.
func (d *editDoc) applyInner(in *innerText) error {
	n := in.at.node
	value := n.Value
	b, ok := d.block(n)
	if n.Style&yaml.LiteralStyle == 0 || !ok || d.taken[n] || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		next, err := in.text.Bytes()
		if err != nil {
			return err
		}
		return in.at.SetText(string(next))
	}
	next, err := in.text.Bytes()
	if err != nil {
		return err
	}
	indent := d.eol() + strings.Repeat(" ", b.indent)
	for _, doc := range in.text.docs {
		for _, e := range doc.edits {
			start, okStart := b.outside(value, doc.start+e.start)
			end, okEnd := b.outside(value, doc.start+e.end)
			if !okStart || !okEnd {
				return editErrorf(n, "the text in the block is not laid out so that it can be edited in place")
			}
			d.replace(start, end, strings.ReplaceAll(e.with, "\n", indent))
		}
	}
	d.take(n, string(next))
	return nil
}

// verify demands that the file holds the documents as they were edited.
func (t *Text) verify(data []byte) error {
	after := OpenText(data, t.limits())
	if len(after.docs) != len(t.docs) || after.head != t.head {
		return &EditError{Message: "the edited file divides into other documents"}
	}
	for i, d := range t.docs {
		got := after.docs[i]
		switch {
		case d.err != nil && got.src != d.src:
			return &EditError{Message: "a document that cannot be read would change"}
		case d.err != nil:
		case got.err != nil || !sameTree(d.root, got.root):
			return &EditError{Line: d.line, Message: "edited in place, the document would change elsewhere too"}
		}
	}
	return nil
}

// limits are those the file was opened with, with room for what the edits add.
func (t *Text) limits() Limits {
	for _, d := range t.docs {
		if d.limits != (Limits{}) {
			l := d.limits
			l.Bytes += 1 << 20
			l.Nodes += 10_000
			return l
		}
	}
	return Limits{}
}

// sameTree compares two documents by what they say: kinds, tags, values, anchors and aliases.
func sameTree(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.Value != b.Value || a.Anchor != b.Anchor || a.Kind != yaml.AliasNode && a.ShortTag() != b.ShortTag() || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !sameTree(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}
