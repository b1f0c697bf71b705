package krm

import (
	"bytes"
	"fmt"
	"strings"

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
		entry, err := it.listEntry(rl.dash, rl.dash)
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
		if err := encodeResults(b, results); err != nil {
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

// encodeResults writes the results: a function's own words.
func encodeResults(b *bytes.Buffer, results any) error {
	var n yaml.Node
	if err := n.Encode(map[string]any{"results": results}); err != nil {
		return fmt.Errorf("yaml: %w", err)
	}
	quoteWords(&n)
	text, err := marshalDefused(&n, layout{indent: 2})
	b.Write(text)
	return err
}

// quoteWords puts text that could be a command to a CI system that logs it into double quotes, where lines end in
// "\n" and not in a line.
func quoteWords(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && (strings.ContainsAny(n.Value, "\n\r") || strings.Contains(n.Value, "##") || strings.Contains(n.Value, "::")) {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, c := range n.Content {
		quoteWords(c)
	}
}

// marshal writes a value the way kyaml does: two spaces, sequences not indented. The encoder reports some faults by
// panicking; they become errors.
func marshal(v any) (text []byte, err error) { return marshalAs(v, layout{indent: 2}) }

// marshalAs is marshal in another layout.
func marshalAs(v any, l layout) (text []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			text, err = nil, fmt.Errorf("yaml: the encoder gave up: %v", r)
		}
	}()
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(l.indent)
	if !l.wide {
		e.CompactSeqIndent()
	}
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	if err := e.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// EncodeYAML writes a value of a Go type with yaml tags: two spaces a level, sequences not indented, every string so that
// no line of it is a command to a CI system.
func EncodeYAML(v any) ([]byte, error) {
	var n yaml.Node
	if err := n.Encode(v); err != nil {
		return nil, fmt.Errorf("yaml: %w", err)
	}
	quoteWords(&n)
	return marshalDefused(&n, layout{indent: 2})
}
