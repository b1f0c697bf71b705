package krm

import (
	"errors"

	"go.yaml.in/yaml/v3"
)

// listEntry is the item as an entry of a block sequence with its dash at column dash. from is the column of the dash
// in the item's own text.
func (it *Item) listEntry(from, dash int) ([]byte, error) {
	place := it.Path != "" && !it.placed
	if !place {
		switch {
		case it.form == listText && from == dash:
			return endLine(it.raw), nil
		case it.form == docText:
			if entry, ok := asListText(it.raw, it.line, dash); ok {
				return entry, nil
			}
		}
	}
	n, err := it.tree()
	if err != nil {
		return nil, err
	}
	if place {
		was := n
		n = withOrigin(n, it.Path, it.Index)
		if entry, ok := it.placedEntry(was, n, dash); ok {
			return entry, nil
		}
	}
	entry, _, err := it.encoded(n, listText)
	if err != nil || dash == 0 {
		return entry, err
	}
	return indentLines(entry, dash), nil
}

// placedEntry puts the annotations that say where the item came from into its text, which stays as it is for the rest:
// that takes a third of the time of encoding it. was is the item's tree, placed the one with the annotations, which the
// text must hold when it is read again.
func (it *Item) placedEntry(was, placed *yaml.Node, dash int) ([]byte, bool) {
	if it.form != docText || it.line == 0 || it.node != nil {
		return nil, false
	}
	text, ok := splice(it.raw, was, placed, nil)
	if !ok || readBack(text, docText, placed) == nil {
		return nil, false
	}
	return asListText(text, it.line, dash)
}

// document is the item as a document without markers and without the annotations that say where it came from.
func (it *Item) document(from int) ([]byte, error) {
	if !it.placed {
		switch it.form {
		case docText:
			return endLine(it.raw), nil
		case listText:
			if doc, ok := asDocText(it.raw, from, it.indent); ok {
				return doc, nil
			}
		}
	}
	n, err := it.tree()
	if err != nil {
		return nil, err
	}
	if it.placed {
		n = withoutOrigin(n)
	}
	doc, _, err := it.encoded(n, docText)
	return doc, err
}

// encoded writes a tree of the item and returns it as read back where that was done. What a function had a hand in is
// read again and must hold the same values: what was judged is what leaves, whatever faults the encoder has.
func (it *Item) encoded(n *yaml.Node, f form) (text []byte, got *yaml.Node, err error) {
	wrapped := n
	if f == listText {
		wrapped = &yaml.Node{Kind: yaml.SequenceNode, Tag: seqTag, Content: []*yaml.Node{n}}
	}
	if !it.edited {
		text, err = marshal(wrapped)
		return text, nil, err
	}
	if text, err = marshalDefused(wrapped, it.layout()); err != nil {
		return nil, nil, err
	}
	if got = readBack(text, f, n); got == nil {
		return nil, nil, errors.New("the encoded text does not hold the same values")
	}
	return text, got, nil
}

// readBack parses text and returns its tree if that holds the values of n, else nil. A document that some tools would
// divide does not.
func readBack(text []byte, f form, n *yaml.Node) *yaml.Node {
	var got *yaml.Node
	var err error
	if f == docText && halved(text) {
		return nil
	}
	if f == listText {
		got, err = decodeEntry(entry{text: text})
	} else {
		got, err = decodeOne(text)
	}
	if err != nil || got == nil || !equal(got, n) {
		return nil
	}
	return got
}
