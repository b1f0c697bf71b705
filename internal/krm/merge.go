package krm

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// merger builds the list that leaves and the changes that tell of it, resource by resource.
type merger struct {
	x       *Exchange
	list    ResourceList
	items   []*Item
	from    []int // position in the input of each item, -1 for a new one
	changes []Change
	owners  []*Item // whose each change is
}

// take merges one item of the answer.
func (m *merger) take(p pair) error {
	switch {
	case p.in == nil:
		return m.add(p.out)
	case p.same:
		m.keep(p.in.item, p.in.item)
		return nil
	}
	in := p.in.item
	out := p.out.node
	if p.in.node != in.node {
		// The function saw placeholders or the annotations of a reader: undo both.
		if m.x.secrets != nil && in.isSecret() {
			out = m.x.secrets.restore(out, p.in.node, in.node)
		}
		if !in.hasOrigin() && in.Path != "" {
			if err := sameOrigin(in, out); err != nil {
				return err
			}
			out = (&Item{Object: Object{node: out}}).withoutOrigin()
		}
	}
	out = withInternal(out, in.node)
	if err := m.misplaced(out, p.out); err != nil {
		return err
	}
	d := differ{resource: in.Identity, secret: in.isSecret()}
	merged := d.merge(in.node, out)
	if len(d.changes) == 0 {
		m.keep(in, in)
		return nil
	}
	if err := guardChanged(in, out); err != nil {
		return err
	}
	m.note(d.changes, in)
	id, _ := newObject(merged)
	m.keep(&Item{Object: id, Path: in.Path, Index: in.Index, edited: true}, in)
	return nil
}

// add takes an item that the function made.
func (m *merger) add(it *Item) error {
	if err := m.misplaced(it.node, it); err != nil {
		return err
	}
	if err := guardAdded(it); err != nil {
		return err
	}
	n := withInternal(it.node, nil)
	d := differ{resource: it.Identity, secret: it.isSecret()}
	d.record(nil, n)
	made := &Item{Path: it.Path, Index: it.Index, edited: true}
	made.Object, _ = newObject(fresh(n))
	m.note(d.changes, made)
	m.keep(made, nil)
	return nil
}

// removed records what was shown and did not come back.
func (m *merger) removed(pairs []pair) {
	back := make(map[*shown]bool, len(pairs))
	for _, p := range pairs {
		back[p.in] = true
	}
	var changes []Change
	var owners []*Item
	for _, s := range m.x.shown {
		if !back[s] {
			d := differ{resource: s.item.Identity, secret: s.item.isSecret()}
			d.record(s.item.node, nil)
			changes, owners = append(changes, d.changes...), append(owners, s.item)
		}
	}
	m.changes, m.owners = append(changes, m.changes...), append(owners, m.owners...)
}

func (m *merger) keep(it, in *Item) {
	at := -1
	if in != nil {
		at = m.x.at[in]
	}
	m.items, m.from = append(m.items, it), append(m.from, at)
}

func (m *merger) note(changes []Change, owner *Item) {
	m.changes = append(m.changes, changes...)
	for range changes {
		m.owners = append(m.owners, owner)
	}
}

// misplaced refuses a tree in which a placeholder stands.
func (m *merger) misplaced(n *yaml.Node, it *Item) error {
	if m.x.secrets == nil {
		return nil
	}
	if at := m.x.secrets.anywhere(n); at != nil {
		return problemf("placeholder", at.Line, at.Column, "the function moved a value of a Secret to where it does not belong, in a %q", short(it.Kind)).
			withHint("a Secret's value may only stay in its own field; a policy may grant real values")
	}
	return nil
}

// sameOrigin demands that a function left the place of a resource that was read from a file alone.
func sameOrigin(in *Item, out *yaml.Node) error {
	ann := field(field(out, "metadata"), "annotations")
	want := map[string]string{
		pathKey: in.Path, legacyPathKey: in.Path, indexKey: strconv.Itoa(in.Index), legacyIndexKey: strconv.Itoa(in.Index),
	}
	for _, key := range originKeys {
		if v := field(ann, key); v != nil && v.Value != want[key] {
			return problemf("path", v.Line, v.Column, "the function moves %q from %q to %q", short(in.String()), in.Path, short(v.Value)).
				withHint("a resource stays in the file it was read from")
		}
	}
	return nil
}

const internalPrefix = "internal.config.kubernetes.io/"

// withInternal is a function's object with the internal annotations of the input's: functions must not alter them
// (KRM Functions Specification v1), tools crash on some that were, and what a function invents is dropped. in is nil
// for a new object, which keeps only the place it asks for.
func withInternal(out, in *yaml.Node) *yaml.Node {
	before, after := field(field(in, "metadata"), "annotations"), field(field(out, "metadata"), "annotations")
	if sameInternal(before, after, in == nil) {
		return out
	}
	return editAnnotations(out, func(a *yaml.Node) {
		kept := a.Content[:0:0]
		for i := 0; i+1 < len(a.Content); i += 2 {
			k := a.Content[i].Value
			if !strings.HasPrefix(k, internalPrefix) || in == nil && (k == pathKey || k == indexKey) {
				kept = append(kept, a.Content[i], a.Content[i+1])
			}
		}
		if before != nil && before.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(before.Content); i += 2 {
				if strings.HasPrefix(before.Content[i].Value, internalPrefix) {
					kept = append(kept, before.Content[i], before.Content[i+1])
				}
			}
		}
		a.Content = kept
	})
}

// sameInternal says whether nothing has to be put back.
func sameInternal(before, after *yaml.Node, isNew bool) bool {
	internal := func(n *yaml.Node) map[string]string {
		m := map[string]string{}
		for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			k := n.Content[i].Value
			if strings.HasPrefix(k, internalPrefix) && (!isNew || !slices.Contains(originKeys, k)) {
				m[k] = n.Content[i+1].Value
			}
		}
		return m
	}
	a, b := internal(before), internal(after)
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}
