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

// keepText gives each item the lines it was read from, so that an item nobody changed can be written as it was. It
// does so only where every item stands in a block sequence with its dash on its first line; else the items are
// encoded, which keeps comments and order but not the layout.
func keepText(rl *ResourceList, data []byte, root *yaml.Node) {
	items := field(root, "items")
	if items == nil || items.Style&yaml.FlowStyle != 0 || len(items.Content) == 0 {
		return
	}
	ends := lineEnds(data)
	line := func(n int) []byte { // n counts from 1
		start := 0
		if n > 1 {
			start = ends[n-2]
		}
		return data[start:ends[n-1]]
	}
	dash := items.Column - 1
	starts := make([]int, len(items.Content), len(items.Content)+1)
	last := 0
	for i, n := range items.Content {
		if n.Line <= last || n.Line > len(ends) || !dashed(line(n.Line), dash, n.Column-1) {
			return
		}
		starts[i], last = n.Line, n.Line
	}
	stop, itemsLine := len(ends)+1, 0
	for i := 0; i+1 < len(root.Content); i += 2 {
		k := root.Content[i]
		if k.Line > last {
			stop = min(stop, k.Line)
		}
		if k.Value == "items" {
			itemsLine = k.Line
		}
	}
	// A marker ends the document; nothing but comments can follow it here.
	for n := last + 1; n < stop; n++ {
		if l := line(n); bytes.HasPrefix(l, []byte("---")) || bytes.HasPrefix(l, []byte("...")) {
			stop = n
			break
		}
	}
	rl.dash = dash
	starts = append(starts, stop)
	for i, it := range rl.Items {
		from, to := starts[i], starts[i+1]
		// Comments right above a dash, or above the next field, belong to what follows.
		if i > 0 {
			from = above(line, from, starts[i-1], dash)
		} else {
			from = above(line, from, itemsLine, dash)
		}
		if i+1 < len(rl.Items) || stop <= len(ends) {
			to = above(line, to, starts[i], dash)
		}
		begin := 0
		if from > 1 {
			begin = ends[from-2]
		}
		it.raw, it.form = data[begin:ends[to-2]], listText
	}
}

// dashed says whether a line has a dash at column dash, nothing before it, and only spaces between it and column at.
func dashed(l []byte, dash, at int) bool {
	if dash < 0 || at <= dash+1 || at >= len(l) || l[dash] != '-' {
		return false
	}
	for i := range at {
		if i != dash && l[i] != ' ' {
			return false
		}
	}
	return true
}

// above is the first of the comment lines right above line n that are not indented deeper than the dash, n itself
// where there is none. It does not go up to line floor.
func above(line func(int) []byte, n, floor, dash int) int {
	for n-1 > floor {
		l := line(n - 1)
		t := bytes.TrimLeft(l, " ")
		if len(t) == 0 || t[0] != '#' || len(l)-len(t) > dash {
			break
		}
		n--
	}
	return n
}

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
