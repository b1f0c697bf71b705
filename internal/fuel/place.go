package fuel

// place decides what is charged where. It fills run and base of every node,
// last node first: branches lead forward but for those back to a loop's
// header, so that the run of every other successor is known.
func (s *scanner) place(tolerance, exit uint64) {
	for _, l := range s.fixed {
		if n := s.labels[l]; n >= 0 {
			s.nodes[n].fixed = true
		}
	}
	for i := range s.loops {
		l := &s.loops[i]
		l.split = !l.fixed && (l.backs <= maxSplitBacks || l.dispatch)
		if !l.split {
			s.nodes[l.header].fixed = true
		}
	}
	s.depths()
	for i := int32(len(s.nodes) - 1); i >= 0; i-- { //nolint:gosec // fewer nodes than bytes
		n := &s.nodes[i]
		s.total += uint64(n.w)
		if l := s.loopOf(i); l != nil && l.dispatch {
			s.placeDispatch(n, l)
			continue
		}
		n.base = s.baseOf(i, n, tolerance, exit)
		n.run = uint64(n.w) + n.base
	}
}

// placeDispatch prepays the first target of a dispatch table, where activations
// start, or the largest if branches back may lead anywhere.
func (s *scanner) placeDispatch(n *node, l *loopInfo) {
	for _, t := range s.targets[l.first : l.last+1] {
		if t := &s.nodes[s.labels[t]]; !t.fixed {
			l.max = max(l.max, t.run)
		}
	}
	n.base = l.max
	if !n.fixed && l.backs == 0 {
		n.base = 0
		if first := &s.nodes[s.labels[s.targets[l.first]]]; !first.fixed {
			n.base = first.run
		}
	}
	n.run = uint64(n.w) + n.base
}

// depths counts the loops around each node: those of the code, and the ranges
// that branches back through a dispatch table span.
func (s *scanner) depths() {
	for i := range s.nodes {
		n := &s.nodes[i]
		n.depth = 0
		if n.loop >= 0 {
			n.depth = s.loops[n.loop].depth
		}
	}
	if len(s.targets) == 0 {
		return // only dispatch tables have others
	}
	s.diff = append(s.diff[:0], make([]int32, len(s.nodes)+1)...)
	for i := range s.nodes {
		n := &s.nodes[i]
		for j := range n.count {
			if t := s.target(&n.edges[j]); t <= int32(i) && !s.isHeader(t) {
				s.diff[t]++
				s.diff[i+1]--
			}
		}
	}
	extra := int32(0)
	for i := range s.nodes {
		extra += s.diff[i]
		s.nodes[i].depth += extra
	}
}

// maxSplitBacks is how many branches back a loop may have to be charged at
// them: each takes as much code as a charge at the header.
const maxSplitBacks = 2

func (s *scanner) baseOf(i int32, n *node, tolerance, exit uint64) uint64 {
	switch n.count {
	case 1:
		e := &n.edges[0]
		if s.leaves(n, e) {
			return 0
		}
		return s.demand(i, e)
	case 2:
		a, b := &n.edges[0], &n.edges[1]
		da, db := s.demand(i, a), s.demand(i, b)
		if n.result {
			tolerance = exit
		}
		ta, tb := s.tolerance(a, tolerance), s.tolerance(b, tolerance)
		la, lb := s.leaves(n, a), s.leaves(n, b)
		switch {
		case la && lb:
			return 0
		case la:
			return min(db, da+max(exit, ta))
		case lb:
			return min(da, db+max(exit, tb))
		}
		return min(max(da, db), satAdd(da, ta), satAdd(db, tb))
	}
	return 0
}

// demand is what the successor wants to find paid. A branch back pays for
// itself.
func (s *scanner) demand(i int32, e *edge) uint64 {
	to := s.target(e)
	t := &s.nodes[to]
	if t.fixed || to <= i {
		return 0
	}
	return t.run
}

// tolerance says by how much an edge may be charged too much: any amount if
// what follows is a trap.
func (s *scanner) tolerance(e *edge, tolerance uint64) uint64 {
	if t := &s.nodes[s.target(e)]; t.trap && t.count == 0 && tolerance > 0 {
		return 1 << 62
	}
	return tolerance
}

func satAdd(a, b uint64) uint64 {
	if a+b < a {
		return ^uint64(0)
	}
	return a + b
}

func (s *scanner) isHeader(t int32) bool { return s.loopOf(t) != nil }

// loopOf is the loop whose header is node t, nil if it is none.
func (s *scanner) loopOf(t int32) *loopInfo {
	l := s.nodes[t].loop
	if l < 0 || s.loops[l].header != t {
		return nil
	}
	return &s.loops[l]
}

// leaves says whether an edge leaves the loop around n.
func (s *scanner) leaves(n *node, e *edge) bool {
	return n.depth > s.nodes[s.target(e)].depth
}
