package krm

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// The parser says where a node begins and not where it ends. The ends here are found by the rules of YAML's scalar
// styles; should one be wrong, what is written parses to something else, and Bytes refuses it.

// yamlLines lists the offset at which each line begins, as the parser counts lines.
func yamlLines(src string) []int {
	lines := []int{0}
	for i := 0; i < len(src); i++ {
		switch {
		case src[i] == '\n', src[i] == '\r' && !strings.HasPrefix(src[i+1:], "\n"):
			lines = append(lines, i+1)
		case strings.HasPrefix(src[i:], "\u0085"):
			i++
			lines = append(lines, i+1)
		case strings.HasPrefix(src[i:], "\u2028"), strings.HasPrefix(src[i:], "\u2029"):
			i += 2
			lines = append(lines, i+1)
		}
	}
	return lines
}

// offset is the byte at which a node begins.
func (d *editDoc) offset(n *yaml.Node) (int, bool) {
	if n.Line < 1 || n.Line > len(d.lines) {
		return 0, false
	}
	at := d.lines[n.Line-1]
	for range n.Column - 1 {
		if at >= len(d.src) {
			return 0, false
		}
		_, size := utf8.DecodeRuneInString(d.src[at:])
		at += size
	}
	return at, at < len(d.src)
}

// lineEnd is the offset behind the last character of the line that holds at.
func (d *editDoc) lineEnd(at int) int {
	if i := strings.IndexAny(d.src[at:], "\r\n"); i >= 0 {
		return at + i
	}
	return len(d.src)
}

// eol is how the document ends its lines.
func (d *editDoc) eol() string {
	if usesCRLF([]byte(d.src)) {
		return "\r\n"
	}
	return "\n"
}

// span is the bytes of a scalar. The end of a block scalar is that of its last line that is not blank.
func (d *editDoc) span(n *yaml.Node) (start, end int, err error) {
	start, ok := d.offset(n)
	switch {
	case !ok || n.Kind != yaml.ScalarNode:
		return 0, 0, editErrorf(n, "the value is not found in the text")
	case n.Anchor != "" || n.Style&yaml.TaggedStyle != 0:
		return 0, 0, editErrorf(n, "the value has an anchor or a tag")
	}
	end = -1
	switch rest := d.src[start:]; {
	case n.Style&yaml.DoubleQuotedStyle != 0 && rest[0] == '"':
		end = closing(rest, '"')
	case n.Style&yaml.SingleQuotedStyle != 0 && rest[0] == '\'':
		end = closing(rest, '\'')
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && (rest[0] == '|' || rest[0] == '>'):
		if b, ok := d.block(n); ok {
			end = b.end() - start
		}
	case n.Style == 0 && n.Value != "" && strings.HasPrefix(rest, n.Value):
		end = len(n.Value)
	}
	if end < 0 {
		return 0, 0, editErrorf(n, "the value is not laid out so that it can be edited in place")
	}
	return start, start + end, nil
}

// closing is the length of a quoted scalar, -1 where it does not end.
func closing(s string, quote byte) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote == '"':
			i++
		case s[i] != quote:
		case quote == '\'' && i+1 < len(s) && s[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return -1
}

// block is a literal or folded scalar: a header, and lines that are indented alike.
type block struct {
	d      *editDoc
	first  int // line of its content, from 0
	count  int // lines of its content without the blank ones at its end
	indent int // spaces before its content
}

// block finds the lines of a block scalar. ok is false for one without content.
func (d *editDoc) block(n *yaml.Node) (b block, ok bool) {
	b = block{d: d, first: n.Line, indent: -1}
	if strings.ContainsAny(n.Value, "\r\u0085\u2028\u2029") {
		return b, false
	}
	for i := b.first; i < len(d.lines); i++ {
		l := d.src[d.lines[i]:d.lineEnd(d.lines[i])]
		if strings.TrimLeft(l, " ") == "" {
			continue
		}
		if b.indent < 0 {
			b.indent = leading(l) - leading(firstContent(n.Value))
		}
		if leading(l) < b.indent || b.indent < 1 {
			break
		}
		b.count = i - b.first + 1
	}
	return b, b.count > 0
}

// firstContent is the first line of a text that is not blank.
func firstContent(s string) string {
	for l := range strings.SplitSeq(s, "\n") {
		if strings.TrimLeft(l, " ") != "" {
			return l
		}
	}
	return ""
}

func leading(l string) int { return len(l) - len(strings.TrimLeft(l, " ")) }

// end is the offset behind the last character of the content.
func (b block) end() int {
	return b.d.lineEnd(b.d.lines[b.first+b.count-1])
}

// outside is where a byte of a literal scalar's value stands in the document.
func (b block) outside(value string, at int) (int, bool) {
	line := strings.Count(value[:at], "\n")
	column := at - (strings.LastIndexByte(value[:at], '\n') + 1)
	if line >= b.count {
		return 0, false
	}
	begin := b.d.lines[b.first+line]
	to := begin + b.indent + column
	if end := b.d.lineEnd(begin); to > end {
		return end, column == 0 // a blank line that is shorter than the indentation
	}
	return to, true
}
