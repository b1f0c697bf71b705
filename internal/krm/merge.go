package krm

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

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
	if err := sameOrigin(in, was, out); err != nil {
		return err
	}
	if it.fate.in.altered {
		out = x.undo(it.fate.in, was, out)
	}
	out = withInternal(out, was)
	if err := x.misplaced(out, in.Kind); err != nil {
		return err
	}
	d := differ{resource: in.Identity, veil: veilOf(in.Identity, was, out)}
	merged := d.merge(was, out)
	if len(d.changes) == 0 {
		it.fate.leaves = in
		return nil
	}
	if err := guardChanged(in.Identity, was, out); err != nil {
		return err
	}
	it.fate.changes = d.changes
	id, _ := identify(merged)
	leaves := itemOf(id, merged)
	leaves.Path, leaves.Index, leaves.made = in.Path, in.Index, in.made
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
	path, index, err := guardAdded(it.Identity, n)
	if err != nil {
		return err
	}
	n = withInternal(n, nil)
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

// sameOrigin demands that a function left the place of a resource alone, in both spellings. What it dropped or wrote
// the same in the other spelling is no move.
func sameOrigin(in *Item, was, out *yaml.Node) error {
	ann := field(field(out, "metadata"), "annotations")
	from := originOf(was)
	if !in.placed && in.Path != "" {
		from = [2]string{in.Path, strconv.Itoa(in.Index)}
	}
	for i, keys := range [][2]string{{pathKey, legacyPathKey}, {indexKey, legacyIndexKey}} {
		for _, key := range keys {
			if v := field(ann, key); v != nil && v.Value != from[i] && (key != keys[0] || in.Path != "") {
				return problemf("path", v.Line, v.Column, "the function moves %q: %q was %q and is %q", short(in.String()), key, short(from[i]), short(v.Value)).
					withHint("a resource stays in the file it was read from")
			}
		}
	}
	return nil
}

const internalPrefix = "internal.config.kubernetes.io/"

// isKept says whether an annotation of an existing object is not the function's to change: the internal ones, and the
// older spellings of those that say where the object came from.
func isKept(key string) bool {
	return strings.HasPrefix(key, internalPrefix) || key == legacyPathKey || key == legacyIndexKey
}

// withInternal is a function's object with the internal annotations of the input's: functions must not alter them
// (KRM Functions Specification v1), tools crash on some that were, and what a function invents is dropped. in is nil
// for a new object, which keeps only the place it asks for.
func withInternal(out, in *yaml.Node) *yaml.Node {
	before, after := field(field(in, "metadata"), "annotations"), field(field(out, "metadata"), "annotations")
	drop := isKept
	if in == nil {
		drop = func(k string) bool { return isKept(k) && !slices.Contains(originKeys, k) }
	}
	if maps.Equal(keptIn(before, isKept), keptIn(after, drop)) {
		return out
	}
	return editAnnotations(out, func(a *yaml.Node) {
		kept := a.Content[:0:0]
		for i := 0; i+1 < len(a.Content); i += 2 {
			if !drop(a.Content[i].Value) {
				kept = append(kept, a.Content[i], a.Content[i+1])
			}
		}
		if before != nil && before.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(before.Content); i += 2 {
				if isKept(before.Content[i].Value) {
					kept = append(kept, before.Content[i], before.Content[i+1])
				}
			}
		}
		a.Content = kept
	})
}

// keptIn lists those annotations that are kept.
func keptIn(n *yaml.Node, kept func(string) bool) map[string]string {
	m := map[string]string{}
	for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if k := n.Content[i].Value; kept(k) {
			m[k] = n.Content[i+1].Value
		}
	}
	return m
}
