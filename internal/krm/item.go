package krm

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Item is one resource of a ResourceList. Its identity is known; its values are read again from its text whenever
// they are needed, so that a list takes little more memory than the document it came from.
type Item struct {
	Identity
	Path  string // slash-separated file it came from, "" where unknown
	Index int    // position among the documents of that file, from 0

	generate string     // metadata.generateName where there is no name
	placed   bool       // has annotations that say where it came from
	pack     string     // the package that kpt says it belongs to, "" where none is named
	node     *yaml.Node // its values, where they cannot be read from raw
	raw      []byte     // its text, nil where there is none that may be repeated
	form     form       // how raw is laid out
	line     int        // of the mapping in raw, from 1, where form is docText; 0 where it is not in block style
	indent   int        // column of the mapping in raw, from 0, where form is listText
	made     bool       // a function made it
	moved    bool       // a function chose another file for it
	listed   bool       // it stands in a List among others, which share its Path and Index
	prior    *Item      // as it was before any function, nil where no function had a hand in it or made it
	style    layout     // in which it is encoded, where that is known
	edited   bool       // a function had a hand in it: what is encoded for it is read again and compared
	base     int        // lines of a function's answer above its text
	fate     *fate      // what became of it, while a function's answer is read
}

// errChanged says that the text of a list is not what it was when it was parsed.
var errChanged = errors.New("the text of the ResourceList was changed while it was in use")

// newItem reads one resource from a tree that passed the gate. Names that a person or a policy decides by must be
// showable.
func newItem(n *yaml.Node) (*Item, error) {
	if n.Kind != yaml.MappingNode {
		return nil, problemf("item", n.Line, n.Column, "an item is not a mapping")
	}
	id, ok := identify(n)
	if !ok {
		return nil, problemf("item", n.Line, n.Column, "an item has no apiVersion or no kind").
			withHint("every item is a Kubernetes object")
	}
	if err := checkIdentity(n); err != nil {
		return nil, err
	}
	if err := checkNoList(id, n); err != nil {
		return nil, err
	}
	return itemOf(id, n), nil
}

// itemOf is an item with the values of a tree.
func itemOf(id Identity, n *yaml.Node) *Item {
	it := &Item{Identity: id, node: n}
	meta := field(n, "metadata")
	if id.Name == "" {
		it.generate = scalarField(meta, "generateName")
	}
	annotations := field(meta, "annotations")
	for _, k := range originKeys {
		it.placed = it.placed || field(annotations, k) != nil
	}
	it.pack = scalarField(annotations, packageKey)
	return it
}

// Made says whether a function made the item. Of any other item in the List of an Output, Index is what it was in the input.
func (it *Item) Made() bool { return it.made }

// at gives an item the place of another one.
func (it *Item) at(other *Item) *Item {
	it.Path, it.Index, it.made, it.moved, it.listed, it.prior = other.Path, other.Index, other.made, other.moved, other.listed, other.original()
	return it
}

// keep gives an item its text and lets its values go.
func (it *Item) keep(raw []byte, f form) *Item {
	it.raw, it.form = raw, f
	if f == listText {
		it.indent = it.node.Column - 1
	} else if it.node.Style&yaml.FlowStyle == 0 && it.node.Column == 1 {
		it.line = it.node.Line
	}
	it.node = nil
	// What is read quickly is cut out of a copy of the whole text, which goes too.
	for _, of := range []*string{&it.Group, &it.Version, &it.Kind, &it.Namespace, &it.Name, &it.generate, &it.pack} {
		*of = strings.Clone(*of)
	}
	return it
}

func (it *Item) layout() layout {
	if it.style.indent == 0 {
		return layout{indent: 2}
	}
	return it.style
}

// Node is the item's mapping. It must not be changed.
func (it *Item) Node() (*yaml.Node, error) { return it.tree() }

// tree is the item's mapping. The error is errChanged.
func (it *Item) tree() (*yaml.Node, error) {
	if it.node != nil {
		return it.node, nil
	}
	return decodeAgain(it.raw, it.form)
}

// enough is a limit for what was counted before.
const enough = 1 << 30

// decodeAgain reads text that passed the gate before.
func decodeAgain(raw []byte, f form) (n *yaml.Node, err error) {
	if f == listText {
		n, err = decodeEntry(entry{text: raw})
	} else {
		n, err = decodeOne(raw)
	}
	if err == nil && n == nil {
		err = errChanged
	}
	if err == nil {
		err = (&gate{limits: Limits{Nodes: enough, Depth: enough}}).pass(n)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", errChanged, err.Error())
	}
	return n, nil
}

// original is the item as it was before any function; for one that a function made, some version of its own.
func (it *Item) original() *Item {
	if it.prior != nil {
		return it.prior
	}
	return it
}

// isSecret says whether an identity is that of a Secret of the core group, in any version.
func (id Identity) isSecret() bool { return id.Group == "" && id.Kind == "Secret" }
