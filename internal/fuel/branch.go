package fuel

import (
	"fmt"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

// label finds the frame a branch goes to.
func (s *scanner) label(depth uint32) (*frame, error) {
	if uint64(depth) >= uint64(len(s.frames)) {
		return nil, fmt.Errorf("branch to an unknown label")
	}
	f := &s.frames[len(s.frames)-1-int(depth)]
	f.refs = true
	if depth == uint32(len(s.frames)-1) { //nolint:gosec // nesting is below 4 G
		s.exitRefs = true
	}
	return f, nil
}

func (s *scanner) branch(w *wasm.Walker) error {
	s.pay(Unit)
	from := s.cur
	switch w.Op {
	case wasm.OpUnreachable:
		s.nodes[from].trap = true
		s.cur = -1
	case wasm.OpReturn:
		f, err := s.label(uint32(len(s.frames) - 1)) //nolint:gosec // nesting is below 4 G
		if err != nil {
			return err
		}
		s.edge(from, ^f.label, w.Start, edgeInsert)
		s.event(event{at: int32(w.Start), end: int32(w.End), kind: eventReturn, arg: int32(len(s.frames) - 1)}) //nolint:gosec // bodies are shorter than 2 GiB
		s.cur = -1
	case wasm.OpBr:
		f, err := s.label(w.A)
		if err != nil {
			return err
		}
		to := ^f.label
		if f.loop >= 0 {
			to = s.jump(w, f)
		}
		s.edge(from, to, w.Start, edgeInsert)
		s.cur = -1
	case wasm.OpBrIf:
		f, err := s.label(w.A)
		if err != nil {
			return err
		}
		kind := edgeBrIf
		if f.arity {
			kind = edgeFixed
			s.fix(f)
		}
		if f.loop >= 0 {
			s.loops[f.loop].backs++
			s.loops[f.loop].fixed = s.loops[f.loop].fixed || f.arity
		}
		s.nodes[from].result = s.seen.callEnd == w.Start
		s.edge(from, ^f.label, w.Start, kind)
		next := s.newNode(w.End)
		s.edge(from, next, w.End, edgeInsert)
		s.cur = next
	default:
		return s.branchTable(w)
	}
	return nil
}

// jump finds where a branch back to a loop leads: to the loop's header, or
// through a dispatch table to a label that is known.
func (s *scanner) jump(w *wasm.Walker, f *frame) int32 {
	l := &s.loops[f.loop]
	if l.dispatch && s.seen.setEnd == w.Start && s.seen.set == l.local {
		s.pay(s.nodes[l.header].w)
		k := min(uint64(uint32(s.seen.setValue)), uint64(l.last-l.first)) //nolint:gosec // an i32 read as unsigned
		return ^s.targets[l.first+int32(k)]                               //nolint:gosec // an index of targets
	}
	l.backs++
	return ^f.label
}

// dispatch recognizes a table of jumps at the head of a loop.
func (s *scanner) dispatch(w *wasm.Walker) (bool, error) {
	if s.exact || s.curLoop < 0 || s.loops[s.curLoop].header != s.cur || s.nodes[s.cur].w != 2*Unit || s.seen.getEnd != w.Start {
		return false, nil
	}
	first := len(s.targets)
	for t := w.Targets(); t.Next(); {
		f, err := s.label(t.Label)
		if err != nil {
			return false, err
		}
		if f.loop >= 0 || f.arity {
			s.targets = s.targets[:first]
			return false, nil
		}
		s.targets = append(s.targets, f.label)
	}
	l := &s.loops[s.curLoop]
	l.dispatch, l.local = true, s.seen.got
	l.first, l.last = int32(first), int32(len(s.targets)-1) //nolint:gosec // fewer targets than bytes
	s.cur = -1
	return true, nil
}

func (s *scanner) branchTable(w *wasm.Walker) error {
	if done, err := s.dispatch(w); done || err != nil {
		return err
	}
	for t := w.Targets(); t.Next(); {
		f, err := s.label(t.Label)
		if err != nil {
			return err
		}
		if f.loop >= 0 {
			s.loops[f.loop].backs++
			s.loops[f.loop].fixed = true
		}
		s.fix(f)
	}
	s.cur = -1
	return nil
}

// fix notes that a branch to the frame's label cannot carry a charge.
func (s *scanner) fix(f *frame) { s.fixed = append(s.fixed, f.label) }

// blockType says whether a block takes operands and whether it leaves any.
func (s *scanner) blockType(t int64) (params, results bool, err error) {
	switch {
	case t == -64:
		return false, false, nil
	case t < 0:
		return false, true, nil
	case t >= int64(len(s.mod.Types)):
		return false, false, fmt.Errorf("unknown block type %d", t)
	}
	ft := &s.mod.Types[t]
	return len(ft.Params) > 0, len(ft.Results) > 0, nil
}
