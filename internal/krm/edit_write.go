package krm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/krmsafe/krmsafe/internal/lazy"
)

// SetText gives a string another value in the style in which it is written: a block of lines stays one, quotes stay the
// quotes they are where the value fits between them. Line breaks at the end stay as they were. A value is set at most
// once. The error is an *EditError, and then nothing was edited.
func (p Place) SetText(value string) error {
	old, ok := p.Text()
	if !ok {
		return editErrorf(p.node, "it is not text")
	}
	d, n := p.doc, p.node
	if d.taken[n] {
		return editErrorf(n, "it was edited already")
	}
	start, end, err := d.span(n)
	if err == nil {
		err = d.editable()
	}
	if err != nil {
		return err
	}
	core := strings.TrimRight(value, "\n")
	value = core + old[len(strings.TrimRight(old, "\n")):]
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		b, _ := d.block(n)
		d.replace(start, start+1, "|")
		first := d.lines[b.first]
		d.replace(first, end, indentAll(core, b.indent, d.eol()))
	case n.Style&yaml.DoubleQuotedStyle != 0:
		d.replace(start, end, doubleQuoted(value))
	case n.Style&yaml.SingleQuotedStyle != 0 && onOneLine(value):
		d.replace(start, end, singleQuoted(value))
	case n.Style == 0 && plainEnough(value):
		d.replace(start, end, value)
	case n.Style == 0 && strings.Contains(core, "\n") && p.blockColumn() > 0:
		// A block needs its lines below all that stands on the value's own line.
		d.replace(start, end, "|-")
		eol := d.lineEnd(end)
		d.replace(eol, eol, d.eol()+indentAll(core, p.blockColumn()+1, d.eol()))
		value = core
	case n.Style == 0 && onOneLine(value):
		d.replace(start, end, singleQuoted(value))
	default:
		d.replace(start, end, doubleQuoted(value))
	}
	d.take(n, value)
	return nil
}

// take notes that a node has another value.
func (d *editDoc) take(n *yaml.Node, value string) {
	old := n.Value
	d.log.add(func() {
		delete(d.taken, n)
		n.Value = old
	})
	d.taken[n] = true
	n.Value = value
}

// editable says whether the strings that hold a document can be written.
func (d *editDoc) editable() error {
	if d.looked || d.outer == nil {
		return d.fixed
	}
	d.looked = true
	_, _, d.fixed = d.outer.doc.span(d.outer.node)
	if d.fixed == nil {
		d.fixed = d.outer.doc.editable()
	}
	return d.fixed
}

// setContent gives a collection other children.
func (d *editDoc) setContent(n *yaml.Node, content []*yaml.Node) {
	old := n.Content
	d.log.add(func() { n.Content = old })
	n.Content = content
}

// blockColumn is the column, from 1, of the key of a value in a mapping of block style, and 0 elsewhere.
func (p Place) blockColumn() int {
	if p.in == nil || p.key == nil || p.in.Style&yaml.FlowStyle != 0 || p.doc.inFlow(p.in) {
		return 0
	}
	return p.key.Column
}

// inFlow says whether a node stands inside a flow collection.
func (d *editDoc) inFlow(n *yaml.Node) bool {
	if d.flow == nil {
		d.flow = map[*yaml.Node]bool{}
		var walk func(at *yaml.Node, flow bool)
		walk = func(at *yaml.Node, flow bool) {
			if flow {
				d.flow[at] = true
			}
			for _, c := range at.Content {
				walk(c, flow || at.Style&yaml.FlowStyle != 0)
			}
		}
		walk(d.root, false)
	}
	return d.flow[n]
}

// Rename gives the key of a value another name. The error is an *EditError.
func (p Place) Rename(key string) error {
	if p.key == nil || p.doc.taken[p.key] {
		return editErrorf(p.node, "there is no key, or it was edited already")
	}
	for i := 0; i+1 < len(p.in.Content); i += 2 {
		if p.in.Content[i].Value == key {
			return editErrorf(p.key, "the key %q is there already", key)
		}
	}
	start, end, err := p.doc.span(p.key)
	if err != nil {
		return err
	}
	with := key
	switch {
	case p.key.Style&yaml.DoubleQuotedStyle != 0:
		with = doubleQuoted(key)
	case p.key.Style&yaml.SingleQuotedStyle != 0:
		with = singleQuoted(key)
	case !plainEnough(key):
		return editErrorf(p.key, "the key %q needs quotes", short(key))
	}
	if err := p.doc.editable(); err != nil {
		return err
	}
	p.doc.replace(start, end, with)
	p.doc.take(p.key, key)
	return nil
}

// InsertBefore adds a string above this value to the mapping that holds it. Of several keys each but the last is a new
// mapping that holds the next. In block style a text of several lines becomes a block, in flow style it is put in quotes.
// The error is an *EditError.
func (p Place) InsertBefore(value string, keys ...string) error {
	if p.key == nil || len(keys) == 0 {
		return editErrorf(p.node, "nothing can be added here")
	}
	for i := 0; i+1 < len(p.in.Content); i += 2 {
		if p.in.Content[i].Value == keys[0] {
			return editErrorf(p.key, "the key %q is there already", short(keys[0]))
		}
	}
	if p.key.Anchor != "" || p.key.Style&yaml.TaggedStyle != 0 {
		return editErrorf(p.key, "the key has an anchor or a tag")
	}
	at, ok := p.doc.offset(p.key)
	if !ok {
		return editErrorf(p.key, "the key is not found in the text")
	}
	if err := p.doc.editable(); err != nil {
		return err
	}
	column := p.blockColumn()
	added := &yaml.Node{Kind: yaml.ScalarNode, Tag: strTag}
	core := strings.TrimRight(value, "\n")
	var text string
	switch {
	case column > 0 && strings.Contains(core, "\n"):
		value = core + "\n"
		text = "|\n" + indentAll(core, 2, "\n")
	default:
		text = p.quotedLike(value)
	}
	added.Value = value
	for i := len(keys) - 1; i >= 0; i-- {
		switch {
		case i < len(keys)-1 && column > 0:
			text = p.quotedLike(keys[i]) + ":\n" + indentAll(text, 2, "\n")
		case i < len(keys)-1:
			text = p.quotedLike(keys[i]) + ": {" + text + "}"
		default:
			text = p.quotedLike(keys[i]) + ": " + text
		}
		if i > 0 {
			added = pairOf(&yaml.Node{Kind: yaml.ScalarNode, Tag: strTag, Value: keys[i]}, added)
		}
	}
	if column > 0 {
		text = indentAll(text, column-1, p.doc.eol())[column-1:] + p.doc.eol() + strings.Repeat(" ", column-1)
	} else {
		text += ", "
	}
	p.doc.replace(at, at, text)
	i := slices.Index(p.in.Content, p.key)
	p.doc.setContent(p.in, slices.Insert(slices.Clone(p.in.Content), i, &yaml.Node{Kind: yaml.ScalarNode, Tag: strTag, Value: keys[0]}, added))
	return nil
}

// quotedLike quotes a string where it must be, and in flow style beside a key in double quotes always: that may be JSON.
func (p Place) quotedLike(s string) string {
	if !p.InBlock() && p.key.Style&yaml.DoubleQuotedStyle != 0 {
		return doubleQuoted(s)
	}
	return quoted(s)
}

// InBlock says whether the value stands in a mapping of block style.
func (p Place) InBlock() bool { return p.blockColumn() > 0 }

// Remove takes a value and its key out of a mapping of block style, with the lines that they stand on. What remains must
// not be empty. The error is an *EditError.
func (p Place) Remove() error {
	if p.blockColumn() == 0 || len(p.in.Content) < 4 {
		return editErrorf(p.node, "it cannot be taken out in place")
	}
	at, ok := p.doc.offset(p.key)
	end, err := p.doc.endOf(p.node)
	if err == nil {
		err = p.doc.editable()
	}
	if err != nil || !ok {
		return editErrorf(p.key, "it cannot be taken out in place")
	}
	line := p.doc.lines[p.key.Line-1]
	end = p.doc.lineEnd(end)
	if strings.TrimLeft(p.doc.src[line:at], " ") != "" || end >= len(p.doc.src) {
		// The key shares its line with a dash, or nothing follows: what goes is what lies up to its neighbour.
		return p.removeShared(at, end)
	}
	p.doc.replace(line, p.doc.pastBreak(end), "")
	p.forget()
	return nil
}

func (p Place) removeShared(at, end int) error {
	i := slices.Index(p.in.Content, p.key)
	switch {
	case i+2 < len(p.in.Content):
		next, ok := p.doc.offset(p.in.Content[i+2])
		if !ok || next < end {
			return editErrorf(p.key, "it cannot be taken out in place")
		}
		p.doc.replace(at, next, "")
	default: // the last one, at the end of the document
		line := p.doc.lines[p.key.Line-1]
		for line > 0 && (p.doc.src[line-1] == '\n' || p.doc.src[line-1] == '\r') {
			line--
		}
		p.doc.replace(line, end, "")
	}
	p.forget()
	return nil
}

func (p Place) forget() {
	i := slices.Index(p.in.Content, p.key)
	p.doc.setContent(p.in, slices.Delete(slices.Clone(p.in.Content), i, i+2))
}

// endOf is the offset behind a value.
func (d *editDoc) endOf(n *yaml.Node) (int, error) {
	if n.Kind == yaml.ScalarNode {
		if n.Style == 0 && n.Value == "" {
			at, _ := d.offset(n)
			return at, nil
		}
		_, end, err := d.span(n)
		return end, err
	}
	if n.Kind == yaml.AliasNode || n.Style&yaml.FlowStyle != 0 || len(n.Content) == 0 {
		return 0, editErrorf(n, "its end is not found in the text")
	}
	return d.endOf(n.Content[len(n.Content)-1])
}

// pastBreak is the offset behind a line break.
func (d *editDoc) pastBreak(at int) int {
	if strings.HasPrefix(d.src[at:], "\r\n") {
		return at + 2
	}
	return min(at+1, len(d.src))
}

func (d *editDoc) replace(start, end int, with string) {
	n := len(d.edits)
	d.log.add(func() { d.edits = d.edits[:n] })
	d.edits = append(d.edits, edit{start: start, end: end, with: with})
}

// indentAll indents every line of a text that is not blank.
func indentAll(s string, by int, eol string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = strings.Repeat(" ", by) + l
		}
	}
	return strings.Join(lines, eol)
}

// plain is text that is a string without quotes wherever it stands in block or flow style.
var plain = lazy.Regexp(`^[A-Za-z./][A-Za-z0-9._/@+:=-]*( [A-Za-z0-9._/@+:=-]+)*$`)

func plainEnough(s string) bool {
	return plain().MatchString(s) && !strings.Contains(s, ": ") && !strings.HasSuffix(s, ":") && scalarTag(s) == strTag
}

// scalarTag is what the parser takes a plain scalar for.
func scalarTag(s string) string {
	n, err := decodeOne([]byte(s))
	if err != nil || n == nil || n.Kind != yaml.ScalarNode || n.Value != s {
		return ""
	}
	return n.ShortTag()
}

func onOneLine(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// quoted writes a string as a plain scalar where it can be one, and in quotes elsewhere.
func quoted(s string) string {
	switch {
	case plainEnough(s):
		return s
	case onOneLine(s):
		return singleQuoted(s)
	}
	return doubleQuoted(s)
}

func singleQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func doubleQuoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteString(`\U` + strings.Repeat("0", 8-len(strconv.FormatInt(int64(r), 16))) + strconv.FormatInt(int64(r), 16))
		}
	}
	b.WriteByte('"')
	return b.String()
}
