package krm

import (
	"strconv"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Short tags of the YAML core schema, as the parser writes them.
const (
	strTag   = "!!str"
	nullTag  = "!!null"
	mapTag   = "!!map"
	seqTag   = "!!seq"
	mergeTag = "!!merge"
	timeTag  = "!!timestamp"
)

// gate walks a tree once and refuses what krmsafe does not carry through: it is the same walk on both sides of the
// function, but for aliases, which it expands only where expand is set.
type gate struct {
	limits Limits
	expand bool // expand aliases and merge keys instead of refusing them
	nodes  int  // nodes passed so far, over all documents
	anchor bool // an anchor was met and dropped: the text may not be repeated verbatim
	keys   map[string]struct{}
}

// pass walks a document's root. With expand it leaves a tree without anchors, aliases and merge keys.
func (g *gate) pass(root *yaml.Node) error {
	return g.walk(root, 1)
}

func (g *gate) walk(n *yaml.Node, depth int) error {
	if g.nodes++; g.nodes > g.limits.Nodes {
		return g.limit("nodes", "nodes", g.limits.Nodes, n)
	}
	if n.Anchor != "" {
		if !g.expand {
			return problemf("anchor", n.Line, n.Column, "anchor %q: a function's output may not hold anchors or aliases", n.Anchor).
				withHint("the function must write values out in full")
		}
		n.Anchor, g.anchor = "", true
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return g.scalar(n)
	case yaml.SequenceNode:
		if n.Tag != seqTag {
			return badTag(n)
		}
	case yaml.MappingNode:
		if n.Tag != mapTag {
			return badTag(n)
		}
		if err := g.mapping(n); err != nil {
			return err
		}
	case yaml.AliasNode:
		return problemf("anchor", n.Line, n.Column, "alias %q: a function's output may not hold anchors or aliases", n.Value).
			withHint("the function must write values out in full")
	default:
		return problemf("syntax", n.Line, n.Column, "unexpected YAML node")
	}
	if depth > g.limits.Depth {
		return g.limit("depth", "levels of nesting", g.limits.Depth, n)
	}
	for _, c := range n.Content {
		if c.Kind == yaml.ScalarNode && c.Anchor == "" {
			// The common case, without the cost of a call.
			if g.nodes++; g.nodes > g.limits.Nodes {
				return g.limit("nodes", "nodes", g.limits.Nodes, c)
			}
			if err := g.scalar(c); err != nil {
				return err
			}
			continue
		}
		if err := g.walk(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (g *gate) scalar(n *yaml.Node) error {
	switch n.Tag {
	case strTag, nullTag, "!!int", "!!float", "!!bool":
		return nil
	case timeTag:
		// A plain scalar that looks like a date: text in JSON and so in Kubernetes.
		if n.Style&yaml.TaggedStyle == 0 {
			return nil
		}
	case mergeTag:
		// A plain "<<" that is not a key is text.
		if n.Style&yaml.TaggedStyle == 0 {
			n.Tag, n.Style = strTag, n.Style|yaml.DoubleQuotedStyle
			return nil
		}
	}
	return badTag(n)
}

// mapping refuses keys that are not strings and keys that appear twice, compared as decoded.
func (g *gate) mapping(n *yaml.Node) error {
	for i := 0; i < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode || k.Tag != strTag {
			if k.Kind == yaml.ScalarNode && k.Tag == mergeTag {
				return problemf("anchor", k.Line, k.Column, "merge key \"<<\": a function's output may not hold merge keys").
					withHint("the function must write values out in full")
			}
			return problemf("key", k.Line, k.Column, "a mapping key is %s, and keys must be strings", keyWord(k)).
				withHint("quote the key")
		}
	}
	if len(n.Content) <= 2*8 {
		for i := 2; i < len(n.Content); i += 2 {
			for j := 0; j < i; j += 2 {
				if n.Content[i].Value == n.Content[j].Value {
					return duplicate(n.Content[i])
				}
			}
		}
		return nil
	}
	if g.keys == nil {
		g.keys = make(map[string]struct{}, len(n.Content)/2)
	}
	clear(g.keys)
	for i := 0; i < len(n.Content); i += 2 {
		if _, ok := g.keys[n.Content[i].Value]; ok {
			return duplicate(n.Content[i])
		}
		g.keys[n.Content[i].Value] = struct{}{}
	}
	return nil
}

func (g *gate) limit(reason, what string, limit int, n *yaml.Node) error {
	return limitProblem(reason, what, int64(limit), n.Line, n.Column)
}

func limitProblem(reason, what string, limit int64, line, column int) *problem {
	return problemf("limit."+reason, line, column, "more than %d %s", limit, what)
}

func duplicate(k *yaml.Node) *problem {
	return problemf("duplicate_key", k.Line, k.Column, "the key %q appears twice in one mapping", short(k.Value)).
		withHint("remove one of the two")
}

func badTag(n *yaml.Node) *problem {
	return problemf("tag", n.Line, n.Column, "the tag %q is not of the YAML core schema", short(n.Tag)).
		withHint("write the value without a tag")
}

func keyWord(k *yaml.Node) string {
	switch k.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a sequence"
	case yaml.AliasNode:
		return "an alias"
	}
	switch k.Tag {
	case nullTag:
		return "null"
	case "!!int", "!!float":
		return "the number " + strconv.Quote(short(k.Value))
	case "!!bool":
		return "the boolean " + strconv.Quote(short(k.Value))
	case timeTag:
		return "the date " + strconv.Quote(short(k.Value))
	}
	return "of the tag " + strconv.Quote(short(k.Tag))
}

// short keeps a foreign string readable inside an error.
func short(s string) string {
	const keep = 120
	if len(s) <= keep {
		return s
	}
	cut := keep
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// identifier refuses names that could mislead whoever reads them: control, format and bidirectional characters,
// line and paragraph separators, private and unassigned code points are not in the names of Kubernetes objects.
func identifier(what, s string, n *yaml.Node) error {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			line, column := 0, 0
			if n != nil {
				line, column = n.Line, n.Column
			}
			return problemf("control", line, column, "the %s %q holds a character that cannot be shown", what, short(s))
		}
	}
	return nil
}
