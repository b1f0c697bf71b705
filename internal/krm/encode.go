package krm

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Encode writes the list as one config.kubernetes.io/v1 ResourceList: apiVersion, kind, items, functionConfig and
// results, the last two only where they are present. Items that were not changed are written as the text they were
// read from. The output is YAML that any KRM function reads.
func (rl *ResourceList) Encode() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(rl.sizeHint())
	writeHead(&b, len(rl.Items))
	for _, it := range rl.Items {
		entry, err := it.listEntry(rl.dash)
		if err != nil {
			return nil, fmt.Errorf("encoding %q: %w", it.String(), err)
		}
		b.Write(entry)
	}
	if err := writeTail(&b, rl.FunctionConfig, rl.Results); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writeHead(b *bytes.Buffer, items int) {
	b.WriteString("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:")
	if items == 0 {
		b.WriteString(" []")
	}
	b.WriteByte('\n')
}

func writeTail(b *bytes.Buffer, config *Object, results []Result) error {
	if config != nil {
		if err := encodeField(b, "functionConfig", config.node); err != nil {
			return fmt.Errorf("encoding the functionConfig: %w", err)
		}
	}
	if len(results) > 0 {
		if err := encodeField(b, "results", results); err != nil {
			return fmt.Errorf("encoding the results: %w", err)
		}
	}
	return nil
}

// Manifests writes the resources alone, as documents divided by "---", without the annotations that name the file a
// resource came from.
func (rl *ResourceList) Manifests() ([]byte, error) {
	var b bytes.Buffer
	b.Grow(rl.sizeHint())
	for i, it := range rl.Items {
		doc, err := it.document(rl.dash)
		if err != nil {
			return nil, fmt.Errorf("encoding %q: %w", it.String(), err)
		}
		if i > 0 {
			b.WriteString("---\n")
		}
		b.Write(doc)
	}
	return b.Bytes(), nil
}

func (rl *ResourceList) sizeHint() int {
	n := 1024
	for _, it := range rl.Items {
		n += len(it.raw) + 64
	}
	return n
}

// listEntry is the item as an entry of a block sequence with its dash at column dash.
func (it *Item) listEntry(dash int) ([]byte, error) {
	node := it.node
	if it.Path != "" && !it.hasOrigin() {
		node = it.withOrigin()
	} else {
		switch it.form {
		case listText:
			return endLine(it.raw), nil
		case docText:
			if entry, ok := asListText(it.raw, it.node, dash); ok {
				return entry, nil
			}
		}
	}
	entry, err := it.encoded(&yaml.Node{Kind: yaml.SequenceNode, Tag: seqTag, Content: []*yaml.Node{node}})
	if err != nil || dash == 0 {
		return entry, err
	}
	return indentLines(entry, dash), nil
}

// encoded writes a tree of the item. What a function had a hand in is read again and must hold the same values: what
// was judged is what leaves, whatever faults the encoder has.
func (it *Item) encoded(n *yaml.Node) ([]byte, error) {
	if !it.edited {
		return marshal(n)
	}
	text, err := marshalDefused(n)
	if err != nil {
		return nil, err
	}
	if got, err := decodeOne(text); err != nil || got == nil || !equal(got, n) {
		return nil, errors.New("the encoded text does not hold the same values")
	}
	return text, nil
}

// document is the item as a document without markers.
func (it *Item) document(dash int) ([]byte, error) {
	if !it.hasOrigin() {
		switch it.form {
		case docText:
			return endLine(it.raw), nil
		case listText:
			if doc, ok := asDocText(it.raw, it.node, dash); ok {
				return doc, nil
			}
		}
		return it.encoded(it.node)
	}
	return it.encoded(it.withoutOrigin())
}

// endLine returns text that ends with a line end, without touching the array behind raw.
func endLine(raw []byte) []byte {
	if len(raw) == 0 || raw[len(raw)-1] == '\n' {
		return raw
	}
	return append(raw[:len(raw):len(raw)], '\n')
}

func indentLines(text []byte, by int) []byte {
	out := make([]byte, 0, len(text)+len(text)/8)
	for len(text) > 0 {
		end := bytes.IndexByte(text, '\n') + 1
		if end == 0 {
			end = len(text)
		}
		if l := text[:end]; len(l) > 1 {
			out = append(pad(out, by), l...)
		} else {
			out = append(out, l...)
		}
		text = text[end:]
	}
	return out
}

// encodeField writes one field of the ResourceList.
func encodeField(b *bytes.Buffer, key string, value any) error {
	text, err := marshal(map[string]any{key: value})
	b.Write(text)
	return err
}

// marshal writes a value the way kyaml does: two spaces, sequences not indented. The encoder reports some faults by
// panicking; they become errors.
func marshal(v any) (text []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			text, err = nil, fmt.Errorf("yaml: the encoder gave up: %v", r)
		}
	}()
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	e.CompactSeqIndent()
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	if err := e.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
