package krm

import (
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Output is what a function's answer comes to: the list to emit if it is allowed, and everything it changed.
type Output struct {
	// List is what leaves krmsafe: resources that nothing changed as they were written, changed ones with the
	// comments, order and style of the input wherever a value is the same, new ones in krmsafe's own style without
	// the function's comments, and what the function was not shown, in its place. Its functionConfig is the input's.
	List    *ResourceList
	Changes []Change      // grouped by resource: those removed, then the others in the order of List
	Summary ChangeSummary // Changes summed up
	Results []Result      // what the function reported; placeholders in it are masked
}

// Output reads what the function wrote and compares it with what it was shown. It refuses, as an *OutputError,
// whatever ParseOutput refuses and: two resources of one identity, a placeholder anywhere but in its own field, a
// path that is not a plain one, a planted function annotation, and a new or changed Kustomization or Kptfile.
// Internal annotations that orchestrators keep on resources are put back as they were.
func (x *Exchange) Output(data []byte, limits Limits) (*Output, error) {
	out, err := x.output(data, limits)
	if err != nil {
		return nil, asOutput(err)
	}
	return out, nil
}

func (x *Exchange) output(data []byte, limits Limits) (*Output, error) {
	same := map[*Item]*shown{} // items of the answer that are, word for word, what was shown
	answer, err := parseList(data, &gate{limits: limits}, func(text []byte) *Item {
		s := x.lookup(text)
		if s == nil {
			return nil
		}
		it := &Item{Object: s.item.Object}
		same[it] = s
		return it
	})
	if err != nil {
		return nil, err
	}
	pairs, err := x.pair(answer.Items, same)
	if err != nil {
		return nil, err
	}
	m := merger{x: x}
	for _, p := range pairs {
		if err := m.take(p); err != nil {
			return nil, err
		}
	}
	m.removed(pairs)
	m.list.APIVersion, m.list.Plain, m.list.dash = x.list.APIVersion, x.list.Plain, x.list.dash
	m.list.FunctionConfig = x.list.FunctionConfig
	m.list.Items = x.arrange(m.items, m.from)
	m.list.Results = x.redactResults(answer.Results)
	summary := summarizeChanges(m.changes, m.owners)
	summary.Reordered = reordered(m.from)
	return &Output{List: &m.list, Changes: m.changes, Summary: summary, Results: m.list.Results}, nil
}

// pair is an item of the answer and what was shown for it, nil where the function made it.
type pair struct {
	out  *Item
	in   *shown
	same bool // word for word
}

// objectKey is by what an answer's items are matched with what was shown. A version is no part of it; a generateName
// is, because the objects that have one have no name yet.
type objectKey struct{ group, kind, namespace, name, generate string }

func keyOf(it *Item) objectKey {
	k := objectKey{group: it.Group, kind: it.Kind, namespace: it.Namespace, name: it.Name}
	if it.Name == "" {
		k.generate = scalarField(field(it.node, "metadata"), "generateName")
	}
	return k
}

// pair matches the items of an answer with those that were shown.
func (x *Exchange) pair(items []*Item, same map[*Item]*shown) ([]pair, error) {
	taken := make(map[*shown]bool, len(same))
	for _, s := range same {
		taken[s] = true
	}
	free := make(map[objectKey][]*shown) // what was shown and not found word for word
	count := make(map[objectKey]int, len(x.shown))
	for _, s := range x.shown {
		k := keyOf(s.item)
		count[k]++
		if !taken[s] {
			free[k] = append(free[k], s)
		}
	}
	hidden := map[objectKey]bool{}
	for _, it := range x.list.Items {
		if _, ok := x.at[it]; !ok {
			hidden[keyOf(it)] = true
		}
	}
	pairs := make([]pair, 0, len(items))
	seen := make(map[objectKey]int, len(items))
	for _, it := range items {
		if s := same[it]; s != nil {
			seen[keyOf(s.item)]++
			pairs = append(pairs, pair{out: it, in: s, same: true})
			continue
		}
		k := keyOf(it)
		if seen[k]++; seen[k] > max(1, count[k]) {
			return nil, problemf("duplicate", it.node.Line, it.node.Column, "the function returns %q more often than it was given", short(it.String())).
				withHint("a resource is known by its group, kind, namespace and name, and may be there once")
		}
		s := choose(free[k], it)
		if s == nil && hidden[k] && count[k] == 0 {
			return nil, problemf("duplicate", it.node.Line, it.node.Column, "the function makes %q, which exists and was not shown to it", short(it.String())).
				withHint("show it to the function, or let the function not make it")
		}
		if s != nil {
			free[k] = slices.DeleteFunc(free[k], func(f *shown) bool { return f == s })
		}
		pairs = append(pairs, pair{out: it, in: s})
	}
	return pairs, nil
}

// choose is the one of several resources of the same identity, as different folders of a package may hold, that
// came from the file the annotations name; the first where they name none of them.
func choose(candidates []*shown, it *Item) *shown {
	if len(candidates) <= 1 {
		if len(candidates) == 0 {
			return nil
		}
		return candidates[0]
	}
	for _, s := range candidates {
		if origin(s.node) == origin(it.node) {
			return s
		}
	}
	return candidates[0]
}

func origin(n *yaml.Node) [2]string {
	ann := field(field(n, "metadata"), "annotations")
	pick := func(a, b string) string {
		if v := scalarField(ann, a); v != "" {
			return v
		}
		return scalarField(ann, b)
	}
	return [2]string{pick(pathKey, legacyPathKey), pick(indexKey, legacyIndexKey)}
}

// arrange puts what was not shown back: each item behind the one that stood before it in the input, or at the start.
func (x *Exchange) arrange(items []*Item, from []int) []*Item {
	if len(x.shown) == len(x.list.Items) {
		return items
	}
	present := make(map[int]bool, len(from))
	for _, i := range from {
		if i >= 0 {
			present[i] = true
		}
	}
	behind := map[int][]*Item{}
	last := -1
	for i, it := range x.list.Items {
		if _, shown := x.at[it]; shown {
			if present[i] {
				last = i
			}
			continue
		}
		behind[last] = append(behind[last], it)
	}
	all := append(make([]*Item, 0, len(items)+len(x.list.Items)), behind[-1]...)
	for i, it := range items {
		all = append(all, it)
		if from[i] >= 0 {
			all = append(all, behind[from[i]]...)
		}
	}
	return all
}

// reordered says whether positions in the input, -1 for what was not in it, do not rise.
func reordered(from []int) bool {
	last := -1
	for _, i := range from {
		if i >= 0 {
			if i < last {
				return true
			}
			last = i
		}
	}
	return false
}

func (x *Exchange) redactResults(results []Result) []Result {
	if x.secrets == nil {
		return results
	}
	for i := range results {
		r := &results[i]
		r.Message = x.Redact(r.Message)
		if r.Field != nil {
			for _, s := range []*string{&r.Field.Path, &r.Field.CurrentValue, &r.Field.ProposedValue} {
				*s = x.Redact(*s)
			}
		}
		if r.ResourceRef != nil {
			for _, s := range []*string{&r.ResourceRef.APIVersion, &r.ResourceRef.Kind, &r.ResourceRef.Namespace, &r.ResourceRef.Name} {
				*s = x.Redact(*s)
			}
		}
		if r.File != nil {
			r.File.Path = x.Redact(r.File.Path)
		}
		tags := make(map[string]string, len(r.Tags))
		for k, v := range r.Tags {
			if x.secrets.in(k) {
				k = Masked + strconv.Itoa(len(tags))
			}
			tags[k] = x.Redact(v)
		}
		if r.Tags != nil {
			r.Tags = tags
		}
	}
	return results
}
