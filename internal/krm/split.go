package krm

import (
	"bytes"
	"errors"

	"go.yaml.in/yaml/v3"
)

// A ResourceList in block style is divided into its items by looking at the start of each line, and each item is
// parsed alone. That bounds what the parser can build at one time, lets an item that is the same text as before be
// taken as read, and keeps the text of each item.
//
// # Why this is safe
//
// The division is a guess about YAML made without a parser, so it may not decide anything. It stands only if every
// piece is, to the parser, a sequence of exactly one element and the rest is a mapping whose items key has no value
// at the very line where the pieces were taken out; a quote or bracket left open across a piece's end makes the
// parser refuse that piece. Where any of this fails, the document is parsed whole and the division is forgotten.
// And in either case krmsafe emits what it parsed, piece by piece: what was judged is what leaves.

// pieces is a ResourceList divided into its items and the rest.
type pieces struct {
	frame     []byte // the document without the lines of its items
	itemsLine int    // line of "items:" in frame, from 1
	dash      int    // column of the items' dashes, from 0
	entries   []entry
}

// entry is the text of one item, with its dash and the comments above it.
type entry struct {
	text []byte
	line int // of its first line in the document, from 1
}

// split divides a document. ok is false where it is not plainly a block-style ResourceList.
func split(data []byte, limits Limits) (p pieces, ok bool) {
	s := splitter{data: data, dash: -1}
	if !s.findItems() || !s.takeEntries(limits.Items) {
		return pieces{}, false
	}
	p = pieces{itemsLine: s.itemsLine, dash: s.dash, entries: s.entries}
	p.frame = append(append(make([]byte, 0, s.begin+len(data)-s.at), data[:s.begin]...), data[s.at:]...)
	return p, true
}

type splitter struct {
	data      []byte
	at, line  int // offset and number, from 1, of the line looked at
	begin     int // offset of the line behind "items:"
	itemsLine int
	dash      int
	entries   []entry
}

// next is the line at s.at with its end.
func (s *splitter) next() []byte {
	if end := bytes.IndexByte(s.data[s.at:], '\n'); end >= 0 {
		return s.data[s.at : s.at+end+1]
	}
	return s.data[s.at:]
}

// findItems moves behind the line "items:" at the first column.
func (s *splitter) findItems() bool {
	for s.line = 1; s.at < len(s.data); s.line++ {
		l := s.next()
		s.at += len(l)
		if l[0] == '%' || l[0] == '{' {
			return false
		}
		if rest, ok := bytes.CutPrefix(l, []byte("items:")); ok {
			rest = bytes.TrimRight(rest, " \r\n")
			s.begin, s.itemsLine = s.at, s.line
			s.line++
			return len(rest) == 0
		}
	}
	return false
}

// takeEntries reads the items, up to the line that does not belong to them.
func (s *splitter) takeEntries(limit int) bool {
	start, startLine := s.at, s.line // of the entry being read, with the comments above its dash
	comment, commentLine := -1, 0    // start of the comments that may belong to the next entry
	open := false                    // an entry is being read
	for ; s.at < len(s.data); s.line++ {
		l := s.next()
		t := bytes.TrimLeft(l, " ")
		indent := len(l) - len(t)
		var first byte
		if len(t) > 0 {
			first = t[0]
		}
		switch {
		case first == '\t':
			return false
		case first == 0 || first == '\n' || first == '\r' && len(t) <= 2:
			comment = -1
		case first == '#' && (s.dash < 0 || indent <= s.dash):
			if comment < 0 {
				comment, commentLine = s.at, s.line
			}
		case s.dash >= 0 && indent > s.dash:
			comment = -1
		case first == '-' && len(t) > 1 && t[1] == ' ' && (s.dash < 0 || indent == s.dash):
			s.dash = indent
			if open {
				at, line := s.at, s.line
				if comment >= 0 {
					at, line = comment, commentLine
				}
				s.cut(start, at, startLine, limit)
				start, startLine = at, line
			}
			open, comment = true, -1
		default:
			// The next field, a document marker, or something else that the parser will speak of.
			if indent != 0 || !open {
				return false
			}
			if comment >= 0 {
				s.at, s.line = comment, commentLine
			}
			s.cut(start, s.at, startLine, limit)
			return true
		}
		s.at += len(l)
	}
	if open {
		s.cut(start, s.at, startLine, limit)
	}
	return open
}

// cut adds an entry. One entry above the limit is enough to refuse the list; more are not kept.
func (s *splitter) cut(from, to, line, limit int) {
	if len(s.entries) <= limit {
		s.entries = append(s.entries, entry{text: s.data[from:to:to], line: line})
	}
}

// errWhole says that a document has to be parsed whole.
var errWhole = errors.New("parse the document whole")

// decodeFrame parses the document without its items.
func (p *pieces) decodeFrame() (*yaml.Node, error) {
	root, err := decodeOne(p.frame)
	if err != nil || empty(root) || root.Kind != yaml.MappingNode || root.Style&yaml.FlowStyle != 0 {
		return nil, errWhole
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		k, v := root.Content[i], root.Content[i+1]
		if k.Value == "items" && k.Kind == yaml.ScalarNode && k.Line == p.itemsLine && k.Column == 1 {
			if v.Kind != yaml.ScalarNode || v.Tag != nullTag || v.Value != "" || v.Anchor != "" {
				return nil, errWhole
			}
			v.Kind, v.Tag, v.Line, v.Column = yaml.SequenceNode, seqTag, k.Line, k.Column
			return root, nil
		}
	}
	return nil, errWhole
}

// decodeEntry parses one item. Lines of its nodes count in its own text.
func decodeEntry(e entry) (*yaml.Node, error) {
	if n := quickEntry(e.text); n != nil {
		return n, nil
	}
	seq, err := decodeOne(e.text)
	if err != nil {
		return nil, err
	}
	if empty(seq) || seq.Kind != yaml.SequenceNode || len(seq.Content) != 1 ||
		seq.Style&yaml.FlowStyle != 0 || seq.Tag != seqTag || seq.Anchor != "" {
		return nil, errWhole
	}
	n := seq.Content[0]
	if n.HeadComment == "" {
		n.HeadComment = seq.HeadComment
	}
	if n.FootComment == "" {
		n.FootComment = seq.FootComment
	}
	return n, nil
}
