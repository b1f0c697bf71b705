package krm

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// form says how an item's own text is laid out.
type form uint8

const (
	noText   form = iota // there is none: the item is encoded from its node
	listText             // an entry of a block sequence, with its dash
	docText              // a document without markers
)

// asListText returns a document's lines as an entry of a block sequence whose dash stands at column dash. ok is false
// where the document is not one block mapping that starts at the first column of a line.
func asListText(raw []byte, node *yaml.Node, dash int) (out []byte, ok bool) {
	if node.Style&yaml.FlowStyle != 0 || node.Column != 1 || node.Style&yaml.TaggedStyle != 0 {
		return nil, false
	}
	out = make([]byte, 0, len(raw)+len(raw)/16+16)
	n, dashDone := 0, false
	for len(raw) > 0 {
		n++
		end := bytes.IndexByte(raw, '\n') + 1
		if end == 0 {
			end = len(raw)
		}
		l := raw[:end]
		raw = raw[end:]
		switch {
		case !dashDone && n == node.Line:
			out = append(pad(out, dash), '-', ' ')
			dashDone = true
		case !dashDone:
			out = pad(out, dash)
		case len(bytes.TrimRight(l, "\r\n")) > 0:
			out = pad(out, dash+2)
		}
		out = append(out, l...)
	}
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	return out, dashDone
}

// asDocText returns an entry of a block sequence as a document. ok is false where a line is indented less than the
// entry itself, as the parser lets quoted text be.
func asDocText(raw []byte, node *yaml.Node, dash int) (out []byte, ok bool) {
	indent := node.Column - 1
	out = make([]byte, 0, len(raw))
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, '\n') + 1
		if end == 0 {
			end = len(raw)
		}
		l := raw[:end]
		raw = raw[end:]
		t := bytes.TrimLeft(l, " ")
		switch lead := len(l) - len(t); {
		case !ok && len(t) > 0 && t[0] == '-' && lead == dash:
			if len(l) < indent {
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
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	return out, ok
}

func pad(b []byte, n int) []byte {
	for range n {
		b = append(b, ' ')
	}
	return b
}
