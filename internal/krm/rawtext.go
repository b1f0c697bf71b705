package krm

import (
	"bytes"
)

// form says how an item's own text is laid out.
type form uint8

const (
	noText   form = iota // there is none: the item is encoded from its node
	listText             // an entry of a block sequence, with its dash
	docText              // a document without markers
)

// asListText returns a document's lines as an entry of a block sequence whose dash stands at column dash. start is the
// line of raw, from 1, at which the document's mapping begins, at the first column. ok is false where start is 0.
func asListText(raw []byte, start, dash int) (out []byte, ok bool) {
	if start == 0 {
		return nil, false
	}
	out = make([]byte, 0, len(raw)+len(raw)/8+16)
	for n := 1; len(raw) > 0; n++ {
		l := firstLine(raw)
		raw = raw[len(l):]
		switch {
		case n == start:
			out = append(pad(out, dash), '-', ' ')
		case n < start:
			out = pad(out, dash)
		case len(bytes.TrimRight(l, "\r\n")) > 0:
			out = pad(out, dash+2)
		}
		out = append(out, l...)
	}
	return endLine(out), true
}

// asDocText returns an entry of a block sequence as a document. The entry's dash stands at column dash and its mapping
// at column indent. ok is false where a line is indented less than the mapping, as the parser lets quoted text be, and where one
// would, at the first column, divide the document: a document marker, or what some tools take for one.
func asDocText(raw []byte, dash, indent int) (out []byte, ok bool) {
	out = make([]byte, 0, len(raw))
	for len(raw) > 0 {
		l := firstLine(raw)
		raw = raw[len(l):]
		t := bytes.TrimLeft(l, " ")
		switch lead := len(l) - len(t); {
		case lead >= indent && (isMarker(l[indent:]) || isHalfMarker(l[indent:])):
			return nil, false
		case !ok && len(t) > 0 && t[0] == '-' && lead == dash:
			if len(l) < indent || len(bytes.TrimLeft(l[dash+1:indent], " ")) > 0 {
				return nil, false // the mapping begins on a later line, or something stands before it
			}
			if isHalfMarker(l[indent:]) {
				return nil, false
			}
			out, ok = append(out, l[indent:]...), true
		case len(bytes.TrimRight(t, "\r\n")) == 0:
			out = append(out, l[min(lead, indent):]...)
		case !ok:
			out = append(out, t...)
		case lead < indent:
			return nil, false
		default:
			out = append(out, l[indent:]...)
		}
	}
	return endLine(out), ok
}

// firstLine is the first line of a text, with its end.
func firstLine(text []byte) []byte {
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		return text[:end+1]
	}
	return text
}

func pad(b []byte, n int) []byte {
	for range n {
		b = append(b, ' ')
	}
	return b
}
