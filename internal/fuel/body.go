package fuel

import (
	"fmt"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

// A rewriter rewrites one function body after another.
type rewriter struct {
	scanner scanner
	mod     *wasm.Module
	module  []byte
	types   *typeList
	helpers helperList
	stats   Stats

	getFuel, setFuel   []byte
	getDepth, setDepth []byte
	tolerance, exit    uint64

	// Of the current function.
	ins         []insertion
	counted     bool   // takes part in the count of nested calls
	frameUnits  uint64 // what it takes of it
	lengthLocal uint32 // scratch for lengths, an i32
	farBulk     bool   // charges by length are calls of helpers
	wrapped     bool   // the body stands in a block of its own
	out         []byte // scratch
}

func newRewriter(m *wasm.Module, module []byte, types *typeList, opt Options) *rewriter {
	r := &rewriter{mod: m, module: module, types: types, scanner: scanner{mod: m, bottoms: newBottoms(m, module)}}
	// Growing them step by step is half of the work for a small module.
	largest := m.LargestBody
	r.out = make([]byte, 0, largest+largest/2+256)
	r.ins = make([]insertion, 0, largest/32+16)
	r.scanner.nodes = make([]node, 0, largest/10+16)
	r.scanner.order = make([]int32, 0, largest/6+64)
	r.helpers.first = uint32(len(m.Functions)) //nolint:gosec // bounded by the module's length
	n := uint32(len(m.Globals))                //nolint:gosec // bounded by the module's length
	r.getFuel = wasm.AppendU32([]byte{byte(wasm.OpGlobalGet)}, n)
	r.setFuel = wasm.AppendU32([]byte{byte(wasm.OpGlobalSet)}, n)
	r.getDepth = wasm.AppendU32([]byte{byte(wasm.OpGlobalGet)}, n+1)
	r.setDepth = wasm.AppendU32([]byte{byte(wasm.OpGlobalSet)}, n+1)
	r.tolerance, r.exit = branchTolerance, exitTolerance
	if opt.Exact {
		r.tolerance, r.exit, r.scanner.exact = 0, 0, true
	}
	return r
}

// body appends the rewritten body of the function at index to dst, without
// its length.
func (r *rewriter) body(dst []byte, index uint32, b wasm.Body) ([]byte, error) {
	t := r.mod.FuncType(index)
	code := r.module[b.Code:b.End]
	s := &r.scanner
	if err := s.scan(code, b.Code, len(t.Results) > 0); err != nil {
		return nil, fmt.Errorf("function %d: %w", index, err)
	}
	s.place(r.tolerance, r.exit)

	locals := uint32(len(t.Params)) + b.Locals //nolint:gosec // bounded by wasm.Limits
	r.frameUnits = r.frame(locals)
	r.counted = s.counts || r.frameUnits > 1
	r.wrapped = r.counted && s.exitRefs
	r.collect()

	dst = r.locals(dst, b, locals)
	entry := s.nodes[0].run + uint64(b.Locals)/LocalsPerUnit
	if s.nodes[0].fixed {
		entry = uint64(b.Locals) / LocalsPerUnit
	}
	dst = r.enter(dst, entry)
	r.stats.LargestFrame = max(r.stats.LargestFrame, r.frameUnits)
	if !r.counted {
		return r.emit(dst, code), nil
	}
	r.stats.Counted++
	if r.wrapped {
		dst = append(dst, byte(wasm.OpBlock))
		dst = r.types.appendBlockType(dst, t.Results)
	}
	dst = r.emit(dst, code[:len(code)-1])
	if r.wrapped {
		dst = append(dst, byte(wasm.OpEnd))
	}
	if r.wrapped || s.ends {
		dst = r.addDepth(dst, int64(r.frameUnits)) //nolint:gosec // bounded by the length of the body
	}
	return append(dst, byte(wasm.OpEnd)), nil
}

// locals appends the declaration of locals, with those that metering needs.
func (r *rewriter) locals(dst []byte, b wasm.Body, locals uint32) []byte {
	groups := b.LocalGroups
	var extra [4]byte
	add := extra[:0]
	bulk := 0
	for _, e := range r.scanner.events {
		if e.kind == eventBulk {
			bulk++
		}
	}
	if r.farBulk = bulk > maxNearBulk; bulk > 0 && !r.farBulk {
		r.lengthLocal = locals
		add = append(add, 1, byte(wasm.I32))
		groups++
	}
	dst = wasm.AppendU32(dst, groups)
	_, n := wasm.U32(r.module[b.Start:b.Code])
	dst = append(dst, r.module[b.Start+n:b.Code]...)
	return append(dst, add...)
}

// enter appends what an activation does first: it pays, takes its share of
// the depth, and traps if either has run out. The depth is left at -1 if it
// was the reason.
func (r *rewriter) enter(dst []byte, units uint64) []byte {
	s := &r.scanner
	if !r.counted {
		return r.charge(dst, units, s.calls || s.total > uncheckedUnits)
	}
	dst = r.charge(dst, units, false)
	dst = r.addDepth(dst, -int64(r.frameUnits)) //nolint:gosec // bounded by the length of the body
	dst = append(dst, r.getDepth...)
	if units > 0 {
		dst = append(dst, r.getFuel...)
		dst = append(dst, opI64Or)
	}
	return r.trapIfNegative(dst)
}

// addDepth appends what adds n to what is left of the depth.
func (r *rewriter) addDepth(dst []byte, n int64) []byte {
	dst = append(dst, r.getDepth...)
	op := byte(opI64Add)
	if n < 0 {
		op, n = opI64Sub, -n
	}
	dst = append(dst, byte(wasm.OpI64Const))
	dst = wasm.AppendS64(dst, n)
	dst = append(dst, op)
	return append(dst, r.setDepth...)
}

// uncheckedUnits is the most that the instructions of a function that calls no
// other may cost together if it does not look at the counter on entry. Its
// callers look at theirs, and its loops do.
const uncheckedUnits = 256
