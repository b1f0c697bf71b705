package krm

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// origin is what a resource's annotations say of where it came from.
type origin struct{ path, index, id string }

func originOf(n *yaml.Node) origin {
	ann := annotationsOf(n)
	pick := func(a, b string) string {
		if v := scalarField(ann, a); v != "" {
			return v
		}
		return scalarField(ann, b)
	}
	return origin{pick(pathKey, legacyPathKey), pick(indexKey, legacyIndexKey), pick(idKey, legacyIDKey)}
}

// fits says whether a resource of which another origin is told may be this one: by its id where both have one.
func (o origin) fits(other origin) bool {
	if o.id != "" && other.id != "" {
		return o.id == other.id
	}
	return o.path == other.path && o.index == other.index
}

// move is another place that a function chose for a resource. A nil move is none.
type move struct {
	from   origin
	path   string
	index  int
	placed bool // the resource's own annotations say where it is
}

// placeOf is where a function wants a resource that was there. It refuses a move that the view does not allow or that
// is not to a plain file. What a function dropped or wrote the same in the other spelling is no move.
func (x *Exchange) placeOf(in *Item, was, out *yaml.Node) (*move, error) {
	ann := annotationsOf(out)
	if ann == nil {
		return nil, nil
	}
	from := originOf(was)
	if !in.placed && in.Path != "" {
		from.path, from.index = in.Path, strconv.Itoa(in.Index)
	}
	path, err := chosen(in, ann, [2]string{pathKey, legacyPathKey}, from.path, x.moves)
	if err == nil && path != nil {
		err = checkPath(path)
	}
	if err != nil {
		return nil, err
	}
	index, err := chosen(in, ann, [2]string{indexKey, legacyIndexKey}, from.index, path != nil)
	if err != nil || path == nil {
		return nil, err
	}
	to := &move{from: from, path: path.Value, placed: in.placed}
	if to.index, err = strconv.Atoi(from.index); err != nil {
		to.index = 0
	}
	if index != nil {
		to.index, err = filePosition(index)
	}
	return to, err
}

// chosen is the value that a function gave an annotation in one spelling or both, nil where it is what it was.
func chosen(in *Item, ann *yaml.Node, keys [2]string, was string, may bool) (to *yaml.Node, err error) {
	for i, k := range keys {
		v := stated(ann, k)
		if v == nil || v.Value == was || i == 0 && was == "" && in.Path == "" {
			continue
		}
		if !may || was == "" {
			return nil, problemf("path", v.Line, v.Column, "the function moves %q: %q was %q and is %q", short(in.String()), k, short(was), short(v.Value)).
				withHint("a resource stays in the file it was read from, unless --allow-move lets a function move it")
		}
		if to != nil {
			_, err = agreed(ann, keys[0], keys[1])
		}
		to = v
	}
	return to, err
}

// inside is an object whose own annotations say where it was moved, in those spellings that the input has.
func (m *move) inside(out, was *yaml.Node) *yaml.Node {
	if m == nil || !m.placed {
		return out
	}
	values := map[string]string{pathKey: m.path, legacyPathKey: m.path, indexKey: strconv.Itoa(m.index), legacyIndexKey: strconv.Itoa(m.index)}
	before := annotationsOf(was)
	return editAnnotations(out, func(a *yaml.Node) {
		for _, key := range originKeys {
			if field(before, key) != nil {
				a.Content = withField(a.Content, key, quotedNode(values[key]))
			}
		}
	})
}

// item is a copy of an item at its new place, or the item itself where there is no other.
func (m *move) item(it *Item) *Item {
	if m == nil {
		return it
	}
	c := *it
	c.moved, c.prior, c.fate = true, it.original(), nil
	if it.Path != "" {
		c.Path, c.Index = m.path, m.index
	}
	return &c
}

// place is where an item stands.
func (it *Item) place() place { return place{it.Path, it.Index} }
