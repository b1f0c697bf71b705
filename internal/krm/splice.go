package krm

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// splicer writes a changed resource as its own text with only the changed fields written anew, so that whoever reads
// the difference sees what the function did and nothing else: blank lines, quotes, indentation and comments around it
// stay. It works on lines and knows only plainly laid out block style. It is a guess that decides nothing: what it
// writes is parsed and must hold the merged values, else the resource is encoded as a whole.
type splicer struct {
	lines  [][]byte // of the text, with their ends
	origin map[*yaml.Node]*yaml.Node
	layout layout
	out    []byte
}

// splice returns the text of a merged tree. was is the tree that raw was parsed to, origin leads from nodes of merged
// to those of was that they were made from. ok is false where the text is not laid out plainly enough.
func splice(raw []byte, was, merged *yaml.Node, origin map[*yaml.Node]*yaml.Node) (out []byte, ok bool) {
	s := splicer{origin: origin, layout: layoutOf(was), out: make([]byte, 0, len(raw)+256)}
	for rest := raw; len(rest) > 0; {
		l := firstLine(rest)
		s.lines, rest = append(s.lines, l), rest[len(l):]
	}
	if !s.mapping(was, merged, 1, len(s.lines)+1) {
		return nil, false
	}
	if usesCRLF(raw) {
		s.out = toCRLF(s.out)
	}
	return s.out, true
}

// raw appends lines from to to, counted from 1, to excluded.
func (s *splicer) raw(from, to int) {
	for _, l := range s.lines[from-1 : to-1] {
		s.out = append(endLine(s.out), l...)
	}
}

// boundaries are the lines at which the parts of a block collection begin: each at the comments above it. starts are
// the lines where the parts themselves begin, which must rise.
func (s *splicer) boundaries(starts []int, column, from, to int) ([]int, bool) {
	bounds := make([]int, 0, len(starts)+1)
	last := from - 1
	for i, start := range starts {
		if start <= last || start < from || start >= to {
			return nil, false
		}
		if i == 0 {
			bounds, last = append(bounds, from), start
			continue
		}
		at := start
		for at-1 > last {
			l := s.lines[at-2]
			t := bytes.TrimLeft(l, " ")
			if len(t) == 0 || t[0] != '#' || len(l)-len(t) > column-1 {
				break
			}
			at--
		}
		bounds, last = append(bounds, at), start
	}
	return append(bounds, to), true
}

// mapping writes a block mapping that takes the lines from to to.
func (s *splicer) mapping(was, merged *yaml.Node, from, to int) bool {
	if was.Style&yaml.FlowStyle != 0 || was.Kind != yaml.MappingNode || merged.Kind != yaml.MappingNode || len(was.Content) == 0 || len(merged.Content) == 0 {
		return false
	}
	starts := make([]int, 0, len(was.Content)/2)
	for i := 0; i < len(was.Content); i += 2 {
		if k := was.Content[i]; k.Column == was.Content[0].Column && k.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
			starts = append(starts, k.Line)
		}
	}
	column := was.Content[0].Column
	bounds, ok := s.boundaries(starts, column, from, to)
	if !ok || len(starts) != len(was.Content)/2 {
		return false
	}
	// What stands before the first key, the dash of a list's entry, goes only with that key.
	if l := s.lines[starts[0]-1]; merged.Content[0].Value != was.Content[0].Value && len(bytes.TrimLeft(l[:min(column-1, len(l))], " ")) > 0 {
		return false
	}
	index := make(map[string]int, len(starts))
	for i := range starts {
		index[was.Content[2*i].Value] = i
	}
	for i := 0; i < len(merged.Content); i += 2 {
		k, v := merged.Content[i], merged.Content[i+1]
		at, known := index[k.Value]
		switch {
		case !known:
			if !s.fresh(pairOf(k, v), column) {
				return false
			}
		case v == was.Content[2*at+1]:
			s.raw(bounds[at], bounds[at+1])
		default:
			if !s.changed(was.Content[2*at], was.Content[2*at+1], v, bounds[at], bounds[at+1]) {
				return false
			}
		}
	}
	return true
}

// changed writes a key whose value changed and that takes the lines from to to.
func (s *splicer) changed(k, was, merged *yaml.Node, from, to int) bool {
	if was.Line > k.Line && was.Kind == merged.Kind {
		mark := len(s.out)
		s.raw(from, k.Line+1)
		switch was.Kind {
		case yaml.MappingNode:
			if s.mapping(was, merged, k.Line+1, to) {
				return true
			}
		case yaml.SequenceNode:
			if s.sequence(was, merged, k.Line+1, to) {
				return true
			}
		}
		s.out = s.out[:mark]
	}
	s.raw(from, k.Line)
	l := s.lines[k.Line-1]
	if len(l) < k.Column {
		return false
	}
	if !s.encoded(pairOf(bare(k), bare(merged)), l[:k.Column-1], k.Column-1) {
		return false
	}
	s.raw(s.trailing(was, k.Line+1, to), to)
	return true
}

// trailing is the first of the blank and comment lines at the end of a part.
func (s *splicer) trailing(was *yaml.Node, from, to int) int {
	for to > from {
		t := bytes.TrimSpace(s.lines[to-2])
		if len(t) > 0 && (t[0] != '#' || was.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0) {
			break
		}
		to--
	}
	return to
}

// fresh writes something that was not there before, above the blank lines at the end of what is written already.
func (s *splicer) fresh(n *yaml.Node, column int) bool {
	end := len(bytes.TrimRight(s.out, " \r\n"))
	if eol := bytes.IndexByte(s.out[end:], '\n'); eol >= 0 {
		end += eol + 1
	} else {
		end = len(s.out)
	}
	blank := bytes.Clone(s.out[end:])
	s.out = s.out[:end]
	if !s.encoded(n, bytes.Repeat([]byte(" "), column-1), column-1) {
		return false
	}
	s.out = append(s.out, blank...)
	return true
}

func pairOf(k, v *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: mapTag, Content: []*yaml.Node{k, v}}
}

// encoded writes a tree anew, its first line behind prefix and the others indented as far.
func (s *splicer) encoded(n *yaml.Node, prefix []byte, indent int) bool {
	text, err := marshalDefused(n, s.layout)
	if err != nil {
		return false
	}
	text = indentLines(text, indent)
	if len(text) < indent {
		return false
	}
	s.out = append(append(endLine(s.out), prefix...), text[indent:]...)
	return true
}

// sequence writes a block sequence that takes the lines from to to.
func (s *splicer) sequence(was, merged *yaml.Node, from, to int) bool {
	if was.Style&yaml.FlowStyle != 0 || len(was.Content) == 0 || len(merged.Content) == 0 {
		return false
	}
	starts := make([]int, len(was.Content))
	index := make(map[*yaml.Node]int, len(was.Content))
	for i, c := range was.Content {
		if c.Line > len(s.lines) || !dashed(s.lines[c.Line-1], was.Column-1, c.Column-1) {
			return false
		}
		starts[i], index[c] = c.Line, i
	}
	bounds, ok := s.boundaries(starts, was.Column, from, to)
	if !ok {
		return false
	}
	// Comments above the first element stay there whatever becomes of it.
	s.raw(from, starts[0])
	bounds[0] = starts[0]
	for _, c := range merged.Content {
		if at, ok := index[c]; ok {
			s.raw(bounds[at], bounds[at+1])
			continue
		}
		at, ok := index[s.origin[c]]
		mark := len(s.out)
		if ok && s.mapping(s.origin[c], c, bounds[at], bounds[at+1]) {
			continue
		}
		s.out = s.out[:mark]
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: seqTag, Content: []*yaml.Node{bare(c)}}
		if !ok {
			if !s.fresh(n, was.Column) {
				return false
			}
			continue
		}
		s.raw(bounds[at], starts[at])
		if !s.encoded(n, bytes.Repeat([]byte(" "), was.Column-1), was.Column-1) {
			return false
		}
		s.raw(s.trailing(s.origin[c], starts[at]+1, bounds[at+1]), bounds[at+1])
	}
	return true
}

// dashed says whether a line has a dash at column dash, nothing before it, and only spaces between it and column at.
func dashed(l []byte, dash, at int) bool {
	if dash < 0 || at <= dash+1 || at >= len(l) || l[dash] != '-' {
		return false
	}
	return len(bytes.TrimLeft(l[:dash], " ")) == 0 && len(bytes.TrimLeft(l[dash+1:at], " ")) == 0
}

// bare is a node without the comments above and below it, which are in the text already.
func bare(n *yaml.Node) *yaml.Node {
	c := *n
	c.HeadComment, c.FootComment = "", ""
	return &c
}

// layout is how a text indents.
type layout struct {
	indent int  // spaces a level
	wide   bool // sequences are indented below their key
}

// layoutOf finds the layout of a tree where it is parsed from text: that of the first mapping and of the first
// sequence below a key.
func layoutOf(n *yaml.Node) layout {
	l := layout{indent: 2}
	mapped, listed := false, false
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for i, c := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 1 && c.Style&yaml.FlowStyle == 0 && len(c.Content) > 0 && c.Line > n.Content[i-1].Line {
				by := c.Column - n.Content[i-1].Column
				switch {
				case c.Kind == yaml.MappingNode && !mapped && by >= 2 && by <= 8:
					l.indent, mapped = by, true
				case c.Kind == yaml.SequenceNode && !listed && by >= 0:
					l.wide, listed = by > 0, true
				}
			}
			if mapped && listed {
				return
			}
			walk(c)
		}
	}
	walk(n)
	return l
}
