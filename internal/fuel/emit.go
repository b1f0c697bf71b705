package fuel

import "github.com/krmsafe/krmsafe/internal/wasm"

// An insertion is code to put before the byte at offset at of a body, or in
// place of the bytes up to end.
type insertion struct {
	at, end int32
	rank    uint8 // order at equal offsets
	kind    insertionKind
	check   bool // trap if the counter is below zero after it
	arg     int32
	units   uint64
}

type insertionKind uint8

const (
	insertCharge insertionKind = iota
	insertElse                 // else, then the charge
	insertBrIf                 // br_if becomes if, charge, br, end
	insertBulk                 // charge by length
	insertReturn               // return becomes a branch to the function's end
	insertResume               // charge if the local arg is not zero
)

const (
	rankCharge = iota
	rankElse
	rankEvent
)

// collect turns the placement into insertions, in order of offset.
func (r *rewriter) collect() {
	r.ins = r.ins[:0]
	s := &r.scanner
	for _, o := range s.order {
		i, kind := o>>orderBits, o&(1<<orderBits-1)
		switch kind {
		case orderNode:
			n := &s.nodes[i]
			if header := s.isHeader(i); n.fixed && (n.run > 0 || header) {
				r.insert(insertion{at: n.at, end: n.at, units: n.run, check: header})
			}
		case orderEvent:
			e := &s.events[i]
			switch {
			case e.kind == eventBulk:
				r.insert(insertion{at: e.at, end: e.at, rank: rankEvent, kind: insertBulk, arg: e.arg, check: true})
			case r.counted:
				r.insert(insertion{at: e.at, end: e.end, rank: rankEvent, kind: insertReturn, arg: e.arg})
			}
		default:
			n := &s.nodes[i]
			r.collectEdge(i, n, &n.edges[kind])
		}
	}
}

// insert adds an insertion, behind those that are not to follow it. What one
// instruction brings about stands within it, so that the way is short.
func (r *rewriter) insert(in insertion) {
	r.ins = append(r.ins, in)
	for i := len(r.ins) - 1; i > 0 && in.before(&r.ins[i-1]); i-- {
		r.ins[i], r.ins[i-1] = r.ins[i-1], in
	}
}

// before says whether in is to be emitted before other, which was found first.
func (in *insertion) before(other *insertion) bool {
	return in.at < other.at || in.at == other.at && in.rank < other.rank
}

func (r *rewriter) collectEdge(i int32, n *node, e *edge) {
	s := &r.scanner
	to := s.target(e)
	t := &s.nodes[to]
	in := insertion{at: e.at, end: e.at}
	if !t.fixed && t.run > n.base {
		in.units = t.run - n.base
	}
	l := s.loopOf(to)
	if to <= i {
		in.check = !t.fixed || l == nil // a fixed header looks itself
		if !t.fixed {
			in.units = t.run
		}
	}
	if l != nil && l.dispatch && !t.fixed && l.max > t.base {
		// Whoever enters at another target than the first pays for the largest.
		r.insert(insertion{at: e.at, end: e.at, rank: rankEvent, kind: insertResume, arg: int32(l.local), units: l.max - t.base}) //nolint:gosec // an index of a local
	}
	if in.units == 0 && !in.check {
		return
	}
	switch e.kind {
	case edgeElse:
		in.kind, in.rank = insertElse, rankElse
	case edgeBrIf:
		in.kind, in.rank = insertBrIf, rankEvent
	}
	r.insert(in)
}

// emit appends the rewritten instructions of a body to dst.
func (r *rewriter) emit(dst, code []byte) []byte {
	pos, long := int32(0), r.scanner.long
	for i := range r.ins {
		in := &r.ins[i]
		dst, long = cut(dst, code, pos, in.at, long)
		pos = in.at
		switch in.kind {
		case insertCharge:
			dst = r.charge(dst, in.units, in.check)
		case insertElse:
			dst = append(dst, byte(wasm.OpElse))
			dst = r.charge(dst, in.units, in.check)
		case insertBrIf:
			depth, n := wasm.U32(code[pos+1:])
			dst = append(dst, byte(wasm.OpIf), emptyBlock)
			dst = r.charge(dst, in.units, in.check)
			dst = append(dst, byte(wasm.OpBr))
			dst = wasm.AppendU32(dst, depth+1)
			dst = append(dst, byte(wasm.OpEnd))
			pos += int32(1 + n) //nolint:gosec // an instruction's length
		case insertBulk:
			if r.farBulk {
				dst = append(dst, byte(wasm.OpCall))
				dst = wasm.AppendU32(dst, r.helpers.index(int(in.arg)))
			} else {
				dst = r.bulk(dst, int(in.arg))
			}
		case insertResume:
			dst = append(dst, byte(wasm.OpLocalGet))
			dst = wasm.AppendU32(dst, uint32(in.arg)) //nolint:gosec // an index of a local
			dst = append(dst, byte(wasm.OpIf), emptyBlock)
			dst = r.charge(dst, in.units, false)
			dst = append(dst, byte(wasm.OpEnd))
		case insertReturn:
			dst = append(dst, byte(wasm.OpBr))
			dst = wasm.AppendU32(dst, uint32(in.arg)) //nolint:gosec // a nesting depth
			pos = in.end
		}
	}
	dst, _ = cut(dst, code, pos, int32(len(code)), long) //nolint:gosec // bodies are shorter than 2 GiB
	return dst
}

// cut appends the code from pos to end, with the numbers that begin there cut to what
// they need, and gives those that begin later.
func cut(dst, code []byte, pos, end int32, long []longNumber) (out []byte, later []longNumber) {
	for len(long) > 0 && long[0].end <= end {
		dst = append(dst, code[pos:long[0].needed]...)
		dst[len(dst)-1] &^= 0x80
		pos, long = long[0].end, long[1:]
	}
	return append(dst, code[pos:end]...), long
}

const (
	emptyBlock = 0x40
	opI64GeS   = 0x59
	opI64Add   = 0x7c
	opI64Sub   = 0x7d
	opI64Or    = 0x84
	opI64Shl   = 0x86
	opI64ShrU  = 0x88
	opExtendU  = 0xad // i64.extend_i32_u
)

// charge subtracts units from the counter.
func (r *rewriter) charge(dst []byte, units uint64, check bool) []byte {
	if units > 0 {
		r.stats.Charges++
		dst = append(dst, r.getFuel...)
		dst = append(dst, byte(wasm.OpI64Const))
		dst = wasm.AppendS64(dst, int64(units)) //nolint:gosec // bounded by the length of the body
		dst = append(dst, opI64Sub)
		dst = append(dst, r.setFuel...)
	}
	if check {
		dst = r.check(dst)
	}
	return dst
}

// check traps if the counter is below zero.
func (r *rewriter) check(dst []byte) []byte {
	return r.trapIfNegative(append(dst, r.getFuel...))
}

// trapIfNegative traps if the i64 on top of the stack is below zero. The trap
// stands in the else arm because wazero's compiler moves that one out of the
// way and lets the other fall through.
func (r *rewriter) trapIfNegative(dst []byte) []byte {
	r.stats.Checks++
	return append(dst, byte(wasm.OpI64Const), 0, opI64GeS, byte(wasm.OpIf), emptyBlock, byte(wasm.OpElse), byte(wasm.OpUnreachable), byte(wasm.OpEnd))
}

// bulk charges by the i32 on top of the stack and leaves it there.
func (r *rewriter) bulk(dst []byte, shift int) []byte {
	dst = append(dst, byte(wasm.OpLocalTee))
	dst = wasm.AppendU32(dst, r.lengthLocal)
	dst = append(dst, r.getFuel...)
	dst = append(dst, byte(wasm.OpLocalGet))
	dst = wasm.AppendU32(dst, r.lengthLocal)
	dst = append(dst, opExtendU)
	if shift != 0 {
		op := byte(opI64Shl)
		if shift < 0 {
			op, shift = opI64ShrU, -shift
		}
		dst = append(dst, byte(wasm.OpI64Const), byte(shift), op) //nolint:gosec // below 64
	}
	dst = append(dst, opI64Sub)
	dst = append(dst, r.setFuel...)
	return r.check(dst)
}
