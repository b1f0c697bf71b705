package krm

import (
	"bytes"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// Exchange is one run of a function over a list: what the function is shown of it, and what its answer comes to. It
// is made for one run and is not safe for concurrent use.
type Exchange struct {
	list    *ResourceList
	secrets *placeholders // nil where there is nothing to stand for
	shown   []*shown      // in the order of the list
	at      map[*Item]int // position in list of an item that is shown
	known   map[string]*shown
	stdin   []byte
}

// shown is an item as the function sees it.
type shown struct {
	item *Item
	node *yaml.Node // what the function sees: the item's own node, or a copy with placeholders or an origin
	text []byte     // how it stands in the function's input
}

// NewExchange prepares a list for a function: it chooses what the view shows and puts placeholders, made from random,
// into Secrets. The list must not be changed until Output has returned.
func NewExchange(list *ResourceList, view View, random io.Reader) (*Exchange, error) {
	x := &Exchange{list: list, at: make(map[*Item]int, len(list.Items))}
	for i, it := range list.Items {
		if !view.shows(it) {
			continue
		}
		s := &shown{item: it, node: it.node}
		if it.isSecret() && view.Secrets == SecretPlaceholders {
			if x.secrets == nil {
				p, err := newPlaceholders(random)
				if err != nil {
					return nil, err
				}
				x.secrets = p
			}
			s.node = x.secrets.substitute(it.node, nil)
		}
		x.at[it] = i
		x.shown = append(x.shown, s)
	}
	return x, x.encode()
}

// Input is the ResourceList to give the function on its standard input.
func (x *Exchange) Input() []byte { return x.stdin }

// Shown counts the resources that the function sees.
func (x *Exchange) Shown() int { return len(x.shown) }

// encode writes the function's input and remembers the text of each item.
func (x *Exchange) encode() error {
	var b bytes.Buffer
	b.Grow(x.list.sizeHint())
	writeHead(&b, len(x.shown))
	for _, s := range x.shown {
		it := s.item
		if s.node != it.node {
			it = &Item{Object: Object{Identity: it.Identity, node: s.node}, Path: it.Path, Index: it.Index}
		}
		if it.Path != "" && !it.hasOrigin() {
			s.node = it.withOrigin()
			it = &Item{Object: Object{Identity: it.Identity, node: s.node}}
		}
		text, err := it.listEntry(x.list.dash)
		if err != nil {
			return fmt.Errorf("encoding %q: %w", it.String(), err)
		}
		s.text = text
		b.Write(text)
	}
	if err := writeTail(&b, x.list.FunctionConfig, nil); err != nil {
		return err
	}
	x.stdin = b.Bytes()
	return nil
}

// Redact replaces, in what a function says beside its resources, text that holds a placeholder of this run.
func (x *Exchange) Redact(s string) string { return x.secrets.redact(s) }

// lookup finds the item that was shown with a text, word for word. Each is found once: what a function returns twice
// is read and refused as a duplicate.
func (x *Exchange) lookup(text []byte) *shown {
	if x.known == nil {
		x.known = make(map[string]*shown, len(x.shown))
		for _, s := range x.shown {
			x.known[string(trimEntry(s.text))] = s
		}
	}
	key := trimEntry(text)
	s := x.known[string(key)]
	if s != nil {
		delete(x.known, string(key))
	}
	return s
}

// trimEntry is an entry's text without the blank lines behind it.
func trimEntry(text []byte) []byte { return bytes.TrimRight(text, "\r\n") }
