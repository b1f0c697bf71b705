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
		l.split = !l.fixed && l.backs > 0 && l.backs <= maxSplitBacks
		if !l.split && l.backs > 0 {
			s.nodes[l.header].fixed = true
		}
	}
	for i := len(s.nodes) - 1; i >= 0; i-- {
		n := &s.nodes[i]
		n.base = s.baseOf(n, tolerance, exit)
		n.run = uint64(n.w) + n.base
		s.total += uint64(n.w)
	}
}

// maxSplitBacks is how many branches back a loop may have to be charged at
// them: each takes as much code as a charge at the header.
const maxSplitBacks = 2

func (s *scanner) baseOf(n *node, tolerance, exit uint64) uint64 {
	depth := s.depth(n.loop)
	switch n.count {
	case 1:
		e := &n.edges[0]
		if s.leaves(n, e, depth) {
			return 0
		}
		return s.demand(n, e)
	case 2:
		a, b := &n.edges[0], &n.edges[1]
		da, db := s.demand(n, a), s.demand(n, b)
		ta, tb := s.tolerance(a, tolerance), s.tolerance(b, tolerance)
		la, lb := s.leaves(n, a, depth), s.leaves(n, b, depth)
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

// demand is what the successor wants to find paid. A branch back to a header
// pays for itself.
func (s *scanner) demand(n *node, e *edge) uint64 {
	t := &s.nodes[s.target(e)]
	if t.fixed || s.isBack(n, e) {
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

// isBack says whether an edge leads backwards, to a loop's header.
func (s *scanner) isBack(n *node, e *edge) bool {
	t := s.target(e)
	return s.nodes[t].at <= n.at && s.isHeader(t)
}

func (s *scanner) isHeader(t int32) bool {
	l := s.nodes[t].loop
	return l >= 0 && s.loops[l].header == t
}

func (s *scanner) depth(loop int32) int32 {
	if loop < 0 {
		return 0
	}
	return s.loops[loop].depth
}

// leaves says whether an edge leaves the loop around n.
func (s *scanner) leaves(n *node, e *edge, depth int32) bool {
	return depth > s.depth(s.nodes[s.target(e)].loop)
}
