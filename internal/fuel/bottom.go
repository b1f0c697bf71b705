package fuel

import "github.com/krmsafe/krmsafe/internal/wasm"

// maxBottomHeight is how many functions without a count of their own may be
// active at once, below the last one that counts.
const maxBottomHeight = 16

// bottoms finds the functions from which no recursion can start: they call
// directly, and only imported functions and other such functions, at most
// maxBottomHeight deep. Nested calls need not be counted there, since they come
// to an end by themselves.
type bottoms struct {
	m      *wasm.Module
	module []byte
	// height of each defined function: 1 for one that calls none of the
	// module, notBottom, or one of the marks below.
	height []int8
	stack  []bottomVisit
}

type bottomVisit struct {
	function int
	highest  int8 // among its callees so far
	w        wasm.Walker
}

const (
	heightUnknown int8 = 0
	heightPending int8 = -1
	notBottom     int8 = -2
)

func newBottoms(m *wasm.Module, module []byte) *bottoms {
	b := &bottoms{m: m, module: module, height: make([]int8, len(m.Bodies))}
	for i := range m.Bodies {
		b.visit(i)
	}
	return b
}

// has says whether the defined function at index i is one.
func (b *bottoms) has(i int) bool { return b.height[i] > 0 }

func (b *bottoms) push(i int) {
	b.height[i] = heightPending
	body := b.m.Bodies[i]
	b.stack = append(b.stack, bottomVisit{function: i, w: wasm.NewWalker(b.module[body.Code:body.End], body.Code)})
}

// visit goes down the calls of function i with a stack of its own: modules
// nest them as deeply as they like.
func (b *bottoms) visit(i int) {
	if b.height[i] != heightUnknown {
		return
	}
	b.push(i)
	for len(b.stack) > 0 {
		v := &b.stack[len(b.stack)-1]
		height, callee := b.step(v)
		if callee >= 0 {
			b.push(callee)
			continue
		}
		b.height[v.function] = height
		b.stack = b.stack[:len(b.stack)-1]
	}
}

// step goes on with a function until its height is known, or that of a callee
// is needed first; then the call is looked at again afterwards.
func (b *bottoms) step(v *bottomVisit) (height int8, callee int) {
	body := b.m.Bodies[v.function]
	code := b.module[body.Code:body.End]
	for {
		v.w.End = skipPlain(code, v.w.End)
		at := v.w.End
		if !v.w.Next() {
			break
		}
		if v.w.Op == wasm.OpCallIndirect {
			return notBottom, -1
		}
		if v.w.Op != wasm.OpCall || int(v.w.A) < b.m.ImportedFunctions {
			continue
		}
		callee := int(v.w.A) - b.m.ImportedFunctions
		switch h := b.height[callee]; {
		case h == heightUnknown:
			v.w.End = at
			return 0, callee
		case h < 0: // a cycle, or a function that is none
			return notBottom, -1
		default:
			v.highest = max(v.highest, h)
		}
	}
	if v.w.Err() != nil || v.highest >= maxBottomHeight {
		return notBottom, -1
	}
	return v.highest + 1, -1
}
