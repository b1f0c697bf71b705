package wasm_test

import (
	"math/rand/v2"
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// large is a module of some size with the mix of instructions of compiled
// code: locals, constants, memory accesses, calls, branches, a few br_tables,
// and many data segments.
func large(functions int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	var m asm.Module
	m.Memory(16, -1)
	m.Global(asm.I32, true, asm.I32Const(0))
	f := m.Func(asm.Types{asm.I32}, asm.Types{asm.I32}, nil, asm.Get(0))
	for range functions {
		var parts [][]byte
		for range 20 + rnd.IntN(60) {
			v := rnd.Int32()
			parts = append(parts, asm.Code(
				asm.Block(asm.Empty,
					asm.Get(0), asm.I32Const(v), asm.I32Add, asm.Tee(1), asm.Op(wasm.OpI32Load, 2, uint32(v&0xffff)),
					asm.I32Eqz, asm.BrIf(0),
					asm.Get(1), asm.Call(f), asm.Set(2),
					asm.Op(wasm.OpGlobalGet, 0), asm.Get(2), asm.Op(0x36, 2, 8)),
			))
		}
		parts = append(parts, asm.Block(asm.Empty, asm.Block(asm.Empty, asm.Get(1), asm.BrTable(make([]uint32, rnd.IntN(50)), 1))))
		m.Func(asm.Types{asm.I32}, nil, i32s(4), parts...)
	}
	for i := range functions * 4 {
		m.Data(int32(i*16), make([]byte, 4+rnd.IntN(32)))
	}
	return m.Bytes()
}

// BenchmarkDecode decodes and validates a whole module.
func BenchmarkDecode(b *testing.B) {
	module := large(4000)
	b.SetBytes(int64(len(module)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wasm.Decode(module, wasm.DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkValidate counts the code section only, which is where the work is.
func BenchmarkValidate(b *testing.B) {
	module := large(4000)
	m := decode(b, module)
	b.SetBytes(int64(m.CodeBytes))
	for b.Loop() {
		if _, err := wasm.Decode(module, wasm.DefaultLimits()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWalk reads every instruction and no more.
func BenchmarkWalk(b *testing.B) {
	module := large(4000)
	m := decode(b, module)
	b.SetBytes(int64(m.CodeBytes))
	b.ReportAllocs()
	for b.Loop() {
		for _, body := range m.Bodies {
			w := wasm.NewWalker(module[body.Code:body.End], body.Code)
			for w.Next() {
				continue
			}
			if w.Err() != nil {
				b.Fatal(w.Err())
			}
		}
	}
}

// TestDecodeAllocatesLittle keeps allocations in proportion to definitions,
// not to instructions.
func TestDecodeAllocatesLittle(t *testing.T) {
	module := large(1000)
	m := decode(t, module)
	if n := testing.AllocsPerRun(3, func() { decode(t, module) }); n > 100 {
		t.Errorf("decoding %d functions of %d bytes took %v allocations", len(m.Bodies), m.CodeBytes, n)
	}
}
