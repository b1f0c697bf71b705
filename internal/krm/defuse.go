package krm

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// marshalDefused writes a tree like marshal, with "##" inside double-quoted scalars written as "#\x23": the same
// value to a YAML reader, and no line of a CI system's log that holds "##[" or "##vso[". Strings of a function that
// hold "##" are always double-quoted (see freshScalar). The encoder cannot be told to escape a character, so the
// second "#" goes through it as one that stands nowhere in the tree and is replaced in the text.
func marshalDefused(n *yaml.Node, l layout) ([]byte, error) {
	if !holds(n, quotesHash) {
		return marshalAs(n, l)
	}
	stand := ""
	for r := rune(0xe000); r < 0xf8ff; r++ { // private use: passes the encoder as it is
		s := string(r)
		if !holds(n, func(c *yaml.Node) bool {
			return slices.ContainsFunc([]string{c.Value, c.HeadComment, c.LineComment, c.FootComment}, func(t string) bool { return strings.Contains(t, s) })
		}) {
			stand = s
			break
		}
	}
	if stand == "" {
		return marshalAs(n, l)
	}
	text, err := marshalAs(disguised(n, stand), l)
	return bytes.ReplaceAll(text, []byte(stand), []byte(`\x23`)), err
}

func quotesHash(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style&yaml.DoubleQuotedStyle != 0 && strings.Contains(n.Value, "##")
}

// holds says whether something is so for a node of a tree.
func holds(n *yaml.Node, so func(*yaml.Node) bool) bool {
	return so(n) || slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return holds(c, so) })
}

func disguised(n *yaml.Node, stand string) *yaml.Node {
	c := *n
	if quotesHash(n) {
		c.Value = strings.ReplaceAll(n.Value, "##", "#"+stand)
	}
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = disguised(child, stand)
	}
	return &c
}
