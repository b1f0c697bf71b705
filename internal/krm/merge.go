package krm

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// merge decides what leaves for one item of the answer that has its fate, and lets the item's values go.
func (x *Exchange) merge(it *Item) error {
	out := it.node
	it.node = nil
	if it.fate.in == nil {
		return x.add(it, out)
	}
	in := it.fate.in.item
	was, err := in.tree()
	if err != nil {
		return err
	}
	to, err := x.placeOf(in, was, out)
	if err != nil {
		return err
	}
	it.fate.commented = commented(was, out)
	if it.fate.in.altered {
		out = x.undo(it.fate.in, was, out)
	}
	out, tampered := withBookkeeping(out, was)
	out = to.inside(out, was)
	if err := x.misplaced(out, in.Kind); err != nil {
		return err
	}
	d := differ{resource: in.Identity, veil: veilOf(in.Identity, was, out)}
	merged := d.merge(was, out)
	d.bookkeeping(tampered, to)
	if len(d.changes) == 0 {
		it.fate.leaves = in
		return nil
	}
	if err := guardChanged(in.Identity, was, out); err != nil {
		return err
	}
	it.fate.changes = d.changes
	if merged == was {
		it.fate.leaves = to.item(in)
		return nil
	}
	id, _ := identify(merged)
	leaves := to.item(itemOf(id, merged).at(in))
	if in.node == nil {
		if text, ok := splice(in.raw, was, merged, d.origin); ok {
			if got := readBack(text, in.form, merged); got != nil {
				leaves.node, leaves.edited = got, true
				it.fate.leaves = leaves.keep(text, in.form)
				return nil
			}
		}
		leaves.style = layoutOf(was)
	}
	it.fate.leaves, err = x.leave(leaves)
	return err
}

// undo takes back what the function was shown in place of the truth: placeholders, and annotations that say where a
// resource was read from.
func (x *Exchange) undo(s *shown, was, out *yaml.Node) *yaml.Node {
	in := s.item
	if x.secrets != nil && in.isSecret() {
		out = restore(out, x.secrets.substitute(was, s.at), was)
	}
	if in.pack != "" && packageOf(out) == x.veiled(in.pack) {
		out = withPackage(out, in.pack)
	}
	if in.Path == "" || in.placed {
		return out
	}
	return withoutOrigin(out)
}

// add takes an item that the function made.
func (x *Exchange) add(it *Item, n *yaml.Node) error {
	if err := x.misplaced(n, it.Kind); err != nil {
		return err
	}
	n = withoutPackage(n) // a copy of what another object was shown with
	path, index, err := guardAdded(it.Identity, n)
	if err != nil {
		return err
	}
	it.fate.commented = commented(nil, n)
	n, _ = withBookkeeping(n, nil)
	n = withoutCleared(placeAsText(n))
	d := differ{resource: it.Identity, veil: veilOf(it.Identity, n)}
	d.record(nil, n)
	it.fate.changes = d.changes
	made := itemOf(it.Identity, fresh(n))
	made.Path, made.Index, made.made = path, index, true
	it.fate.leaves, err = x.leave(made)
	return err
}

// leave encodes an item that a function had a hand in, reads the text again and lets the item's values go.
func (x *Exchange) leave(it *Item) (*Item, error) {
	it.edited = true
	f := listText
	if x.list.Plain {
		f = docText
	}
	text, got, err := it.encoded(it.node, f)
	if err != nil {
		return nil, fmt.Errorf("encoding %q: %w", it.String(), err)
	}
	it.node = got
	if f == listText && x.list.dash > 0 {
		text = indentLines(text, x.list.dash)
		got.Column += x.list.dash
	}
	return it.keep(text, f), nil
}

// misplaced refuses a tree in which a placeholder stands.
func (x *Exchange) misplaced(n *yaml.Node, kind string) error {
	if x.secrets == nil {
		return nil
	}
	if at := x.secrets.anywhere(n); at != nil {
		return problemf("placeholder", at.Line, at.Column, "the function moved a value of a Secret to where it does not belong, in a %q", short(kind)).
			withHint("a Secret's value may only stay in its own field; a policy may grant real values")
	}
	return nil
}
