package fuel

import (
	"fmt"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

// A scanner turns one function body after another into a graph of nodes. It
// keeps its slices between functions.
type scanner struct {
	mod     *wasm.Module
	exact   bool // no dispatch tables
	code    []byte
	bottoms *bottoms
	nodes   []node
	labels  []int32 // node of each label, -1 until known
	loops   []loopInfo
	frames  []frame
	events  []event
	order   []int32 // nodes, edges and events in the order in which they were met: see place kinds
	long    []longNumber
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
	s.frames, s.events, s.fixed, s.order = s.frames[:0], s.events[:0], s.fixed[:0], s.order[:0]
	s.curLoop, s.exitRefs, s.ends = -1, false, false
	s.counts, s.long = false, s.long[:0]
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

// Kinds of what order lists, in the lowest bits of its entries: an edge of a node
// by its number, a node, an event. The rest of an entry is the index.
const (
	orderNode  = 2
	orderEvent = 3
	orderBits  = 2
)

func (s *scanner) newNode(at int) int32 {
	i := int32(len(s.nodes))                                        //nolint:gosec // fewer nodes than bytes
	s.nodes = append(s.nodes, node{at: int32(at), loop: s.curLoop}) //nolint:gosec // bodies are shorter than 2 GiB
	s.order = append(s.order, i<<orderBits|orderNode)
	return i
}

func (s *scanner) event(e event) {
	s.order = append(s.order, int32(len(s.events))<<orderBits|orderEvent) //nolint:gosec // fewer events than bytes
	s.events = append(s.events, e)
}

func (s *scanner) newLabel() int32 {
	s.labels = append(s.labels, -1)
	return int32(len(s.labels) - 1) //nolint:gosec // fewer labels than bytes
}

func (s *scanner) edge(from, to int32, at int, kind edgeKind) {
	n := &s.nodes[from]
	n.edges[n.count] = edge{to: to, at: int32(at), kind: kind} //nolint:gosec // bodies are shorter than 2 GiB
	s.order = append(s.order, from<<orderBits|int32(n.count))
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
	s.code = code
	s.cur = s.newNode(0)
	s.frames = append(s.frames, frame{label: s.newLabel(), loop: -1, ifNode: -1, arity: results})
	w := wasm.NewWalker(code, at)
	for {
		if s.cur >= 0 {
			w.End = s.plain(code, w.End)
		}
		if !w.Next() {
			break
		}
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
		s.trim(s.code, w.End, false)
		s.pay(Unit)
		if s.seen.callEnd == w.Start {
			s.seen.callEnd = w.End
		}
	case wasm.OpI32Const:
		s.pay(Unit)
		s.seen.value, s.seen.constEnd = w.Int, w.End
	case wasm.OpCall:
		s.trim(s.code, w.End, false)
		s.seen.callEnd = w.End
		if int(w.A) < s.mod.ImportedFunctions {
			s.pay(HostCallUnits)
		} else {
			s.pay(CallUnits)
			s.calls = true
			s.counts = s.counts || !s.bottoms.has(int(w.A)-s.mod.ImportedFunctions)
		}
	case wasm.OpCallIndirect:
		s.trim(s.code, pastNumber(s.code, w.Imm), false)
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
		s.event(event{at: int32(w.Start), end: int32(w.End), kind: eventBulk, arg: int32(shift)}) //nolint:gosec // bodies are shorter than 2 GiB
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
