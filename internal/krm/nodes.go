package krm

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// FromNodes makes a list of the trees of another program, such as a kyaml pipeline. Each is written as YAML and read
// again, so that it passes the same gate as text does and the trees themselves are neither kept nor changed. from says of each item at which position in nodes it stood.
// A node that is not a Kubernetes object is left out and named in Skipped, with that position for an index. config is
// the functionConfig, or nil. The error is a *SyntaxError where a node is at fault, and names it.
func FromNodes(nodes []*yaml.Node, config *yaml.Node, limits Limits) (list *ResourceList, from []int, err error) {
	list = &ResourceList{APIVersion: "config.kubernetes.io/v1"}
	w := nodeWriter{limits: limits, bytes: limits.Bytes, nodes: limits.Nodes}
	var read tally
	for i, n := range nodes {
		it, reason, err := w.item(n, &read)
		if err == nil && reason == "" {
			err = add(list, it, limits)
		}
		if err != nil {
			return nil, nil, nodeError(fmt.Sprintf("resource %d", i+1), err)
		}
		if reason != "" {
			list.Skipped = append(list.Skipped, Skipped{Index: i, Reason: reason})
			continue
		}
		it.Index = len(list.Items) - 1
		from = append(from, i)
	}
	if config == nil {
		return list, from, nil
	}
	text, err := w.text(config)
	if err == nil {
		list.FunctionConfig, err = parseConfig(text, limits)
	}
	return list, from, nodeError("functionConfig", err)
}

// nodeError names a node; lines and columns of a text that nobody saw would not help.
func nodeError(name string, err error) error {
	if p, ok := errors.AsType[*problem](err); ok {
		p.line, p.column = 0, 0
	}
	return asInput(name, err)
}

// nodeWriter writes trees that came from elsewhere: they may have been made by hand, have cycles, or be of any size.
type nodeWriter struct {
	limits Limits
	bytes  int64 // that may still be written
	nodes  int   // that may still be looked at
}

// item reads one item, or says why a node is none.
func (w *nodeWriter) item(n *yaml.Node, read *tally) (it *Item, skip string, err error) {
	if n != nil && n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, "not a mapping", nil
	}
	if err := w.bounded(n, 0); err != nil {
		return nil, "", err
	}
	if _, ok := identify(n); !ok {
		return nil, "no apiVersion or no kind", nil
	}
	if hasAlias(n) {
		if n, err = expandAliases(n, w.limits.Nodes); err != nil {
			return nil, "", err
		}
	}
	it, err = w.reread(n, read)
	if err == nil && it == nil {
		if it, err = w.reread(inQuotes(n), read); err == nil && it == nil {
			err = problemf("syntax", 0, 0, "it holds other values once it is written")
		}
	}
	return it, "", err
}

// reread writes a node and reads it as an item. It is nil where the text holds other values: the encoder misspells some.
func (w *nodeWriter) reread(n *yaml.Node, read *tally) (*Item, error) {
	text, err := w.written(&yaml.Node{Kind: yaml.SequenceNode, Tag: seqTag, Content: []*yaml.Node{n}})
	if err != nil {
		return nil, err
	}
	it, verbatim, err := readItem(entry{text: text, line: 1}, gate{limits: w.limits, expand: true}, read)
	if errors.Is(err, errWhole) {
		err = problemf("syntax", 0, 0, "it cannot be written as one YAML document")
	}
	if err == nil {
		err = inAgreement(it.node)
	}
	if err != nil {
		return nil, err
	}
	if !sameWords(n, it.node) {
		return nil, nil
	}
	if verbatim {
		it.keep(text, listText)
	}
	return it, nil
}

// sameWords says whether two trees have the same shape and the same text of the same type in every scalar. The first may
// have no tags.
func sameWords(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) {
		return false
	}
	if a.Kind == yaml.ScalarNode {
		kind := kindOf(&yaml.Node{Tag: a.ShortTag()})
		return kind == kindOf(b) && (a.Value == b.Value || kind == isNull)
	}
	for i := range a.Content {
		if !sameWords(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// inQuotes is a copy of a tree in which all is spelled out that the encoder is known to misspell: text of several lines
// is in double quotes, and null is a word.
func inQuotes(n *yaml.Node) *yaml.Node {
	c := *n
	switch {
	case n.Kind != yaml.ScalarNode:
	case n.ShortTag() == nullTag:
		c.Style, c.Value = 0, "null"
	case strings.Contains(n.Value, "\n"):
		c.Style = yaml.DoubleQuotedStyle
	}
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = inQuotes(child)
	}
	return &c
}

func (w *nodeWriter) text(n *yaml.Node) ([]byte, error) {
	if err := w.bounded(n, 0); err != nil {
		return nil, err
	}
	return w.written(n)
}

func (w *nodeWriter) written(n *yaml.Node) ([]byte, error) {
	text, err := marshal(n)
	if err != nil {
		return nil, problemf("syntax", 0, 0, "it cannot be written: %v", err)
	}
	if w.bytes -= int64(len(text)); w.bytes < 0 {
		return nil, limitProblem("bytes", "bytes", w.limits.Bytes, 0, 0)
	}
	return text, nil
}

// bounded refuses what the encoder would not come to an end of.
func (w *nodeWriter) bounded(n *yaml.Node, depth int) error {
	if n == nil || n.Kind == yaml.AliasNode && n.Alias == nil {
		return problemf("syntax", 0, 0, "a node of it is nil")
	}
	if w.nodes--; w.nodes < 0 {
		return limitProblem("nodes", "nodes", int64(w.limits.Nodes), 0, 0)
	}
	if depth > w.limits.Depth+2 {
		return limitProblem("depth", "levels of nesting", int64(w.limits.Depth), 0, 0)
	}
	for _, c := range n.Content {
		if err := w.bounded(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}
