package krm

import (
	"bytes"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
)

// Parse reads a ResourceList that the operator supplies. It must be one UTF-8 document (a byte order mark is
// dropped) of kind ResourceList and apiVersion config.kubernetes.io/v1, v1beta1 or v1alpha1 with a sequence of
// items, each a mapping with apiVersion and kind, and the two spellings of a bookkeeping annotation may not differ. Anchors, aliases and merge keys are expanded within
// limits.Nodes; see the package documentation for what else the gate demands. The error is a *SyntaxError.
func Parse(data []byte, limits Limits) (*ResourceList, error) {
	rl, err := parseList(data, &gate{limits: limits, expand: true}, parseEntry)
	if err == nil {
		err = rl.agree()
	}
	if err != nil {
		return nil, asInput("", err)
	}
	return rl, nil
}

// ParseOutput reads what a function wrote on its standard output. It demands what Parse demands and more: no anchor,
// alias or merge key. The error is an *OutputError.
func ParseOutput(data []byte, limits Limits) (*ResourceList, error) {
	rl, err := parseList(data, &gate{limits: limits}, parseEntry)
	if err != nil {
		return nil, asOutput(chatter(data, err))
	}
	return rl, nil
}

// chatter adds the usual cause to an error about a document that does not begin like one: a function that writes its
// log to standard output.
func chatter(data []byte, err error) error {
	p, ok := errors.AsType[*problem](err)
	if !ok || p.reason != "syntax" && p.reason != "malformed" && p.reason != "documents" && p.reason != "items_missing" {
		return err
	}
	first := bytes.TrimRight(firstLine(bytes.TrimLeft(bytes.TrimPrefix(data, byteOrderMark), " \r\n")), "\r\n")
	for _, begin := range []string{"apiVersion:", "kind:", "items:", "metadata:", "functionConfig:", "results:", "---", "%", "#", "{", "\""} {
		if bytes.HasPrefix(first, []byte(begin)) || len(first) == 0 {
			return err
		}
	}
	p.hint = "the output begins with " + strconv.Quote(short(string(first))) + ": a function writes only the ResourceList to its standard output, and its log to standard error"
	return p
}

// readEntry reads item i from its text. nodes counts the nodes of the whole list.
type readEntry func(i int, e entry, g gate, nodes *tally) (*Item, error)

// parseList reads one ResourceList through a gate, its items, where they can be told apart, with read.
func parseList(data []byte, g *gate, read readEntry) (*ResourceList, error) {
	body, err := text(data, g.limits.Bytes)
	if err != nil {
		return nil, err
	}
	var inEntry *problem // what the parser said of one item, where that made it doubt the division
	if p, ok := split(body, g.limits); ok {
		var rl *ResourceList
		rl, inEntry, err = parsePieces(&p, *g, read)
		if !errors.Is(err, errWhole) {
			return rl, err
		}
	}
	rl, err := parseWhole(body, g)
	if p, ok := errors.AsType[*problem](err); ok && p.reason == "syntax" && p.column == 0 && inEntry != nil {
		err = inEntry // the same fault, found in less text and so with its column
	}
	return rl, err
}

// parsePieces reads a ResourceList that was divided into its items.
func parsePieces(p *pieces, g gate, read readEntry) (*ResourceList, *problem, error) {
	rl, err := p.parseFrame(&g)
	if err != nil {
		return nil, nil, err
	}
	var nodes tally
	nodes.Store(int64(g.nodes))
	rl.dash = p.dash
	rl.Items = make([]*Item, len(p.entries))
	err = each(len(p.entries), func(i int) error {
		e := p.entries[i]
		it, err := read(i, e, g, &nodes)
		if pr, ok := errors.AsType[*problem](err); ok && pr.line > 0 {
			pr.line += e.line - 1
		}
		rl.Items[i] = it
		return err
	})
	if pr, ok := errors.AsType[*problem](err); ok && (pr.reason == "syntax" || pr.reason == "documents") {
		return nil, pr, errWhole
	}
	if err != nil {
		return nil, nil, err
	}
	for i, it := range rl.Items {
		it.Index = i
	}
	return rl, nil, nil
}

// parseFrame reads what a ResourceList has beside its items.
func (p *pieces) parseFrame(g *gate) (*ResourceList, error) {
	if err := estimate(p.frame, g.limits.Nodes); err != nil {
		return nil, err
	}
	root, err := p.decodeFrame()
	if err != nil {
		return nil, err
	}
	if g.expand && hasAlias(root) {
		return nil, errWhole
	}
	err = g.pass(root)
	if err == nil && len(p.entries) > g.limits.Items {
		err = limitProblem("items", "resources", int64(g.limits.Items), p.itemsLine, 1)
	}
	var rl *ResourceList
	if err == nil {
		rl, err = newList(root, g.limits)
	}
	if pr, ok := errors.AsType[*problem](err); ok && pr.line > p.itemsLine && len(p.entries) > 0 {
		last := p.entries[len(p.entries)-1] // what stands behind the items counts their lines too
		pr.line += last.line - p.itemsLine + bytes.Count(last.text, []byte("\n")) - 1
	}
	return rl, err
}

// parseEntry reads one item and keeps no more of it than its text.
func parseEntry(_ int, e entry, g gate, nodes *tally) (*Item, error) {
	it, verbatim, err := readItem(e, g, nodes)
	if err == nil {
		err = inAgreement(it.node)
	}
	if err == nil && verbatim {
		it.keep(e.text, listText)
	}
	return it, err
}

// tally counts the nodes of one list while its items are read by several goroutines.
type tally struct {
	atomic.Int64
	large sync.Mutex // held while a large item is parsed, so that there is one such tree at a time
}

// largeEntry is the size from which items are parsed one after the other.
const largeEntry = 64 << 10

// readItem reads one item through a gate of its own. verbatim says that its text may stand for it.
func readItem(e entry, g gate, nodes *tally) (it *Item, verbatim bool, err error) {
	g.nodes, g.anchor, g.keys = int(nodes.Load()), false, nil
	before := g.nodes
	if err := estimate(e.text, g.limits.Nodes-g.nodes); err != nil {
		return nil, false, err
	}
	if len(e.text) > largeEntry {
		nodes.large.Lock()
		defer nodes.large.Unlock()
	}
	n, err := decodeEntry(e)
	if err != nil {
		return nil, false, err
	}
	aliased := g.expand && hasAlias(n)
	if aliased {
		if n, err = expandAliases(n, g.limits.Nodes-g.nodes); err != nil {
			return nil, false, err
		}
	}
	// The list and its items field stand above the item.
	if err := g.walk(n, 3); err != nil {
		return nil, false, err
	}
	nodes.Add(int64(g.nodes - before))
	it, err = newItem(n)
	return it, !aliased && !g.anchor, err
}

// parseWhole reads a ResourceList in one go.
func parseWhole(body []byte, g *gate) (*ResourceList, error) {
	if err := estimate(body, g.limits.Nodes); err != nil {
		return nil, err
	}
	root, err := decodeOne(body)
	if err != nil {
		return nil, err
	}
	if empty(root) {
		return nil, problemf("malformed", 0, 0, "the document is empty").withHint("a ResourceList is expected")
	}
	if g.expand && hasAlias(root) {
		if root, err = expandAliases(root, g.limits.Nodes); err != nil {
			return nil, err
		}
	}
	if err := g.pass(root); err != nil {
		return nil, err
	}
	return newList(root, g.limits)
}

// newList reads the fields of a ResourceList from a tree that passed the gate.
func newList(root *yaml.Node, limits Limits) (*ResourceList, error) {
	if err := isList(root); err != nil {
		return nil, err
	}
	rl := &ResourceList{APIVersion: scalarField(root, "apiVersion")}
	items := field(root, "items")
	if items == nil || items.Kind == yaml.ScalarNode && items.Tag == nullTag {
		return nil, problemf("items_missing", root.Line, root.Column, "the ResourceList has no items").
			withHint("write \"items: []\" for a list without resources")
	}
	if items.Kind != yaml.SequenceNode {
		return nil, problemf("malformed", items.Line, items.Column, "items is not a sequence")
	}
	if len(items.Content) > limits.Items {
		return nil, limitProblem("items", "resources", int64(limits.Items), items.Line, items.Column)
	}
	rl.Items = make([]*Item, 0, len(items.Content))
	for i, n := range items.Content {
		item, err := newItem(n)
		if err != nil {
			return nil, err
		}
		item.Index = i
		rl.Items = append(rl.Items, item)
	}
	if fc := field(root, "functionConfig"); fc != nil && fc.Tag != nullTag {
		o, err := newConfig(fc)
		if err != nil {
			return nil, err
		}
		rl.FunctionConfig = o
	}
	var err error
	rl.Results, err = readResults(field(root, "results"), limits.Results)
	return rl, err
}

// isList checks that a root is a ResourceList of a version krmsafe knows.
func isList(root *yaml.Node) error {
	if root.Kind != yaml.MappingNode {
		return problemf("malformed", root.Line, root.Column, "the document is not a mapping").
			withHint("a ResourceList is expected")
	}
	if kind := scalarField(root, "kind"); kind != "ResourceList" {
		return problemf("malformed", root.Line, root.Column, "the document's kind is %q, not \"ResourceList\"", short(kind)).
			withHint("a ResourceList is expected")
	}
	switch v := scalarField(root, "apiVersion"); v {
	case "config.kubernetes.io/v1", "config.kubernetes.io/v1beta1", "config.kubernetes.io/v1alpha1":
		return nil
	default:
		return problemf("malformed", root.Line, root.Column, "the ResourceList's apiVersion %q is not known", short(v)).
			withHint("use config.kubernetes.io/v1")
	}
}

// checkIdentity demands that the fields by which an object is known are strings that can be shown.
func checkIdentity(n *yaml.Node) error {
	for _, key := range []string{"apiVersion", "kind"} {
		if err := nameField(n, key, key); err != nil {
			return err
		}
	}
	meta := field(n, "metadata")
	if meta == nil || meta.Tag == nullTag {
		return nil
	}
	if meta.Kind != yaml.MappingNode {
		return problemf("item", meta.Line, meta.Column, "metadata is not a mapping")
	}
	for _, key := range []string{"name", "namespace", "generateName"} {
		if err := nameField(meta, key, "metadata."+key); err != nil {
			return err
		}
	}
	for _, key := range []string{"annotations", "labels"} {
		m := field(meta, key)
		if m == nil || m.Tag == nullTag {
			continue
		}
		if m.Kind != yaml.MappingNode {
			return problemf("item", m.Line, m.Column, "metadata.%s is not a mapping", key)
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			if err := identifier("key of metadata."+key, m.Content[i].Value, m.Content[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// nameField checks one identity field. A number as a name is what kubectl refuses too: quote it.
func nameField(n *yaml.Node, key, what string) error {
	v := field(n, key)
	if v == nil || v.Tag == nullTag {
		return nil
	}
	if v.Kind != yaml.ScalarNode || v.Tag != strTag && v.Tag != timeTag {
		return problemf("item", v.Line, v.Column, "%s is not a string", what).withHint("quote it")
	}
	return identifier(what, v.Value, v)
}

// estimate refuses a text that could become many more nodes than allowed before any node is made: a node takes two
// hundred bytes of memory and can be written with one byte of text. Each character counted here starts at most two
// nodes, so what passes makes at most twice as many nodes as allowed before the gate counts them exactly.
func estimate(data []byte, limit int) error {
	if len(data) <= limit {
		return nil
	}
	n := 2
	for _, c := range data {
		switch c {
		case ',', ':', '[', '{', '\n', '\r', '-', '?':
			n++
		}
	}
	if n > limit {
		return limitProblem("nodes", "nodes", int64(limit), 0, 0).withHint("divide the resources over several runs")
	}
	return nil
}
