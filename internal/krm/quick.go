package krm

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Most manifests use a small part of YAML: block mappings and sequences, words, texts in quotes and literal blocks.
// That part is read here, five times as fast as by the parser.
//
// # Why this is safe
//
// What is read here is a list of forms that mean the same to everybody. Whatever is not plainly one of them, a comment,
// an escape, a tag, an anchor, an empty value, a character beyond ASCII, a tab, a line out of step with its neighbours,
// gives no tree at all, and the parser reads the text as if this did not exist. So errors are the parser's own, too.
// A tree from here is to the last field the parser's (FuzzQuick), and it passes the same gate.

// quickDepth is the nesting beyond which a text is the parser's.
const quickDepth = 50

// quickKey is the length of keys beyond which a text is the parser's: YAML wants them within 1024 characters.
const quickKey = 500

// quickEntry reads an entry of a block sequence, its dash included, and gives the mapping in it. It is nil where the
// parser has to read the text.
func quickEntry(text []byte) *yaml.Node {
	q := newQuick(text)
	if q == nil {
		return nil
	}
	dash := q.indent()
	if q.failed || dash < 0 || !q.dashAt(dash) || q.keyEnd(q.at+dash+2) < 0 {
		return nil
	}
	return q.finish(q.mapping(q.at+dash+2, 1))
}

// quickDocument reads a document that is a mapping in the first column. It is nil where the parser has to read the text.
func quickDocument(text []byte) *yaml.Node {
	q := newQuick(text)
	if q == nil || q.indent() != 0 || q.failed || q.keyEnd(0) < 0 {
		return nil
	}
	return q.finish(q.mapping(0, 1))
}

// quick reads one text. Once it failed its trees are worth nothing.
type quick struct {
	s      string
	at     int // start of the line that is read
	line   int // its number, from 1
	nodes  []yaml.Node
	failed bool
}

func newQuick(text []byte) *quick {
	if len(text) == 0 || text[len(text)-1] != '\n' {
		return nil
	}
	for _, c := range text {
		if c != '\n' && (c < ' ' || c > '~') {
			return nil
		}
	}
	return &quick{s: string(text), line: 1}
}

func (q *quick) finish(n *yaml.Node) *yaml.Node {
	if q.failed || strings.TrimLeft(q.s[q.at:], "\n") != "" {
		return nil
	}
	return n
}

func (q *quick) fail() *yaml.Node {
	q.failed = true
	return nil
}

// node makes a node that begins at an offset of the line that is read.
func (q *quick) node(kind yaml.Kind, style yaml.Style, tag, value string, at int) *yaml.Node {
	if len(q.nodes) == 0 {
		q.nodes = make([]yaml.Node, 32)
	}
	n := &q.nodes[0]
	q.nodes = q.nodes[1:]
	n.Kind, n.Style, n.Tag, n.Value, n.Line, n.Column = kind, style, tag, value, q.line, at-q.at+1
	return n
}

// next goes to the next line. at is the newline.
func (q *quick) next(at int) {
	if q.s[at] != '\n' {
		q.failed = true
		return
	}
	q.at, q.line = at+1, q.line+1
}

// indent is how far the line that is read is indented, -1 behind the last line. An empty line is no line of YAML that
// is plain to everybody, but at the end.
func (q *quick) indent() int {
	i := q.at
	for i < len(q.s) && q.s[i] == ' ' {
		i++
	}
	if i == len(q.s) {
		q.failed = q.failed || i > q.at
		return -1
	}
	if q.s[i] == '\n' {
		if strings.TrimLeft(q.s[q.at:], "\n") == "" {
			return -1
		}
		q.failed = true
	}
	return i - q.at
}

// dashAt says whether the line has the dash of an entry at a column.
func (q *quick) dashAt(column int) bool { return strings.HasPrefix(q.s[q.at+column:], "- ") }

// keyEnd is the colon behind the key at an offset, -1 where there is no plain key.
func (q *quick) keyEnd(at int) int {
	i := at
	for i < len(q.s) && isKey(q.s[i]) {
		i++
	}
	if i == at || i-at > quickKey || i+1 >= len(q.s) || q.s[i] != ':' || !isWordStart(q.s[at]) || q.s[i+1] != ' ' && q.s[i+1] != '\n' {
		return -1
	}
	return i
}

// mapping reads a block mapping whose first key is at an offset of the line that is read.
func (q *quick) mapping(at, depth int) *yaml.Node {
	column := at - q.at
	m := q.node(yaml.MappingNode, 0, mapTag, "", at)
	for depth <= quickDepth {
		colon := q.keyEnd(at)
		if colon < 0 {
			return q.fail()
		}
		m.Content = append(m.Content, q.word(at, colon))
		var value *yaml.Node
		if q.s[colon+1] == ' ' {
			value = q.value(colon+2, column)
		} else {
			q.next(colon + 1)
			value = q.block(column, depth+1)
		}
		if q.failed {
			return nil
		}
		m.Content = append(m.Content, value)
		indent := q.indent()
		if q.failed || indent < column {
			return m
		}
		if indent > column || q.dashAt(indent) {
			return q.fail()
		}
		at = q.at + column
	}
	return q.fail()
}

// block reads the mapping or sequence below a key at a column.
func (q *quick) block(column, depth int) *yaml.Node {
	indent := q.indent()
	switch {
	case q.failed || indent < column:
		return q.fail()
	case q.dashAt(indent):
		return q.sequence(indent, depth)
	case indent > column:
		return q.mapping(q.at+indent, depth)
	}
	return q.fail()
}

// sequence reads a block sequence whose dashes are at a column.
func (q *quick) sequence(column, depth int) *yaml.Node {
	seq := q.node(yaml.SequenceNode, 0, seqTag, "", q.at+column)
	for depth <= quickDepth {
		at := q.at + column + 2
		var value *yaml.Node
		if q.keyEnd(at) >= 0 {
			value = q.mapping(at, depth+1)
		} else {
			value = q.value(at, column)
		}
		if q.failed {
			return nil
		}
		seq.Content = append(seq.Content, value)
		indent := q.indent()
		switch {
		case q.failed || indent < column:
			return seq
		case indent > column:
			return q.fail()
		case !q.dashAt(column):
			return seq // a key beside the sequence, if the mapping around it is there
		}
	}
	return q.fail()
}

// value reads what stands at an offset behind a key or dash, up to the end of the line, and a literal block below it.
// parent is the column of the key or dash.
func (q *quick) value(at, parent int) *yaml.Node {
	var n *yaml.Node
	var end int
	switch q.s[at] {
	case '"', '\'':
		n, end = q.quoted(at)
	case '[', '{':
		n, end = q.flow(at)
	case '|':
		return q.literal(at, parent)
	default:
		if end = q.wordEnd(at); end > at {
			n = q.word(at, end)
		}
	}
	if n == nil {
		return q.fail()
	}
	q.next(end)
	return n
}

// word makes a plain scalar.
func (q *quick) word(at, end int) *yaml.Node {
	n := q.node(yaml.ScalarNode, 0, "", q.s[at:end], at)
	n.Tag = n.ShortTag()
	return n
}

// quoted reads a text in quotes that holds neither its own quote nor an escape.
func (q *quick) quoted(at int) (n *yaml.Node, end int) {
	style := yaml.DoubleQuotedStyle
	if q.s[at] == '\'' {
		style = yaml.SingleQuotedStyle
	}
	for i := at + 1; q.s[i] != '\n'; i++ {
		if q.s[i] == '\\' {
			return nil, 0
		}
		if q.s[i] == q.s[at] {
			return q.node(yaml.ScalarNode, style, strTag, q.s[at+1:i], at), i + 1
		}
	}
	return nil, 0
}

// flow reads an empty mapping, or a sequence of words and quoted texts on one line.
func (q *quick) flow(at int) (n *yaml.Node, end int) {
	if strings.HasPrefix(q.s[at:], "{}") {
		return q.node(yaml.MappingNode, yaml.FlowStyle, mapTag, "", at), at + 2
	}
	if q.s[at] == '{' {
		return nil, 0
	}
	n = q.node(yaml.SequenceNode, yaml.FlowStyle, seqTag, "", at)
	if at++; q.s[at] == ']' {
		return n, at + 1
	}
	for {
		var value *yaml.Node
		if c := q.s[at]; c == '"' || c == '\'' {
			value, end = q.quoted(at)
		} else {
			for end = at; isKey(q.s[end]); end++ {
			}
			if end > at && isWordStart(q.s[at]) {
				value = q.word(at, end)
			}
		}
		if value == nil {
			return nil, 0
		}
		n.Content = append(n.Content, value)
		switch {
		case q.s[end] == ']':
			return n, end + 1
		case q.s[end] == ',' && q.s[end+1] == ' ':
			at = end + 2
		default:
			return nil, 0
		}
	}
}

// literal reads a literal block, "|" or "|-", without lines of blanks.
func (q *quick) literal(at, parent int) *yaml.Node {
	n := q.node(yaml.ScalarNode, yaml.LiteralStyle, strTag, "", at)
	at++
	strip := q.s[at] == '-'
	if strip {
		at++
	}
	if q.next(at); q.failed {
		return nil
	}
	indent := q.indent()
	if q.failed || indent <= parent {
		return q.fail()
	}
	var b strings.Builder
	empty := 0 // lines passed that belong to the text only if more of it follows
	for q.at < len(q.s) {
		end := q.at + strings.IndexByte(q.s[q.at:], '\n')
		if end == q.at {
			empty++
			q.next(end)
			continue
		}
		blanks := 0
		for q.s[q.at+blanks] == ' ' {
			blanks++
		}
		if q.at+blanks == end {
			return q.fail()
		}
		if blanks < indent {
			break
		}
		for range empty {
			b.WriteByte('\n')
		}
		empty = 0
		b.WriteString(q.s[q.at+indent : end+1])
		q.next(end)
	}
	n.Value = b.String()
	if strip {
		n.Value = strings.TrimSuffix(n.Value, "\n")
	}
	return n
}

// wordEnd is the end of a plain scalar that fills the line from an offset on, at itself where there is none.
func (q *quick) wordEnd(at int) int {
	first := q.s[at]
	if first == '-' { // a number, a flag
		first = q.s[at+1]
		if first == '-' {
			first = q.s[at+2]
		}
	}
	if !isWordStart(first) {
		return at
	}
	for i := at; ; i++ {
		switch c := q.s[i]; {
		case c == '\n':
			return i
		case isWord(c):
		case c == ':' && isWord(q.s[i+1]):
		case c == ' ' && isWord(q.s[i+1]):
		default:
			return at
		}
	}
}

func isWordStart(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '/' || c == '.'
}

// isKey says whether a character may be in a key or in a word of a flow sequence.
func isKey(c byte) bool { return isWordStart(c) || c == '-' }

// isWord says whether a character may be in a plain scalar whatever is beside it.
func isWord(c byte) bool { return isKey(c) || strings.IndexByte("+=@,()$;<>*&!%~^", c) >= 0 }
