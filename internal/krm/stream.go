package krm

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// ReadStream reads what an operator pipes in: one ResourceList, or plain manifests divided by "---". A List of resources,
// of any kind whose name ends in List, is replaced by its items among manifests, and any other object with a field items
// is refused; documents that are empty are passed over, and one that is not a Kubernetes object is an error.
// ResourceList.Plain tells the two apart. The error is a *SyntaxError.
func ReadStream(data []byte, limits Limits) (*ResourceList, error) {
	g := &gate{limits: limits, expand: true}
	rl, err := readStream(data, g)
	if err != nil {
		return nil, asInput("", err)
	}
	return rl, nil
}

func readStream(data []byte, g *gate) (*ResourceList, error) {
	body, err := text(data, g.limits.Bytes)
	if err != nil {
		return nil, err
	}
	docs, err := splitDocuments(body)
	if err != nil {
		return nil, err
	}
	if len(docs) == 1 && looksWrapped(docs[0].text) {
		rl, err := parseList(body, g, parseEntry)
		if err == nil {
			err = rl.agree()
		}
		return rl, err
	}
	rl := &ResourceList{APIVersion: "config.kubernetes.io/v1", Plain: true}
	return rl, readDocuments(rl, "", docs, g)
}

// readDocuments adds the resources of one file, or of a stream, to a list.
func readDocuments(rl *ResourceList, path string, docs []document, g *gate) error {
	for i, d := range docs {
		if err := readDocument(rl, path, i, d, g); err != nil {
			if p, ok := err.(*problem); ok && p.line > 0 { //nolint:errorlint // a problem is never wrapped
				p.line += d.line - 1
			}
			return err
		}
	}
	return nil
}

func readDocument(rl *ResourceList, path string, index int, d document, g *gate) error {
	if err := estimate(d.text, g.limits.Nodes-g.nodes); err != nil {
		return err
	}
	root, err := decodeOne(d.text)
	if err != nil {
		return err
	}
	if empty(root) {
		return nil
	}
	aliased := hasAlias(root)
	if aliased {
		if root, err = expandAliases(root, g.limits.Nodes-g.nodes); err != nil {
			return err
		}
	}
	if root.Kind != yaml.MappingNode {
		return skip(rl, path, index, root, "not a mapping")
	}
	id, ok := identify(root)
	if !ok {
		return skip(rl, path, index, root, "no apiVersion or no kind")
	}
	g.anchor = false
	if err := g.pass(root); err != nil {
		return err
	}
	if isListKind(id) || endsInList(id) && isSequence(field(root, "items")) {
		return unwrap(rl, path, index, root, g.limits)
	}
	it, err := newItem(root)
	if err != nil {
		return err
	}
	it.Path, it.Index = path, index
	if !aliased && !g.anchor && d.plain {
		it.keep(d.text, docText)
	}
	return add(rl, it, g.limits)
}

// skip passes over a document of a directory, where values and other settings lie beside resources. In a stream nothing
// is passed over: what was piped in is meant, and would be missing from what goes out.
func skip(rl *ResourceList, path string, index int, root *yaml.Node, reason string) error {
	if path == "" {
		return problemf("object", root.Line, root.Column, "document %d is not a Kubernetes object: %s", index+1, reason).
			withHint("pass resources alone")
	}
	rl.Skipped = append(rl.Skipped, Skipped{Path: path, Index: index, Reason: reason})
	return nil
}

func add(rl *ResourceList, it *Item, limits Limits) error {
	if len(rl.Items) >= limits.Items {
		return limitProblem("items", "resources", int64(limits.Items), 0, 0)
	}
	rl.Items = append(rl.Items, it)
	return nil
}

// document is one document of a stream, without its markers.
type document struct {
	text  []byte
	start int  // offset of text in the stream
	line  int  // of its first line in the stream, from 1
	plain bool // nothing stood on its marker's line, so that text is all of it
}

// splitDocuments divides a stream at its document markers. A line that begins with "---" or "..." and goes on with a
// space or ends there is a marker wherever it stands, inside quoted text too (YAML 1.2, section 9.1.2). Documents
// that hold only blank lines are left out. A line that begins with "---" and goes on with something else is refused: to
// YAML it is none, and yet some tools divide there, so that they would find other resources than those that were judged.
func splitDocuments(data []byte) ([]document, error) {
	var docs []document
	start, startLine, plain := 0, 1, true
	flush := func(end int) {
		if d := data[start:end]; len(bytes.TrimSpace(d)) > 0 {
			docs = append(docs, document{text: d, start: start, line: startLine, plain: plain})
		}
	}
	for at, line := 0, 1; at < len(data); line++ {
		end := bytes.IndexByte(data[at:], '\n') + 1 + at
		if end == at {
			end = len(data)
		}
		l := data[at:end]
		switch {
		case isMarker(l):
			flush(at)
			rest := bytes.TrimSpace(l[3:])
			if plain = len(rest) == 0; plain || rest[0] == '#' {
				start, startLine, plain = end, line+1, true
			} else {
				start, startLine = at, line
			}
		case isHalfMarker(l):
			return nil, problemf("marker", line, 1, "a line begins with %q and is no document marker: some tools divide documents there, and others do not", "---").
				withHint("write the key or text in quotes, or indent it")
		}
		at = end
	}
	flush(len(data))
	return docs, nil
}

func isMarker(l []byte) bool {
	if len(l) < 3 || string(l[:3]) != "---" && string(l[:3]) != "..." {
		return false
	}
	return len(l) == 3 || l[3] == ' ' || l[3] == '\t' || l[3] == '\n' || l[3] == '\r'
}

// isHalfMarker says whether a line begins as a document marker and is none.
func isHalfMarker(l []byte) bool { return bytes.HasPrefix(l, []byte("---")) && !isMarker(l) }

// halved says whether a line of text is half a marker.
func halved(text []byte) bool {
	for l := range bytes.Lines(text) {
		if isHalfMarker(l) {
			return true
		}
	}
	return false
}

// looksWrapped says whether a document is, at first sight, a ResourceList: it has a line at the first column that
// says so, or it is written in flow style. The parser has the last word.
func looksWrapped(doc []byte) bool {
	t := bytes.TrimSpace(doc)
	if len(t) > 0 && t[0] == '{' {
		return bytes.Contains(doc, []byte("ResourceList"))
	}
	for len(doc) > 0 {
		l, rest, _ := bytes.Cut(doc, []byte("\n"))
		doc = rest
		if v, ok := bytes.CutPrefix(l, []byte("kind:")); ok {
			return bytes.Contains(v, []byte("ResourceList"))
		}
	}
	return false
}
