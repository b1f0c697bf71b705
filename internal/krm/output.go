package krm

import (
	"errors"
)

// Output is what a function's answer comes to: the list to emit if it is allowed, and everything it changed.
type Output struct {
	// List is what leaves krmsafe: resources that nothing changed as they were written, changed ones with the
	// comments, order and style of the input wherever a value is the same, new ones in krmsafe's own style without
	// the function's comments, and what the function was not shown, in its place. Its functionConfig is the input's.
	List    *ResourceList
	Changes []Change      // grouped by resource: those removed, then the others in the order of List; see Change
	Summary ChangeSummary // Changes summed up
	Results []Result      // what the function reported; placeholders in it are masked
	// Commented lists the resources in which the function wrote comments. They do not leave: they are no values that a
	// policy could judge, and some tools take orders from them.
	Commented []Identity
}

// Output reads what the function wrote and compares it with what it was shown. It refuses, as an *OutputError,
// whatever ParseOutput refuses and: two resources of one identity, a placeholder anywhere but in its own field, a
// path that is not a plain one, a planted function annotation, and a new or changed Kustomization or Kptfile.
// Annotations in which orchestrators keep books on a resource are put back as they were (see Bookkeeping).
func (x *Exchange) Output(data []byte, limits Limits) (*Output, error) {
	out, err := x.output(data, limits)
	if err != nil {
		return nil, asOutput(chatter(data, err))
	}
	return out, nil
}

// fate is what became of one item of an answer.
type fate struct {
	in      *shown   // what was shown for it, nil where the function made it
	leaves  *Item    // what leaves krmsafe, nil while that is open
	changes []Change // how it differs from in

	commented bool // the function wrote comments
}

// freeNodes is how many nodes an answer may have whatever the function was shown: about 15,000 resources. Beyond
// that, what it was shown bounds them, at more than four times the nodes that usual manifests have for their size.
const freeNodes = 1 << 20

func (x *Exchange) output(data []byte, limits Limits) (*Output, error) {
	for _, s := range x.shown {
		s.claimed.Store(false)
	}
	limits.Nodes = min(limits.Nodes, freeNodes+len(x.stdin)/2)
	answer, err := parseList(data, &gate{limits: limits}, x.readEntry)
	if err != nil {
		return nil, err
	}
	if err := x.pair(answer.Items); err != nil {
		return nil, err
	}
	err = each(len(answer.Items), func(i int) error {
		it := answer.Items[i]
		if it.fate.leaves != nil {
			return nil
		}
		err := x.merge(it)
		if p, ok := errors.AsType[*problem](err); ok && p.line > 0 {
			p.line += it.base
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return x.collect(answer)
}

// readEntry reads one item of the answer. Where it is plain what the item was before, it is merged at once, so that
// the trees of an answer are never in memory together.
func (x *Exchange) readEntry(_ int, e entry, g gate, nodes *tally) (*Item, error) {
	if s := x.claim(e.text); s != nil {
		it := *s.item
		it.fate = &fate{in: s, leaves: s.item}
		return &it, nil
	}
	it, _, err := readItem(e, g, nodes)
	if err != nil {
		return nil, err
	}
	it.base = e.line - 1
	if known := x.byKey[keyOf(it)]; len(known) == 1 && known[0].claimed.CompareAndSwap(false, true) {
		it.fate = &fate{in: known[0]}
		return it, x.merge(it)
	}
	return it, nil
}

// pair gives every item of an answer its fate.
func (x *Exchange) pair(items []*Item) error {
	claimed := make(map[*shown]bool, len(items))
	for _, it := range items {
		if it.fate != nil {
			claimed[it.fate.in] = true
		}
	}
	seen := make(map[objectKey]int, len(items))
	for _, it := range items {
		k := keyOf(it)
		known := x.byKey[k]
		if seen[k]++; seen[k] > max(1, len(known)) {
			return problemf("duplicate", lineOf(it), 0, "the function returns %q more often than it was given", short(it.String())).
				withHint("a resource is known by its group, kind, namespace and name, and may be there once")
		}
		if it.fate != nil {
			continue
		}
		s := choose(known, claimed, it)
		if s == nil && x.hidden[k] && len(known) == 0 {
			return problemf("duplicate", lineOf(it), 0, "the function makes %q, which exists and was not shown to it", short(it.String())).
				withHint("show it to the function, or let the function not make it")
		}
		if s != nil {
			claimed[s] = true
		}
		it.fate = &fate{in: s}
	}
	x.pairMoved(items, claimed)
	return x.shadowed(items, seen)
}

// shadowed refuses an object that the function made, or moved, to where a client finds another one: what has no
// namespace goes to the namespace default unless somebody says otherwise. seen are the objects of the answer.
func (x *Exchange) shadowed(items []*Item, seen map[objectKey]int) error {
	for _, it := range items {
		k := keyOf(it)
		if it.fate.in != nil && keyOf(it.fate.in.item) == k {
			continue
		}
		switch k.namespace {
		case "":
			k.namespace = "default"
		case "default":
			k.namespace = ""
		default:
			continue
		}
		if seen[k] > 0 || x.hidden[k] {
			return problemf("duplicate", lineOf(it), 0, "the function makes %q beside one that is the same object where no namespace means \"default\"", short(it.String())).
				withHint("a resource is known by its group, kind, namespace and name, and may be there once")
		}
	}
	return nil
}

// pairMoved takes a resource that came for one that went where nothing but the namespace of the two tells them apart
// and there is one of each: so a function that sets namespaces changes a field, and a Secret keeps its values.
func (x *Exchange) pairMoved(items []*Item, claimed map[*shown]bool) {
	anywhere := func(it *Item) objectKey {
		k := keyOf(it)
		k.namespace = ""
		return k
	}
	came := map[objectKey][]*Item{}
	for _, it := range items {
		if it.fate.in == nil && it.Name != "" {
			came[anywhere(it)] = append(came[anywhere(it)], it)
		}
	}
	if len(came) == 0 {
		return
	}
	went := map[objectKey][]*shown{}
	for _, s := range x.shown {
		if !claimed[s] {
			went[anywhere(s.item)] = append(went[anywhere(s.item)], s)
		}
	}
	for k, list := range came {
		if s := went[k]; len(list) == 1 && len(s) == 1 {
			list[0].fate.in = s[0]
		}
	}
}

func lineOf(it *Item) int {
	if it.node != nil {
		return it.node.Line + it.base
	}
	return 0
}

// choose is the one of several resources of the same identity, as different folders of a package may hold, that
// has the id or came from the file that the annotations name; the first where they name none of them.
func choose(known []*shown, claimed map[*shown]bool, it *Item) *shown {
	var first *shown
	for _, s := range known {
		if claimed[s] {
			continue
		}
		if first == nil {
			first = s
		}
		if len(known) == 1 || s.origin().fits(originOf(it.node)) {
			return s
		}
	}
	return first
}

// origin is where the function saw that an item came from.
func (s *shown) origin() origin {
	if s.from == nil {
		var from origin
		if n, err := s.tree(); err == nil {
			from = originOf(n)
		}
		s.from = &from
	}
	return *s.from
}

// collect puts together what leaves.
func (x *Exchange) collect(answer *ResourceList) (*Output, error) {
	list := *x.list
	back := make(map[*shown]bool, len(answer.Items))
	var from []int
	var leaves []*Item
	for _, it := range answer.Items {
		leaves = append(leaves, it.fate.leaves)
		if it.fate.in == nil {
			from = append(from, -1)
			continue
		}
		back[it.fate.in] = true
		from = append(from, it.fate.in.at)
	}
	var groups [][]Change // of one resource each
	for _, s := range x.shown {
		if !back[s] {
			n, err := s.item.tree()
			if err != nil {
				return nil, err
			}
			d := differ{resource: s.item.Identity, veil: veilOf(s.item.Identity, n)}
			d.record(n, nil)
			groups = append(groups, d.changes)
		}
	}
	for _, it := range answer.Items {
		if len(it.fate.changes) > 0 {
			groups = append(groups, it.fate.changes)
		}
	}
	list.Items = x.arrange(leaves, from)
	list.Results = x.redactResults(answer.Results)
	out := &Output{List: &list, Summary: summarizeChanges(groups), Results: list.Results}
	out.Summary.Reordered = reordered(from)
	for _, g := range groups {
		out.Changes = append(out.Changes, g...)
	}
	for _, it := range answer.Items {
		if it.fate.commented {
			out.Commented = append(out.Commented, it.Identity)
		}
	}
	return out, nil
}

// arrange puts what was not shown back: each item behind the one that stood before it in the input, or at the start.
func (x *Exchange) arrange(items []*Item, from []int) []*Item {
	if len(x.shown) == len(x.list.Items) {
		return items
	}
	present := make(map[int]bool, len(from))
	for _, i := range from {
		present[i] = true
	}
	visible := make(map[int]bool, len(x.shown))
	for _, s := range x.shown {
		visible[s.at] = true
	}
	behind := map[int][]*Item{}
	last := -1
	for i, it := range x.list.Items {
		switch {
		case !visible[i]:
			behind[last] = append(behind[last], it)
		case present[i]:
			last = i
		}
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
