package sandbox_test

import "github.com/krmsafe/krmsafe/internal/wasm"

func (g *generator) address() {
	g.expr(numI32, 2)
	if g.chance(95) {
		g.i32(0x3fff)
		g.op(0x71)
	}
}

func (g *generator) bulk() {
	small := func() { g.expr(numI32, 1); g.i32(int64(g.n(600))); g.op(0x71) }
	switch g.n(8) {
	case 0:
		small()
		small()
		small()
		g.op(0xfc, 10, 0, 0) // memory.copy
	case 1:
		small()
		small()
		small()
		g.op(0xfc, 11, 0) // memory.fill
	case 2:
		small()
		g.i32(0)
		g.i32(int64(g.n(6)))
		g.op(0xfc, 8, 0, 0) // memory.init
	case 3:
		g.i32(int64(g.n(4)))
		g.i32(int64(g.n(4)))
		g.i32(int64(g.n(5)))
		g.op(0xfc, 14, 0, 0) // table.copy
	case 4:
		g.i32(int64(g.n(4)))
		g.i32(0)
		g.i32(int64(g.n(3)))
		g.op(0xfc, 12, 1, 0) // table.init
	case 5:
		g.op(0xd2, byte(1+g.n(len(g.funcs)-1))) // ref.func
		g.i32(int64(g.n(4)))
		g.op(0xfc, 15, 0, 0x1a) // table.grow, drop
	case 6:
		g.i32(int64(g.n(4)))
		g.op(0xd0, byte(wasm.FuncRef))
		g.i32(int64(g.n(3)))
		g.op(0xfc, 17, 0) // table.fill
	default:
		g.i32(int64(g.n(3)))
		g.op(0x40, 0, 0x1a) // memory.grow, drop
	}
}

// call calls a function and drops its results. To keep most programs finite
// it prefers functions behind the current one.
func (g *generator) call(callee int) {
	if callee < 0 {
		callee = g.self + 1 + g.n(len(g.funcs))
		if callee >= len(g.funcs) {
			callee = 0
		}
		if g.chance(5) {
			callee = g.n(len(g.funcs))
		}
	}
	s := g.funcs[callee]
	for _, t := range s.params {
		g.expr(t, 1)
	}
	if g.chance(25) {
		g.i32(int64(callee))
		g.op(0x11)
		g.u(g.typeIndex(s))
		g.op(0)
	} else {
		g.op(0x10)
		g.u(callee)
	}
	for range s.results {
		g.op(0x1a)
	}
}

func (g *generator) expr(t wasm.ValType, depth int) {
	if i := g.local(t, false); i >= 0 && (depth <= 0 || g.chance(30)) {
		g.op(0x20)
		g.u(i)
		return
	}
	switch t {
	case numI32:
		g.exprI32(depth)
	case numI64:
		g.exprI64(depth)
	case numF64:
		g.exprF64(depth)
	default:
		g.exprVec(depth)
	}
}

func (g *generator) exprI32(depth int) {
	if depth <= 0 {
		g.i32(int64(g.n(40) - 8))
		return
	}
	d := depth - 1
	switch g.n(11) {
	case 0:
		g.i32(int64(int32(g.r.Uint32())))
	case 1, 2:
		g.expr(numI32, d)
		g.expr(numI32, d)
		g.op([]byte{0x6a, 0x6b, 0x6c, 0x71, 0x73, 0x74, 0x76, 0x6e, 0x6f, 0x48, 0x4d, 0x46}[g.n(12)])
	case 3:
		g.expr(numI64, d)
		g.expr(numI64, d)
		g.op([]byte{0x51, 0x53, 0x5a}[g.n(3)])
	case 4:
		g.expr(numF64, d)
		g.expr(numF64, d)
		g.op(0x63)
	case 5:
		g.address()
		g.op(0x28, 2, 4)
	case 6:
		g.op([][]byte{{0x3f, 0}, {0xfc, 16, 0}}[g.n(2)]...)
	case 7:
		g.op(0x02, byte(numI32))
		g.scope(label{types: []wasm.ValType{numI32}}, func() {
			g.expr(numI32, d)
			g.expr(numI32, d)
			g.op(0x0d, 0)
		})
		g.op(0x0b)
	case 8:
		g.expr(numI32, d)
		g.op(0x04, byte(numI32))
		g.scope(label{types: []wasm.ValType{numI32}}, func() {
			g.expr(numI32, d)
			g.op(0x05)
			g.expr(numI32, d)
		})
		g.op(0x0b)
	case 9:
		g.expr(vec, d)
		g.op(0xfd, 27, byte(g.n(4))) // i32x4.extract_lane
	default:
		g.expr(numF64, d)
		g.op(0xfc, 2)
	}
}

func (g *generator) exprI64(depth int) {
	if depth <= 0 {
		g.i64(int64(g.n(30)))
		return
	}
	d := depth - 1
	switch g.n(5) {
	case 0:
		g.i64(int64(g.r.Uint64()))
	case 1, 2:
		g.expr(numI64, d)
		g.expr(numI64, d)
		g.op([]byte{0x7c, 0x7d, 0x7e, 0x84, 0x88, 0x80}[g.n(6)])
	case 3:
		g.expr(numI32, d)
		g.op([]byte{0xac, 0xad}[g.n(2)])
	default:
		g.op(0x23, 0)
	}
}

func (g *generator) exprF64(depth int) {
	if depth <= 0 {
		g.expr(numI32, 0)
		g.op(0xb7)
		return
	}
	d := depth - 1
	switch g.n(3) {
	case 0:
		g.expr(numF64, d)
		g.expr(numF64, d)
		g.op([]byte{0xa0, 0xa2, 0xa3}[g.n(3)])
	case 1:
		g.expr(numF64, d)
		g.op(0x9f)
	default:
		g.expr(numI64, d)
		g.op(0xb9)
	}
}

func (g *generator) exprVec(depth int) {
	if depth <= 0 {
		g.expr(numI32, 0)
		g.op(0xfd, 17) // i32x4.splat
		return
	}
	d := depth - 1
	switch g.n(3) {
	case 0:
		g.expr(vec, d)
		g.expr(vec, d)
		g.op(0xfd, 0xae, 1) // i32x4.add
	case 1:
		g.expr(numI64, d)
		g.op(0xfd, 18) // i64x2.splat
	default:
		g.op(0xfd, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
	}
}

// dispatch is the shape of Go's functions: a loop around a table over a
// local, and jumps that set the local first.
func (g *generator) dispatch(depth int) {
	p := g.local(numI32, true)
	if p < 0 {
		return
	}
	c := g.fixed + g.n(counters)
	if g.chance(70) && p >= g.fixed {
		g.i32(0)
		g.op(0x21)
		g.u(p)
	}
	n := 2 + g.n(4)
	g.i32(int64(2 + g.n(8)))
	g.op(0x21)
	g.u(c)
	g.op(0x02, 0x40, 0x03, 0x40)
	g.labels = append(g.labels, label{}, label{loop: true})
	for range n {
		g.op(0x02, 0x40)
		g.labels = append(g.labels, label{})
	}
	g.op(0x20)
	g.u(p)
	g.op(0x0e)
	g.u(n - 1)
	for i := range n {
		g.u(i)
	}
	for i := range n {
		g.op(0x0b)
		g.labels = g.labels[:len(g.labels)-1]
		g.statements(depth + 2)
		if g.chance(60) {
			g.op(0x20)
			g.u(c)
			g.op(0x41, 1, 0x6b, 0x22)
			g.u(c)
			g.op(0x41, 0, 0x4a, 0x04, 0x40)
			g.i32(int64(g.n(n + 1)))
			g.op(0x21)
			g.u(p)
			g.op(0x0c)
			g.u(n - i)
			g.op(0x0b)
		}
	}
	g.op(0x0c, 1, 0x0b, 0x0b)
	g.labels = g.labels[:len(g.labels)-2]
}
