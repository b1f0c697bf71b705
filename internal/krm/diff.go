package krm

import (
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// differ compares one resource with what a function made of it and builds, in the same walk, the tree that leaves
// krmsafe: the input's own nodes wherever the values are equal, so with the input's comments, order and style, and
// cleaned copies of the output's nodes at exactly the places for which it records a change. Nothing of the function
// can leave without a change that tells of it.
type differ struct {
	resource Identity
	veil     *veil // over the values of a Secret, nil where the resource is none
	changes  []Change
	path     []string
	origin   map[*yaml.Node]*yaml.Node // from what leaves to what it was made from, where that is another node
	in, out  []string                  // JSON Pointer tokens of the place in the input and in the output
}

func (d *differ) push(segment, in, out string) {
	d.path, d.in, d.out = append(d.path, segment), append(d.in, in), append(d.out, out)
}

func (d *differ) pop() {
	d.path, d.in, d.out = d.path[:len(d.path)-1], d.in[:len(d.in)-1], d.out[:len(d.out)-1]
}

// record notes a change at the current place. before or after is nil where there was or is nothing.
func (d *differ) record(before, after *yaml.Node) {
	c := Change{Op: OpReplace, Resource: d.resource, Path: slices.Clone(d.path), Pointer: pointer(d.out)}
	switch {
	case before == nil:
		c.Op = OpAdd
	case after == nil:
		c.Op, c.Pointer = OpRemove, pointer(d.in)
	}
	c.Before, c.After = d.show(before), d.show(after)
	d.changes = append(d.changes, c)
}

func pointer(tokens []string) string {
	if len(tokens) == 0 {
		return ""
	}
	return "/" + strings.Join(tokens, "/")
}

func (d *differ) show(n *yaml.Node) json.RawMessage {
	if n == nil {
		return json.RawMessage("null")
	}
	if d.veil != nil {
		n = d.veil.masked(n, d.path)
	}
	return jsonValue(n)
}

// merge returns in itself where both trees hold the same values, and else the tree that leaves.
func (d *differ) merge(in, out *yaml.Node) *yaml.Node {
	if in.Kind != out.Kind {
		return d.replace(in, out)
	}
	switch in.Kind {
	case yaml.MappingNode:
		return d.mapping(in, out)
	case yaml.SequenceNode:
		return d.sequence(in, out)
	}
	if equalScalar(in, out) {
		return in
	}
	return d.replace(in, out)
}

func (d *differ) replace(in, out *yaml.Node) *yaml.Node {
	d.record(in, out)
	n := fresh(out)
	n.HeadComment, n.LineComment, n.FootComment = in.HeadComment, in.LineComment, in.FootComment
	if in.Kind == yaml.ScalarNode && n.Kind == yaml.ScalarNode && n.Style == 0 && kindOf(in) == isString && kindOf(n) == isString {
		n.Style = in.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
	}
	return d.madeFrom(n, in)
}

func (d *differ) mapping(in, out *yaml.Node) *yaml.Node {
	before := len(d.changes)
	content := make([]*yaml.Node, 0, len(in.Content))
	kept := 0 // keys of out that in has too
	lookup := indexed(out)
	for i := 0; i+1 < len(in.Content); i += 2 {
		k, v := in.Content[i], in.Content[i+1]
		token := pointerToken(k.Value)
		d.push(keySegment(k.Value), token, token)
		if other := lookup(i, k.Value); other == nil {
			d.record(v, nil)
		} else {
			kept++
			content = append(content, k, d.merge(v, other))
		}
		d.pop()
	}
	if kept < len(out.Content)/2 {
		content = d.added(content, in, out)
	}
	if len(d.changes) == before {
		return in
	}
	n := *in
	n.Content = content
	if len(content) > 0 && len(in.Content) == 0 {
		n.Style &^= yaml.FlowStyle // "{}" was not a choice of style
	}
	return d.madeFrom(&n, in)
}

// madeFrom remembers from what a node was made.
func (d *differ) madeFrom(n, in *yaml.Node) *yaml.Node {
	if d.origin == nil {
		d.origin = map[*yaml.Node]*yaml.Node{}
	}
	d.origin[n] = in
	return n
}

// added inserts the keys that only out has, each behind the key that stands before it in out.
func (d *differ) added(content []*yaml.Node, in, out *yaml.Node) []*yaml.Node {
	lookup := indexed(in)
	at := map[string]int{} // where a key of out stands in content, found when first needed
	for i := 0; i < len(content); i += 2 {
		at[content[i].Value] = i
	}
	type insert struct{ k, v *yaml.Node }
	behind := map[int][]insert{} // position in content, -2 for the start
	last := -2
	for i := 0; i+1 < len(out.Content); i += 2 {
		k, v := out.Content[i], out.Content[i+1]
		if lookup(i, k.Value) != nil {
			last = at[k.Value]
			continue
		}
		token := pointerToken(k.Value)
		d.push(keySegment(k.Value), token, token)
		d.record(nil, v)
		d.pop()
		behind[last] = append(behind[last], insert{fresh(k), fresh(v)})
	}
	merged := make([]*yaml.Node, 0, len(content)+2*len(behind))
	for i := -2; i < len(content); i += 2 {
		if i >= 0 {
			merged = append(merged, content[i], content[i+1])
		}
		for _, x := range behind[i] {
			merged = append(merged, x.k, x.v)
		}
	}
	return merged
}

// indexed returns a lookup of a mapping's values that is fast where both mappings have the same order, and where a
// mapping is large.
func indexed(n *yaml.Node) func(guess int, key string) *yaml.Node {
	if len(n.Content) <= 2*16 {
		return func(guess int, key string) *yaml.Node { return valueAt(n, guess, key) }
	}
	var index map[string]*yaml.Node
	return func(guess int, key string) *yaml.Node {
		if guess+1 < len(n.Content) && n.Content[guess].Value == key {
			return n.Content[guess+1]
		}
		if index == nil {
			index = make(map[string]*yaml.Node, len(n.Content)/2)
			for i := 0; i+1 < len(n.Content); i += 2 {
				index[n.Content[i].Value] = n.Content[i+1]
			}
		}
		return index[key]
	}
}

// fresh is a copy of a function's tree in krmsafe's own style: no comments, no layout, every string quoted that
// YAML 1.1 and 1.2 read differently or that a CI system could take for a command.
func fresh(n *yaml.Node) *yaml.Node {
	c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	if n.Kind == yaml.ScalarNode {
		freshScalar(c)
		return c
	}
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = fresh(child)
	}
	return c
}

func freshScalar(n *yaml.Node) {
	switch kindOf(n) {
	case isNull:
		n.Value = "null"
	case isBool:
		n.Value = strings.ToLower(n.Value)
	case isNumber:
		if n.Tag == "!!int" {
			if s, ok := integerText(n.Value); ok {
				n.Value = s
			}
		}
	default:
		n.Tag = strTag
		switch {
		case isCommand(n.Value):
			n.Style = yaml.DoubleQuotedStyle
		case strings.Contains(n.Value, "\n"):
			n.Style = yaml.LiteralStyle
		case ambiguous(n.Value):
			n.Style = yaml.DoubleQuotedStyle
		}
	}
}

// ambiguous says whether some reader of YAML could take a plain string for something else: numbers in any base,
// dates, base 60, the many words for true and false.
func ambiguous(s string) bool {
	if s == "" {
		return true
	}
	switch c := s[0]; {
	case c >= '0' && c <= '9', c == '+', c == '-', c == '.', c == '~', c == '=', c == '<':
		return true
	}
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf":
		return true
	}
	return false
}

// isCommand says whether a string could stand in the output as a line that a CI system takes for a command.
func isCommand(s string) bool {
	return strings.Contains(s, "##") || strings.Contains(s, "::")
}
