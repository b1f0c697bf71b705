package hostile

import (
	"bytes"
	"slices"
	"time"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// repeat gives one after the other n times.
func repeat(n int, code ...[]byte) []byte { return bytes.Repeat(asm.Code(code...), n) }

// nested is n blocks of an opcode, one in the other.
func nested(op wasm.Opcode, n int) []byte {
	open := append(asm.Op(op), 0x40)
	return asm.Code(bytes.Repeat(open, n), bytes.Repeat(asm.End, n))
}

// locals is a list of n i32.
func locals(n int) asm.Types { return slices.Repeat(asm.Types{asm.I32}, n) }

// group is a body that declares n locals in one group.
func group(n uint32, code ...[]byte) []byte {
	b := wasm.AppendU32([]byte{1}, n)
	b = append(b, byte(asm.I32))
	return asm.Code(b, asm.Code(code...), asm.End)
}

// phis is code in which every block changes every local.
func phis(locals, blocks int) []byte {
	var change []byte
	for i := range uint32(locals) { //nolint:gosec // some thousand
		change = append(change, asm.Code(asm.Get(i), asm.I32Const(1), asm.I32Add, asm.Set(i))...)
	}
	return repeat(blocks, asm.Get(0), asm.If(asm.Empty, change[:min(len(change), 4096)]))
}

// compileBombs take a compiler out of proportion to their size. The first kind
// is beyond the inspector's bounds; the second is just within them, and must
// compile or be stopped by the limits on compiling.
func compileBombs() []Case {
	var out []Case
	refused := func(name string, module func() []byte) {
		out = append(out, Case{Name: name, Class: Compile, Module: module, Want: []string{"module.limit."}})
	}
	bounded := func(name string, module func() []byte) {
		out = append(out, Case{
			Name: name, Class: Compile, Module: module, Want: []string{"", sandbox.CodeLimitCompile, sandbox.CodeLimitTime, sandbox.CodeGuestTrap, sandbox.CodeLimitDepth, "module.limit."},
			Limits: func(l *sandbox.Limits) { l.CompileTimeout, l.CompileBytes = 2*time.Second, 256<<20 },
		})
	}
	refused("100,000 nested blocks", body(nil, nested(wasm.OpBlock, 100_000)))
	refused("20,000 nested loops", body(nil, nested(wasm.OpLoop, 20_000)))
	refused("a br_table of a million labels", body(nil, asm.I32Const(0), asm.BrTable(make([]uint32, 1_000_000), 0)))
	refused("300 br_tables of 1,000 labels", body(nil, repeat(300, asm.Block(asm.Empty, asm.I32Const(0), asm.BrTable(make([]uint32, 1000), 0)))))
	refused("5,000 blocks over 10,000 locals", func() []byte {
		return raw(group(10_000, repeat(5000, asm.Get(0), asm.If(asm.Empty, asm.Get(1), asm.Set(2)))))
	})
	refused("50 million locals", func() []byte { return raw(group(50_000_000)) })
	refused("1,000 functions of 50,000 locals", func() []byte {
		m := &asm.Module{}
		t := m.Type(nil, nil)
		for range 1000 {
			m.RawFunc(t, group(50_000))
		}
		return m.Bytes()
	})
	refused("a function of 100,000 parameters", func() []byte {
		m := &asm.Module{}
		m.ExportFunc("_start", m.Func(locals(100_000), nil, nil))
		return m.Bytes()
	})
	refused("a body of eight megabytes", body(nil, repeat(8<<20/3, asm.I32Const(1), asm.Drop)))
	refused("a million types", func() []byte {
		return section(wasm.SectionType, asm.Code(wasm.AppendU32(nil, 1_000_000), bytes.Repeat([]byte{0x60, 0, 0}, 1_000_000))...)()
	})
	refused("a million globals", func() []byte {
		return section(wasm.SectionGlobal, asm.Code(wasm.AppendU32(nil, 1_000_000), bytes.Repeat([]byte{0x7f, 0, 0x41, 0, 0x0b}, 1_000_000))...)()
	})
	refused("300,000 functions", func() []byte {
		m := &asm.Module{}
		for range 300_000 {
			m.Func(nil, nil, nil)
		}
		return m.Bytes()
	})
	refused("an operand stack of 100,000", body(nil, repeat(100_000, asm.I32Const(1)), repeat(100_000, asm.Drop)))

	bounded("999 nested blocks, a thousand times", command(1, func(m *asm.Module) uint32 {
		f := uint32(0)
		for range 1000 {
			f = m.Func(nil, nil, nil, nested(wasm.OpBlock, 990))
		}
		return f
	}))
	bounded("nested loops in a hundred functions", command(1, func(m *asm.Module) uint32 {
		f := uint32(0)
		for range 100 {
			f = m.Func(nil, nil, nil, nested(wasm.OpLoop, 990))
		}
		return f
	}))
	bounded("2,000 blocks over 9,000 locals, fifty times", func() []byte {
		m := &asm.Module{}
		t := m.Type(nil, nil)
		f := uint32(0)
		for range 50 {
			f = m.RawFunc(t, group(9000, repeat(1000, asm.Get(0), asm.If(asm.Empty, asm.Get(1), asm.Set(2)))))
		}
		m.ExportFunc("_start", f)
		return m.Bytes()
	})
	bounded("values that meet in every block", body(locals(200), phis(200, 4000)))
	bounded("fifty megabytes of straight code", func() []byte {
		m := &asm.Module{}
		f := uint32(0)
		for range 50 {
			f = m.Func(nil, nil, nil, repeat(1<<18, asm.I32Const(1), asm.Drop))
		}
		m.ExportFunc("_start", f)
		return m.Bytes()
	})
	bounded("100,000 functions", func() []byte {
		m := &asm.Module{}
		f := uint32(0)
		for range 100_000 {
			f = m.Func(nil, nil, nil, asm.I32Const(1), asm.Drop)
		}
		m.ExportFunc("_start", f)
		return m.Bytes()
	})
	out = append(out, Case{
		Name: "more to compile than there is memory for", Class: Compile, Want: []string{sandbox.CodeLimitCompile},
		Module: func() []byte {
			m := &asm.Module{}
			m.Memory(1, -1)
			f := uint32(0)
			for range 60 {
				f = m.Func(nil, nil, locals(1), repeat(120_000, asm.Get(0), asm.I32Load, asm.Set(0)))
			}
			m.ExportFunc("_start", f)
			return m.Bytes()
		},
		Limits: func(l *sandbox.Limits) {
			l.CompileBytes, l.MemoryPages, l.OutputBytes = 1, 1, 1
		},
	})
	return out
}

// raw is a command whose body is given with its locals.
func raw(body []byte) []byte {
	m := &asm.Module{}
	m.ExportFunc("_start", m.RawFunc(m.Type(nil, nil), body))
	return m.Bytes()
}
