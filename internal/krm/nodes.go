package krm

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// FromNodes makes a list of the trees of another program, such as a kyaml pipeline. Each is written as YAML and read
// again, so that it passes the same gate as text does and the trees themselves are neither kept nor changed; what a
// list holds is therefore what any writer makes of them. from says of each item at which position in nodes it stood.
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
	text, err := w.written(&yaml.Node{Kind: yaml.SequenceNode, Tag: seqTag, Content: []*yaml.Node{n}})
	if err != nil {
		return nil, "", err
	}
	it, err = parseEntry(0, entry{text: text, line: 1}, gate{limits: w.limits, expand: true}, read)
	if errors.Is(err, errWhole) {
		err = problemf("syntax", 0, 0, "it cannot be written as one YAML document")
	}
	return it, "", err
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
	if n == nil {
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
