package sandbox_test

import (
	"math/rand/v2"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

// generate makes a valid module out of a seed: functions with structured code
// of every kind that metering treats in a way of its own. Most of them end;
// some loop or recurse for ever.
func generate(seed uint64) []byte {
	g := &generator{r: rand.New(rand.NewPCG(seed, 0x6b726d73616665)), types: map[string]uint32{}}
	return g.module()
}

type signature struct{ params, results []wasm.ValType }

type generator struct {
	r       *rand.Rand
	types   map[string]uint32
	typeSec []byte
	funcs   []signature // the first is imported

	// Of the current function.
	self   int
	code   []byte
	locals []wasm.ValType
	fixed  int // locals below are parameters
	labels []label
	left   int // statements that may still be generated
}

type label struct {
	types []wasm.ValType // what a branch carries
	loop  bool
}

const (
	numI32 = wasm.I32
	numI64 = wasm.I64
	numF64 = wasm.F64
	vec    = wasm.V128
)

func (g *generator) n(n int) int         { return g.r.IntN(n) }
func (g *generator) chance(pct int) bool { return g.n(100) < pct }
func (g *generator) op(b ...byte)        { g.code = append(g.code, b...) }
func (g *generator) u(v int)             { g.code = wasm.AppendU32(g.code, uint32(v)) }

func (g *generator) i32(v int64) {
	g.op(0x41)
	g.code = wasm.AppendS32(g.code, int32(v))
}

func (g *generator) i64(v int64) {
	g.op(0x42)
	g.code = wasm.AppendS64(g.code, v)
}

func (g *generator) typeIndex(s signature) int {
	key := []byte{byte(len(s.params))}
	for _, t := range append(append([]wasm.ValType{}, s.params...), s.results...) {
		key = append(key, byte(t))
	}
	if i, ok := g.types[string(key)]; ok {
		return int(i)
	}
	i := uint32(len(g.types))
	g.types[string(key)] = i
	g.typeSec = append(g.typeSec, 0x60)
	for _, list := range [][]wasm.ValType{s.params, s.results} {
		g.typeSec = wasm.AppendU32(g.typeSec, uint32(len(list)))
		for _, t := range list {
			g.typeSec = append(g.typeSec, byte(t))
		}
	}
	return int(i)
}

var numeric = []wasm.ValType{numI32, numI32, numI32, numI64, numI64, numF64, vec}

func (g *generator) list(limit int) []wasm.ValType {
	var out []wasm.ValType
	for range g.n(limit + 1) {
		out = append(out, numeric[g.n(len(numeric))])
	}
	return out
}

const (
	tableSize  = 8
	countLocal = 0 // offset among declared locals of those that count loops
	counters   = 4
)

func (g *generator) module() []byte {
	g.funcs = []signature{{[]wasm.ValType{numI32}, []wasm.ValType{numI32}}}
	for range 2 + g.n(4) {
		g.funcs = append(g.funcs, signature{g.list(3), g.list(2)})
	}
	var funcs, exports, code []byte
	for i, s := range g.funcs[1:] {
		funcs = wasm.AppendU32(funcs, uint32(g.typeIndex(s)))
		exports = wasm.AppendName(exports, "f"+string(rune('0'+i)))
		exports = append(exports, byte(wasm.KindFunc), byte(i+1))
		body := g.function(i + 1)
		code = wasm.AppendU32(code, uint32(len(body)))
		code = append(code, body...)
	}
	exports = append(wasm.AppendName(exports, "memory"), byte(wasm.KindMemory), 0)
	exports = append(wasm.AppendName(exports, "global"), byte(wasm.KindGlobal), 0)
	imports := append(wasm.AppendName(wasm.AppendName([]byte{1}, "env"), "host"), byte(wasm.KindFunc))
	imports = wasm.AppendU32(imports, uint32(g.typeIndex(g.funcs[0])))

	defined := len(g.funcs) - 1
	out := wasm.AppendHeader(nil)
	vector := func(id wasm.SectionID, n int, entries []byte) {
		out = wasm.AppendSection(out, id, append(wasm.AppendU32(nil, uint32(n)), entries...))
	}
	vector(wasm.SectionType, len(g.types), g.typeSec)
	out = wasm.AppendSection(out, wasm.SectionImport, imports)
	vector(wasm.SectionFunction, defined, funcs)
	vector(wasm.SectionTable, 1, []byte{byte(wasm.FuncRef), 1, tableSize, 16})
	vector(wasm.SectionMemory, 1, []byte{1, 1, 4})
	vector(wasm.SectionGlobal, 1, []byte{byte(numI64), 1, 0x42, 7, 0x0b})
	vector(wasm.SectionExport, defined+2, exports)
	if s := g.funcs[1]; g.chance(20) && len(s.params)+len(s.results) == 0 {
		out = wasm.AppendSection(out, wasm.SectionStart, []byte{1})
	}
	elems := []byte{0, 0x41, 0, 0x0b}
	elems = wasm.AppendU32(elems, uint32(len(g.funcs)))
	for i := range g.funcs {
		elems = append(elems, byte(i))
	}
	elems = append(elems, 1, 0, 2, 0, 1) // passive: two functions
	vector(wasm.SectionElement, 2, elems)
	out = wasm.AppendSection(out, wasm.SectionDataCount, []byte{1})
	vector(wasm.SectionCode, defined, code)
	vector(wasm.SectionData, 1, append([]byte{1, 5}, "bytes"...))
	return out
}

func (g *generator) function(index int) []byte {
	s := g.funcs[index]
	g.self, g.code, g.labels = index, nil, nil
	g.locals = append([]wasm.ValType{}, s.params...)
	g.fixed = len(s.params)
	for range counters {
		g.locals = append(g.locals, numI32)
	}
	for range g.n(6) {
		g.locals = append(g.locals, numeric[g.n(len(numeric))])
	}
	g.left = 3 + g.n(25)
	g.labels = []label{{types: s.results}}
	g.statements(0)
	for _, t := range s.results {
		g.expr(t, 2)
	}
	g.op(0x0b)
	declared := g.locals[g.fixed:]
	body := wasm.AppendU32(nil, uint32(len(declared)))
	for _, t := range declared {
		body = append(body, 1, byte(t))
	}
	return append(body, g.code...)
}

func (g *generator) statements(depth int) {
	for range 1 + g.n(4) {
		if g.left--; g.left < 0 {
			return
		}
		g.statement(depth)
	}
}

// local picks a local of a type, -1 if there is none. Those that count loops
// are only read.
func (g *generator) local(t wasm.ValType, write bool) int {
	for range 8 {
		i := g.n(max(1, len(g.locals)))
		if i < len(g.locals) && g.locals[i] == t && (!write || i < g.fixed || i >= g.fixed+counters) {
			return i
		}
	}
	return -1
}

func (g *generator) statement(depth int) {
	if depth > 6 {
		g.op(0x01)
		return
	}
	switch g.n(20) {
	case 0, 1, 2:
		t := numeric[g.n(len(numeric))]
		if i := g.local(t, true); i >= 0 {
			g.expr(t, 3)
			g.op(0x21)
			g.u(i)
		}
	case 3:
		g.address()
		g.expr(numI64, 2)
		g.op(0x37, 3, 8) // i64.store
	case 4, 5:
		g.expr(numI32, 2)
		g.op(0x04, 0x40)
		g.scope(label{}, func() { g.statements(depth + 1) })
		if g.chance(50) {
			g.op(0x05)
			g.scope(label{}, func() { g.statements(depth + 1) })
		}
		g.op(0x0b)
	case 6, 7:
		g.loop(depth)
	case 8:
		g.op(0x02, 0x40)
		g.scope(label{}, func() { g.statements(depth + 1); g.branch(); g.statements(depth + 1) })
		g.op(0x0b)
	case 9:
		g.branch()
	case 10:
		g.table(depth)
	case 11, 12:
		g.call(-1)
	case 13:
		g.bulk()
	case 14:
		g.expr(numI64, 3)
		g.op(0x24, 0)
	case 15:
		g.dispatch(depth)
	case 16:
		g.expr(numeric[g.n(len(numeric))], 3)
		g.op(0x1a)
	case 17:
		g.multi()
	case 18:
		if g.chance(15) {
			g.jumpOut()
		}
	default:
		g.loopParam()
	}
}

func (g *generator) scope(l label, f func()) {
	g.labels = append(g.labels, l)
	f()
	g.labels = g.labels[:len(g.labels)-1]
}

// loop counts down a local of its own most of the time.
func (g *generator) loop(depth int) {
	c := g.fixed + g.n(counters)
	g.i32(int64(1 + g.n(12)))
	g.op(0x21)
	g.u(c)
	g.op(0x03, 0x40)
	g.scope(label{loop: true}, func() {
		g.statements(depth + 1)
		if g.chance(97) {
			g.op(0x20)
			g.u(c)
			g.op(0x41, 1, 0x6b, 0x22)
			g.u(c)
			g.op(0x41, 0, 0x4a) // i32.gt_s, so that a nested loop on c does not make it endless
		} else {
			g.i32(1)
		}
		if g.chance(50) {
			g.op(0x0d, 0)
		} else {
			g.op(0x04, 0x40, 0x0c, 1, 0x0b)
		}
	})
	g.op(0x0b)
}

// loopParam is a loop that carries a value around.
func (g *generator) loopParam() {
	t := g.local(numI32, true)
	if t < 0 {
		return
	}
	g.i32(int64(1 + g.n(9)))
	g.op(0x03)
	g.u(g.typeIndex(signature{[]wasm.ValType{numI32}, []wasm.ValType{numI32}}))
	g.op(0x41, 1, 0x6b, 0x22)
	g.u(t)
	g.op(0x20)
	g.u(t)
	g.op(0x0d, 0, 0x0b, 0x1a)
}

// multi is a block with parameters and results.
func (g *generator) multi() {
	g.expr(numI32, 2)
	g.expr(numI64, 2)
	g.op(0x02)
	in, out := []wasm.ValType{numI32, numI64}, []wasm.ValType{numI64, numI32}
	g.u(g.typeIndex(signature{in, out}))
	g.op(0x42, 3, 0x7e, 0xa7, 0x6a) // i64 times three, wrapped, added: one i32
	g.op(0xac)                      // back to an i64
	g.scope(label{types: out}, func() {
		g.expr(numI32, 2)
		g.expr(numI32, 2)
		g.op(0x0d, 0)
	})
	g.op(0x0b, 0x1a, 0x1a)
}

// branch is a br_if to some label, with the values it carries.
func (g *generator) branch() {
	d := g.n(len(g.labels))
	l := g.labels[len(g.labels)-1-d]
	if l.loop && g.chance(90) {
		return
	}
	for _, t := range l.types {
		g.expr(t, 1)
	}
	g.expr(numI32, 2)
	g.op(0x0d)
	g.u(d)
	for range l.types {
		g.op(0x1a)
	}
}

// jumpOut ends the current code path within a block of its own.
func (g *generator) jumpOut() {
	g.expr(numI32, 2)
	g.op(0x04, 0x40)
	g.labels = append(g.labels, label{})
	d := 1 + g.n(len(g.labels)-1)
	l := g.labels[len(g.labels)-1-d]
	switch g.n(3) {
	case 0:
		for _, t := range g.labels[0].types {
			g.expr(t, 1)
		}
		g.op(0x0f)
	case 1:
		g.op(0x00)
	default:
		for _, t := range l.types {
			g.expr(t, 1)
		}
		g.op(0x0c)
		g.u(d)
	}
	g.labels = g.labels[:len(g.labels)-1]
	g.op(0x0b)
}

// table is a switch.
func (g *generator) table(depth int) {
	n := 1 + g.n(4)
	for range n {
		g.op(0x02, 0x40)
		g.labels = append(g.labels, label{})
	}
	g.expr(numI32, 2)
	g.op(0x41, 7, 0x71, 0x0e) // br_table
	g.u(n)
	for range n + 1 {
		g.u(g.n(n))
	}
	for range n {
		g.op(0x0b)
		g.labels = g.labels[:len(g.labels)-1]
		g.statements(depth + 1)
	}
}
