package krm

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
)

// Exchange is one run of a function over a list: what the function is shown of it, and what its answer comes to. It
// is made for one run and is not safe for concurrent use.
type Exchange struct {
	list    *ResourceList
	secrets *placeholders // nil where there is nothing to stand for
	granted []string      // values of Secrets that the function was given, longest first
	shown   []*shown      // in the order of the list
	moves   bool          // a function may move a resource to another file
	stdin   []byte

	byText map[uint64][]*shown    // by a hash of the text that was shown
	seed   maphash.Seed           // of the hash
	byKey  map[objectKey][]*shown // by what objects are known by
	hidden map[objectKey]bool     // what was not shown
	veiled func(string) string    // what is shown in place of the path of a package
}

// shown is an item as the function sees it.
type shown struct {
	item    *Item
	at      int    // position in the list
	text    []byte // how it stands in the function's input
	altered bool   // text has placeholders or the annotations of a reader, which the item has not
	claimed atomic.Bool
	from    *origin // what text says of where the item came from, once that was looked for
}

// tree is what the function was shown.
func (s *shown) tree() (*yaml.Node, error) {
	if s.altered {
		return decodeAgain(s.text, listText)
	}
	return s.item.tree()
}

// NewExchange prepares a list for a function: it chooses what the view shows and puts placeholders, made from random,
// into Secrets. A functionConfig is given as it is, a Secret too: its values are masked in what the function says (Redact).
// The list must not be changed until Output has returned.
func NewExchange(list *ResourceList, view View, random io.Reader) (*Exchange, error) {
	x := &Exchange{list: list, moves: view.Moves, byKey: make(map[objectKey][]*shown, len(list.Items)), hidden: map[objectKey]bool{}}
	for i, it := range list.Items {
		if !view.shows(it) {
			x.hidden[keyOf(it)] = true
			continue
		}
		if it.isSecret() && view.Secrets == SecretPlaceholders && x.secrets == nil {
			p, err := newPlaceholders(random)
			if err != nil {
				return nil, err
			}
			x.secrets = p
		}
		if it.isSecret() && view.Secrets == SecretValues {
			if err := x.grant(it); err != nil {
				return nil, err
			}
		}
		s := &shown{item: it, at: i}
		x.shown = append(x.shown, s)
		x.byKey[keyOf(it)] = append(x.byKey[keyOf(it)], s)
	}
	if c := list.FunctionConfig; c != nil && c.isSecret() {
		// Whoever makes a Secret the functionConfig gives the function its values; what it says is masked all the same.
		x.granted = append(x.granted, spoken(c.node)...)
	}
	slices.SortFunc(x.granted, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	x.granted = slices.Compact(x.granted)
	return x, x.encode()
}

// Input is the ResourceList to give the function on its standard input.
func (x *Exchange) Input() []byte { return x.stdin }

// Shown counts the resources that the function sees.
func (x *Exchange) Shown() int { return len(x.shown) }

// encode writes the function's input and remembers the text of each item.
func (x *Exchange) encode() error {
	x.veiled = veilPackages(x.shown)
	err := each(len(x.shown), func(i int) error {
		s := x.shown[i]
		if err := x.show(s); err != nil {
			return fmt.Errorf("encoding %q: %w", s.item.String(), err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	size := 1024
	for _, s := range x.shown {
		size += len(s.text)
	}
	b := bytes.NewBuffer(make([]byte, 0, size))
	writeHead(b, len(x.shown))
	x.byText, x.seed = make(map[uint64][]*shown, len(x.shown)), maphash.MakeSeed()
	for _, s := range x.shown {
		h := maphash.Bytes(x.seed, trimEntry(s.text))
		x.byText[h] = append(x.byText[h], s)
		b.Write(s.text)
	}
	config := x.list.FunctionConfig
	if config != nil {
		config = &Object{Identity: config.Identity, node: withoutPackage(config.node)}
	}
	if err := writeTail(b, config, nil); err != nil {
		return err
	}
	x.stdin = b.Bytes()
	return nil
}

// show makes the text of one item.
func (x *Exchange) show(s *shown) (err error) {
	it := s.item
	if x.secrets != nil && it.isSecret() {
		n, err := it.tree()
		if err != nil {
			return err
		}
		c := itemOf(it.Identity, x.secrets.substitute(n, s.at))
		c.Path, c.Index = it.Path, it.Index
		it, s.altered = c, true
	}
	if it.pack != "" {
		n, err := it.tree()
		if err != nil {
			return err
		}
		c := itemOf(it.Identity, withPackage(n, x.veiled(it.pack)))
		c.Path, c.Index = it.Path, it.Index
		it, s.altered = c, true
	}
	s.altered = s.altered || it.Path != "" && !it.placed
	s.text, err = it.listEntry(x.list.dash, x.list.dash)
	return err
}

// claim finds an item that was shown with a text, word for word, and that nobody claimed before.
func (x *Exchange) claim(text []byte) *shown {
	text = trimEntry(text)
	for _, s := range x.byText[maphash.Bytes(x.seed, text)] {
		if !s.claimed.Load() && bytes.Equal(trimEntry(s.text), text) && s.claimed.CompareAndSwap(false, true) {
			return s
		}
	}
	return nil
}

// trimEntry is an entry's text without the blank lines behind it.
func trimEntry(text []byte) []byte { return bytes.TrimRight(text, "\r\n") }

// objectKey is by what an answer's items are matched with what was shown. A version is no part of it; a generateName
// is, because the objects that have one have no name yet.
type objectKey struct{ group, kind, namespace, name, generate string }

func keyOf(it *Item) objectKey {
	return objectKey{group: it.Group, kind: it.Kind, namespace: it.Namespace, name: it.Name, generate: it.generate}
}
