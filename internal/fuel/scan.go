package fuel

import (
	"fmt"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

// A node is a run of instructions that is entered at its first and left at
// its last one. Unreachable code belongs to no node.
type node struct {
	w     uint32 // static price of its instructions
	loop  int32  // index of the innermost loop around it, -1 for none
	at    int32  // offset of its first instruction
	edges [2]edge
	count uint8 // of edges
	// fixed: some branch to this node has no place for a charge of its own,
	// so the node charges itself and nobody prepays it.
	fixed bool
	trap  bool // ends in unreachable
	// result: ends in a branch on what a call has just returned.
	result bool
	depth  int32 // of loops, see depths

	run  uint64 // what is prepaid when the node is entered, its own price included
	base uint64 // the part of run beyond its own price
}

// An edge leads from a node to the next one. to is a node's index or, if
// negative, the complement of a label's.
type edge struct {
	to   int32
	at   int32 // where a charge for the edge goes
	kind edgeKind
}

type edgeKind uint8

const (
	edgeInsert edgeKind = iota // a charge can be inserted at offset at
	edgeBrIf                   // the br_if at offset at must be rewritten to hold a charge
	edgeElse                   // an else must be inserted at offset at to hold a charge
	edgeFixed                  // no charge can be put on the edge
)

type loopInfo struct {
	parent int32
	depth  int32 // 1 for an outermost loop
	header int32 // node
	backs  int32 // branches to the header
	fixed  bool  // one of them is a br_table or carries values
	split  bool  // charged at the branches back rather than at the header

	// dispatch: the loop starts with a br_table over a local, as Go's compiler
	// writes functions: branches back set the local to a constant and
	// thereby name their target.
	dispatch    bool
	local       uint32
	first, last int32  // its labels in targets, the default behind last
	max         uint64 // largest run of a target
}

type frame struct {
	label  int32
	loop   int32 // index if the frame is a loop, else -1
	ifNode int32 // the node that ends in the if, until its else is met; else -1
	dead   bool  // unreachable when it was entered
	arity  bool  // branches to the label carry values
	refs   bool  // some branch goes to the label
}

// An event is an instruction that wants code of its own, whatever node it is in.
type event struct {
	at   int32
	end  int32
	kind eventKind
	arg  int32
}

type eventKind uint8

const (
	eventBulk   eventKind = iota // charge by length; arg is the shift
	eventReturn                  // arg is the depth of the function's label
)

// A scanner turns one function body after another into a graph of nodes. It
// keeps its slices between functions.
type scanner struct {
	mod     *wasm.Module
	exact   bool // no dispatch tables
	bottoms *bottoms
	nodes   []node
	labels  []int32 // node of each label, -1 until known
	loops   []loopInfo
	frames  []frame
	events  []event
	fixed   []int32 // labels that some branch cannot charge
	targets []int32 // labels of dispatch tables
	diff    []int32 // scratch of depths

	seen pattern

	cur      int32 // current node, -1 where code is unreachable
	curLoop  int32
	exit     int32 // the node behind the function's end
	exitRefs bool  // something branches or returns to the function's end
	ends     bool  // the last instruction can be reached

	total    uint64 // price of all nodes
	calls    bool   // calls a function of the module itself, or may
	counts   bool   // one of them is no bottom
	instrs   uint32
	joins    uint32 // labels at which locals may have to be merged
	vectors  bool
	assigned []uint64 // bit set of the locals that are assigned
}

func (s *scanner) reset() {
	s.nodes, s.labels, s.loops = s.nodes[:0], s.labels[:0], s.loops[:0]
	s.frames, s.events, s.fixed = s.frames[:0], s.events[:0], s.fixed[:0]
	s.curLoop, s.exitRefs, s.ends = -1, false, false
	s.counts = false
	s.total, s.calls, s.instrs, s.joins, s.vectors = 0, false, 0, 0, false
	s.assigned = s.assigned[:0]
	s.targets = s.targets[:0]
	s.seen = pattern{}
}

// A pattern remembers the last instructions as far as they matter.
type pattern struct {
	constEnd, getEnd, setEnd, callEnd int // ends of i32.const, local.get, i32.const and local.set, call
	value                             int64
	got, set                          uint32
	setValue                          int64
}

func (s *scanner) newNode(at int) int32 {
	s.nodes = append(s.nodes, node{at: int32(at), loop: s.curLoop}) //nolint:gosec // bodies are shorter than 2 GiB
	return int32(len(s.nodes) - 1)                                  //nolint:gosec // fewer nodes than bytes
}

func (s *scanner) newLabel() int32 {
	s.labels = append(s.labels, -1)
	return int32(len(s.labels) - 1) //nolint:gosec // fewer labels than bytes
}

func (s *scanner) edge(from, to int32, at int, kind edgeKind) {
	n := &s.nodes[from]
	n.edges[n.count] = edge{to: to, at: int32(at), kind: kind} //nolint:gosec // bodies are shorter than 2 GiB
	n.count++
}

// target is the node an edge leads to.
func (s *scanner) target(e *edge) int32 {
	if e.to < 0 {
		return s.labels[^e.to]
	}
	return e.to
}

// scan reads the instructions of a body. results says whether the function
// has any.
func (s *scanner) scan(code []byte, at int, results bool) error {
	s.reset()
	s.cur = s.newNode(0)
	s.frames = append(s.frames, frame{label: s.newLabel(), loop: -1, ifNode: -1, arity: results})
	w := wasm.NewWalker(code, at)
	for w.Next() {
		s.instrs++
		if err := s.step(&w); err != nil {
			return err
		}
	}
	if err := w.Err(); err != nil {
		return err
	}
	if len(s.frames) != 0 {
		return fmt.Errorf("function body at byte %d does not end", at)
	}
	return nil
}

func (s *scanner) step(w *wasm.Walker) error {
	if len(s.frames) == 0 {
		return fmt.Errorf("instruction behind the end of a function body")
	}
	switch w.Op {
	case wasm.OpBlock, wasm.OpLoop, wasm.OpIf:
		return s.open(w)
	case wasm.OpElse:
		return s.orElse(w)
	case wasm.OpEnd:
		s.end(w)
		return nil
	}
	if s.cur < 0 {
		return nil
	}
	switch w.Op {
	case wasm.OpBr, wasm.OpBrIf, wasm.OpBrTable, wasm.OpReturn, wasm.OpUnreachable:
		return s.branch(w)
	case wasm.OpLocalGet:
		s.pay(Unit)
		s.seen.got, s.seen.getEnd = w.A, w.End
	case wasm.OpGlobalGet:
		s.pay(Unit)
		if s.seen.callEnd == w.Start {
			s.seen.callEnd = w.End
		}
	case wasm.OpI32Const:
		s.pay(Unit)
		s.seen.value, s.seen.constEnd = w.Int, w.End
	case wasm.OpCall:
		s.seen.callEnd = w.End
		if int(w.A) < s.mod.ImportedFunctions {
			s.pay(HostCallUnits)
		} else {
			s.pay(CallUnits)
			s.calls = true
			s.counts = s.counts || !s.bottoms.has(int(w.A)-s.mod.ImportedFunctions)
		}
	case wasm.OpCallIndirect:
		s.seen.callEnd = w.End
		s.pay(CallIndirectUnits)
		s.calls, s.counts = true, true
	case wasm.OpLocalSet, wasm.OpLocalTee:
		s.pay(Unit)
		s.assign(w.A)
		if s.seen.callEnd == w.Start {
			s.seen.callEnd = w.End
		}
		if s.seen.constEnd == w.Start {
			s.seen.set, s.seen.setValue, s.seen.setEnd = w.A, s.seen.value, w.End
		}
	case wasm.OpMemoryGrow:
		s.pay(GrowUnits)
		s.bulk(w)
	default:
		if w.Op < 0x100 {
			s.pay(uint32(weights[w.Op]))
			return nil
		}
		s.pay(prefixedWeight(w.Op))
		s.vectors = s.vectors || w.Op >= wasm.OpV128Load
		s.bulk(w)
	}
	return nil
}

func (s *scanner) pay(units uint32) { s.nodes[s.cur].w += units }

func (s *scanner) assign(local uint32) {
	word := int(local / 64)
	for len(s.assigned) <= word {
		s.assigned = append(s.assigned, 0)
	}
	s.assigned[word] |= 1 << (local % 64)
}

func (s *scanner) bulk(w *wasm.Walker) {
	if shift, ok := lengthShift(w.Op); ok {
		s.events = append(s.events, event{at: int32(w.Start), end: int32(w.End), kind: eventBulk, arg: int32(shift)}) //nolint:gosec // bodies are shorter than 2 GiB
	}
}

// open enters a block, loop or if.
func (s *scanner) open(w *wasm.Walker) error {
	params, results, err := s.blockType(w.Int)
	if err != nil {
		return err
	}
	f := frame{label: s.newLabel(), loop: -1, ifNode: -1, dead: s.cur < 0, arity: results}
	switch w.Op {
	case wasm.OpLoop:
		f.arity = params
		if f.dead {
			break
		}
		l := loopInfo{parent: s.curLoop, depth: 1}
		if s.curLoop >= 0 {
			l.depth = s.loops[s.curLoop].depth + 1
		}
		f.loop = int32(len(s.loops)) //nolint:gosec // fewer loops than bytes
		s.curLoop = f.loop
		l.header = s.newNode(w.End)
		s.joins++
		s.loops = append(s.loops, l)
		s.edge(s.cur, l.header, w.Start, edgeInsert)
		s.labels[f.label] = l.header
		s.cur = l.header
	case wasm.OpIf:
		if f.dead {
			break
		}
		s.pay(Unit)
		f.ifNode = s.cur
		s.nodes[s.cur].result = s.seen.callEnd == w.Start
		then := s.newNode(w.End)
		s.edge(s.cur, then, w.End, edgeInsert)
		s.cur = then
	}
	s.frames = append(s.frames, f)
	return nil
}

func (s *scanner) orElse(w *wasm.Walker) error {
	f := &s.frames[len(s.frames)-1]
	if f.dead {
		return nil
	}
	if f.ifNode < 0 {
		return fmt.Errorf("else without if")
	}
	if s.cur >= 0 {
		f.refs = true
		s.edge(s.cur, ^f.label, w.Start, edgeInsert)
	}
	s.cur = s.newNode(w.End)
	s.edge(f.ifNode, s.cur, w.End, edgeInsert)
	f.ifNode = -1
	return nil
}

func (s *scanner) end(w *wasm.Walker) {
	f := s.frames[len(s.frames)-1]
	s.frames = s.frames[:len(s.frames)-1]
	if f.dead {
		return
	}
	last := len(s.frames) == 0
	if f.loop >= 0 {
		s.curLoop = s.loops[f.loop].parent
		if s.cur >= 0 {
			after := s.newNode(w.End)
			s.edge(s.cur, after, w.Start, edgeInsert)
			s.cur = after
		}
		return
	}
	if last {
		s.ends = s.cur >= 0
	} else if !f.refs && f.ifNode < 0 {
		return // the block is no label, or its end cannot be reached
	}
	after := s.newNode(w.End)
	s.joins++
	if s.cur >= 0 {
		s.edge(s.cur, after, w.Start, edgeInsert)
	}
	if f.ifNode >= 0 {
		s.edge(f.ifNode, after, w.Start, edgeElse)
	}
	s.labels[f.label] = after
	s.cur = after
	if last {
		s.exit = after
	}
}

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
		s.events = append(s.events, event{at: int32(w.Start), end: int32(w.End), kind: eventReturn, arg: int32(len(s.frames) - 1)}) //nolint:gosec // bodies are shorter than 2 GiB
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
