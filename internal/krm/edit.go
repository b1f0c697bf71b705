package krm

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Text is a YAML file that is edited where it stands: comments, blank lines, quotes, indentation, line ends, byte order
// mark and document markers outside of what is edited stay byte for byte. Edits are asked for through Places and carried
// out by Bytes, which parses what it wrote and demands the same documents but for the edits. A Text is not safe for
// concurrent use.
type Text struct {
	data []byte
	head int // bytes of the byte order mark
	docs []*editDoc
	log  *editLog
}

// editDoc is one document of a Text.
type editDoc struct {
	start  int // of src in the file
	line   int // of its first line in the file, from 1
	src    string
	root   *yaml.Node // nil where err is set or the document is empty
	err    error
	lines  []int // offset of each line's first byte
	edits  []edit
	taken  map[*yaml.Node]bool // nodes that were edited
	inner  []*innerText
	texts  map[*yaml.Node]*Text // of inner, by the string that holds it
	flow   map[*yaml.Node]bool  // nodes inside flow collections; nil until it is asked for
	fixed  error                // why the strings that hold it cannot be written
	looked bool                 // fixed is known
	limits Limits
	flat   bool   // all of it counts as one line of the file
	outer  *Place // the string that holds it, nil in the file itself
	log    *editLog
}

// editLog takes edits back.
type editLog struct{ undo []func() }

func (l *editLog) add(undo func()) { l.undo = append(l.undo, undo) }

// edit replaces the bytes from start to end of a document.
type edit struct {
	start, end int
	with       string
}

// innerText is YAML in a scalar of a document.
type innerText struct {
	at   Place
	text *Text
}

// EditError says that an edit was not made: the text is laid out in a way that is not edited in place, or what is asked
// for cannot be written there.
type EditError struct {
	Line    int    // in the document, from 1; 0 where none can be named
	Message string // lower case; foreign text in it is quoted
}

func (e *EditError) Error() string { return position("", e.Line, 0) + e.Message }

func editErrorf(n *yaml.Node, format string, args ...any) error {
	e := &EditError{Message: fmt.Sprintf(format, args...)}
	if n != nil {
		e.Line = n.Line
	}
	return e
}

// OpenText reads a file of YAML documents for editing. It does not fail where a document cannot be read: that one has no
// Root, its Err says why, and it is never edited. data must not be changed while the Text is in use.
func OpenText(data []byte, limits Limits) *Text {
	t := &Text{data: data, log: &editLog{}}
	body, err := text(data, limits.Bytes)
	t.head = len(data) - len(body)
	if err == nil && t.head != 0 && (t.head != len(byteOrderMark) || !strings.HasPrefix(string(data[:t.head]), string(byteOrderMark))) {
		err = problemf("syntax", 1, 0, "it is JSON with escapes that YAML does not have")
	}
	var docs []document
	if err == nil {
		docs, err = splitDocuments(body)
	}
	if err != nil {
		t.docs = []*editDoc{{src: string(data), line: 1, err: asInput("", err), log: t.log}}
		t.head = 0
		return t
	}
	for _, d := range docs {
		doc := &editDoc{start: t.head + d.start, line: d.line, src: string(d.text), taken: map[*yaml.Node]bool{}, limits: limits, log: t.log}
		doc.root, err = readForEdit(d.text, limits)
		if p, ok := err.(*problem); ok && p.line > 0 { //nolint:errorlint // a problem is never wrapped
			p.line += d.line - 1
		}
		doc.err = asInput("", err)
		doc.lines = yamlLines(doc.src)
		t.docs = append(t.docs, doc)
	}
	return t
}

// readForEdit parses a document and holds it to the gate, but leaves its aliases and anchors as they stand.
func readForEdit(text []byte, limits Limits) (*yaml.Node, error) {
	if err := estimate(text, limits.Nodes); err != nil {
		return nil, err
	}
	root, err := decodeOne(text)
	if err != nil || empty(root) {
		return nil, err
	}
	judged, err := expandAliases(root, limits.Nodes)
	if err != nil {
		return nil, err
	}
	if err := (&gate{limits: limits, expand: true}).pass(judged); err != nil {
		return nil, err
	}
	return root, nil
}

// Try makes edits in this text, or in one inside it. Where make fails all that it edited is taken back, and Try returns
// its error.
func (t *Text) Try(make func() error) error {
	mark := len(t.log.undo)
	err := make()
	if err != nil {
		for i := len(t.log.undo) - 1; i >= mark; i-- {
			t.log.undo[i]()
		}
		t.log.undo = t.log.undo[:mark]
	}
	return err
}

// Documents are the documents of the file that are not empty, in their order.
func (t *Text) Documents() []*TextDocument {
	docs := make([]*TextDocument, 0, len(t.docs))
	for i, d := range t.docs {
		docs = append(docs, &TextDocument{Index: i, Line: d.line, Source: d.src, Err: d.err, Root: Place{doc: d, node: d.root}})
	}
	return docs
}

// TextDocument is one document of a Text.
type TextDocument struct {
	Index  int    // among those of the file that are not empty, from 0
	Line   int    // of its first line, from 1
	Source string // its text, without markers
	Err    error  // a *SyntaxError where it cannot be read; its Line counts in the file
	Root   Place  // the zero Place where there is an Err, or where it holds comments alone
}

// Place is a value in a Text. The zero Place is no value; every method of it answers that there is nothing.
type Place struct {
	doc  *editDoc
	node *yaml.Node
	key  *yaml.Node // the key it stands under, nil for an element and a root
	in   *yaml.Node // the mapping or sequence that holds it, nil for a root
}

// Exists says whether there is a value.
func (p Place) Exists() bool { return p.node != nil }

// Key is the key that the value stands under, "" where it is no value of a mapping.
func (p Place) Key() string {
	if p.key == nil {
		return ""
	}
	return p.key.Value
}

// Field is the value under a key.
func (p Place) Field(key string) Place {
	for _, f := range p.Fields() {
		if f.key.Value == key {
			return f
		}
	}
	return Place{}
}

// At follows keys from one mapping into the next.
func (p Place) At(keys ...string) Place {
	for _, k := range keys {
		p = p.Field(k)
	}
	return p
}

// Fields are the values of a mapping, in their order. An alias is not followed: what it names stands elsewhere.
func (p Place) Fields() []Place {
	if p.node == nil || p.node.Kind != yaml.MappingNode {
		return nil
	}
	fields := make([]Place, 0, len(p.node.Content)/2)
	for i := 0; i+1 < len(p.node.Content); i += 2 {
		fields = append(fields, Place{doc: p.doc, node: p.node.Content[i+1], key: p.node.Content[i], in: p.node})
	}
	return fields
}

// Elements are the values of a sequence, in their order.
func (p Place) Elements() []Place {
	if p.node == nil || p.node.Kind != yaml.SequenceNode {
		return nil
	}
	elements := make([]Place, 0, len(p.node.Content))
	for _, c := range p.node.Content {
		elements = append(elements, Place{doc: p.doc, node: c, in: p.node})
	}
	return elements
}

// Text is the value where it is a string.
func (p Place) Text() (string, bool) {
	if p.node == nil || p.node.Kind != yaml.ScalarNode || p.node.ShortTag() != strTag {
		return "", false
	}
	return p.node.Value, true
}

// Empty says whether there is nothing: no value, null, false, or a collection without elements.
func (p Place) Empty() bool {
	switch {
	case p.node == nil:
		return true
	case p.node.Kind == yaml.ScalarNode:
		tag := p.node.ShortTag()
		return tag == nullTag || tag == "!!bool" && strings.EqualFold(p.node.Value, "false")
	case p.node.Kind == yaml.AliasNode:
		return false
	}
	return len(p.node.Content) == 0
}

// IsMapping says whether the value is a mapping.
func (p Place) IsMapping() bool { return p.node != nil && p.node.Kind == yaml.MappingNode }

// IsAlias says whether the value is an alias, or a mapping that merges others into itself.
func (p Place) IsAlias() bool {
	if p.node == nil {
		return false
	}
	if p.node.Kind == yaml.AliasNode {
		return true
	}
	for i := 0; p.node.Kind == yaml.MappingNode && i+1 < len(p.node.Content); i += 2 {
		if isMerge(p.node.Content[i]) {
			return true
		}
	}
	return false
}

// Line is the line in the file on which the value begins, or its key where it has one; from 1, 0 for the zero Place.
func (p Place) Line() int {
	switch {
	case p.node == nil:
		return 0
	case p.doc.flat:
		return p.doc.line
	case p.key != nil:
		return p.doc.line + p.key.Line - 1
	}
	return p.doc.line + p.node.Line - 1
}

// Inner reads the YAML that a string holds, for editing: what is edited in it is edited in the file. Lines of its places
// count in the file where the string is a block of lines, and are the string's own line elsewhere.
func (p Place) Inner() (*Text, error) {
	s, ok := p.Text()
	if !ok {
		return nil, editErrorf(p.node, "it is not text")
	}
	if t := p.doc.texts[p.node]; t != nil {
		return t, nil
	}
	t := OpenText([]byte(s), p.doc.limits)
	t.log = p.doc.log
	for _, d := range t.docs {
		d.outer, d.log = &p, p.doc.log
		if p.node.Style&yaml.LiteralStyle != 0 {
			d.line += p.doc.line + p.node.Line - 1
		} else {
			d.line = p.doc.line + p.node.Line - 1
			d.flat = true
		}
	}
	if p.doc.texts == nil {
		p.doc.texts = map[*yaml.Node]*Text{}
	}
	p.doc.texts[p.node] = t
	p.doc.inner = append(p.doc.inner, &innerText{at: p, text: t})
	return t, nil
}
