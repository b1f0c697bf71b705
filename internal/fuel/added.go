package fuel

import "github.com/krmsafe/krmsafe/internal/wasm"

// maxNearBulk is how many operations over ranges a function may have before
// their charges move into functions of their own. Each charge in place splits
// the code around it, and an engine's time grows with the square of that.
const maxNearBulk = 8

// helperList is the functions added to the module: each takes a length,
// charges for it, and gives it back.
type helperList struct {
	first  uint32 // index of the first
	shifts []int  // what each of them charges
}

// index gives the function index of the helper for a shift.
func (l *helperList) index(shift int) uint32 {
	for i, s := range l.shifts {
		if s == shift {
			return l.first + uint32(i)
		}
	}
	l.shifts = append(l.shifts, shift)
	return l.first + uint32(len(l.shifts)-1) //nolint:gosec // there are four shifts
}

// helper appends the body of the helper for a shift, with its length.
func (r *rewriter) helper(dst []byte, shift int) []byte {
	body := r.out[:0]
	body = append(body, 0, byte(wasm.OpLocalGet), 0)
	r.lengthLocal = 0
	body = r.bulk(body, shift)
	body = append(body, byte(wasm.OpEnd))
	r.out = body
	dst = wasm.AppendU32(dst, uint32(len(body))) //nolint:gosec // a few bytes
	return append(dst, body...)
}

// typeList is the type section with room for types of blocks that return
// several values.
type typeList struct {
	count uint32
	added []byte
	known map[string]uint32
}

// appendBlockType appends the type of a block without parameters.
func (l *typeList) appendBlockType(dst []byte, results []wasm.ValType) []byte {
	switch len(results) {
	case 0:
		return append(dst, emptyBlock)
	case 1:
		return append(dst, byte(results[0]))
	}
	return wasm.AppendS64(dst, int64(l.index(nil, results)))
}

// index gives the index of a function type that is added if it must be.
func (l *typeList) index(params, results []wasm.ValType) uint32 {
	entry := []byte{0x60}
	for _, list := range [][]wasm.ValType{params, results} {
		entry = wasm.AppendU32(entry, uint32(len(list))) //nolint:gosec // bounded by wasm.Limits
		for _, t := range list {
			entry = append(entry, byte(t))
		}
	}
	index, ok := l.known[string(entry)]
	if !ok {
		index = l.count
		l.count++
		l.known[string(entry)] = index
		l.added = append(l.added, entry...)
	}
	return index
}
