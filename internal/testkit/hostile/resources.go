package hostile

import (
	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// memoryBombs want more linear memory than they get.
func memoryBombs() []Case {
	withMemory := func(minimum uint32, maximum int64, code ...[]byte) func() []byte {
		return func() []byte {
			m := &asm.Module{}
			m.Memory(minimum, maximum)
			m.ExportFunc("_start", m.Func(nil, nil, asm.Types{asm.I32}, code...))
			return m.Bytes()
		}
	}
	// growBy grows until it is refused, and then traps.
	growBy := func(pages int32, touch ...[]byte) []byte {
		return asm.Code(asm.Loop(asm.Empty, asm.I32Const(pages), asm.MemoryGrow, asm.Tee(0), asm.I32Const(-1), asm.Op(0x47),
			asm.If(asm.Empty, asm.Code(touch...), asm.Br(1))), asm.Unreachable)
	}
	touch := asm.Code(asm.Get(0), asm.I32Const(16), asm.Op(0x74), asm.I32Const(1), asm.I32Store)
	return []Case{
		{Name: "a memory of 4 GiB to start with", Class: Memory, Module: withMemory(65536, -1), Want: []string{sandbox.CodeLimitMemory}},
		{Name: "a page more than allowed to start with", Class: Memory, Module: withMemory(513, -1), Want: []string{sandbox.CodeLimitMemory}},
		{Name: "a maximum of 4 GiB", Class: Memory, Module: withMemory(1, 65536, growBy(1)), Want: []string{sandbox.CodeGuestTrap}},
		{Name: "growing page by page", Class: Memory, Module: withMemory(1, -1, growBy(1)), Want: []string{sandbox.CodeGuestTrap}},
		{Name: "growing page by page and writing", Class: Memory, Module: withMemory(1, -1, growBy(1, touch)), Want: []string{sandbox.CodeGuestTrap}},
		{Name: "growing by 4 GiB", Class: Memory, Module: withMemory(1, -1, growBy(65535)), Want: []string{sandbox.CodeGuestTrap}},
		{Name: "growing by less than nothing", Class: Memory, Module: withMemory(1, -1, growBy(-1)), Want: []string{sandbox.CodeGuestTrap}},
		{Name: "growing by half the numbers", Class: Memory, Module: withMemory(1, -1, growBy(-1<<31)), Want: []string{sandbox.CodeGuestTrap}},
		{
			Name: "growing for ever, refused or not", Class: Memory, Want: []string{sandbox.CodeLimitFuel}, Limits: fuel(50_000_000),
			Module: withMemory(1, -1, asm.Loop(asm.Empty, asm.I32Const(1), asm.MemoryGrow, asm.Drop, asm.Br(0))),
		},
		{
			Name: "growing by 4 GiB for ever", Class: Memory, Want: []string{sandbox.CodeLimitFuel}, Limits: fuel(1 << 30),
			Module: withMemory(1, -1, asm.Loop(asm.Empty, asm.I32Const(65535), asm.MemoryGrow, asm.Drop, asm.Br(0))),
		},
		{
			Name: "filling all of it for ever", Class: Memory, Want: []string{sandbox.CodeLimitFuel}, Limits: fuel(50_000_000),
			Module: withMemory(512, -1, asm.Loop(asm.Empty, asm.I32Const(0), asm.I32Const(1), asm.I32Const(512<<16), asm.Op(wasm.OpMemoryFill, 0), asm.Br(0))),
		},
		{
			Name: "a data segment beyond the memory", Class: Memory, Want: []string{sandbox.CodeGuestTrap, sandbox.CodeModuleEngine},
			Module: func() []byte {
				m := &asm.Module{}
				m.Memory(1, -1)
				m.Data(65535, []byte{1, 2})
				m.ExportFunc("_start", m.Func(nil, nil, nil))
				return m.Bytes()
			},
		},
		{Name: "no memory, and a host call that needs one", Class: Memory, Want: []string{"", sandbox.CodeGuestTrap, sandbox.CodeGuestCrash}, Module: func() []byte {
			m := &asm.Module{}
			f := m.WASI("fd_write", i32x4, i32x1)
			m.ExportFunc("_start", m.Func(nil, nil, nil, asm.I32Const(1), asm.I32Const(0), asm.I32Const(1), asm.I32Const(0), asm.Call(f), asm.Drop))
			return m.Bytes()
		}},
	}
}

// tableBombs want more table entries than they get.
func tableBombs() []Case {
	tables := func(n int, minimum uint32, code ...[]byte) func() []byte {
		return func() []byte {
			m := &asm.Module{}
			for range n {
				m.Table(asm.FuncRef, minimum, -1)
			}
			m.ExportFunc("_start", m.Func(nil, nil, asm.Types{asm.I32}, code...))
			return m.Bytes()
		}
	}
	null := asm.Op(wasm.OpRefNull, 0x70)
	// growBy grows table 0 until it is refused, and then traps.
	growBy := func(n int32) []byte {
		return asm.Code(asm.Loop(asm.Empty, null, asm.I32Const(n), asm.Op(wasm.OpTableGrow, 0), asm.I32Const(-1), asm.Op(0x47), asm.BrIf(0)), asm.Unreachable)
	}
	refused := []string{"module.limit.", sandbox.CodeLimitTable}
	return []Case{
		{Name: "a table of 2^27 entries", Class: Tables, Module: tables(1, 1<<27), Want: refused},
		{Name: "a table of 2^32-1 entries", Class: Tables, Module: tables(1, 1<<32-1), Want: refused},
		{Name: "1,000 tables of a million", Class: Tables, Module: tables(1000, 1_000_000), Want: refused},
		{Name: "16 tables of 1,000", Class: Tables, Module: tables(16, 1000), Want: refused},
		{Name: "an entry more than allowed", Class: Tables, Module: tables(1, 10_001), Want: refused},
		{Name: "growing by one", Class: Tables, Module: tables(1, 1, growBy(1)), Want: []string{sandbox.CodeGuestTrap}},
		{Name: "growing by a million", Class: Tables, Module: tables(1, 1, growBy(1_000_000)), Want: []string{sandbox.CodeGuestTrap}},
		{Name: "growing by 2^32-1", Class: Tables, Module: tables(1, 1, growBy(-1)), Want: []string{sandbox.CodeGuestTrap}},
		{
			Name: "growing for ever, refused or not", Class: Tables, Want: []string{sandbox.CodeLimitFuel}, Limits: fuel(10_000_000),
			Module: tables(4, 1, asm.Loop(asm.Empty, null, asm.I32Const(1000), asm.Op(wasm.OpTableGrow, 3), asm.Drop, asm.Br(0))),
		},
		{
			Name: "filling a table for ever", Class: Tables, Want: []string{sandbox.CodeLimitFuel}, Limits: fuel(10_000_000),
			Module: tables(1, 10_000, asm.Loop(asm.Empty, asm.I32Const(0), null, asm.I32Const(10_000), asm.Op(wasm.OpTableFill, 0), asm.Br(0))),
		},
		{
			Name: "copying a table for ever", Class: Tables, Want: []string{sandbox.CodeLimitFuel}, Limits: fuel(10_000_000),
			Module: tables(1, 10_000, asm.Loop(asm.Empty, asm.I32Const(0), asm.I32Const(1), asm.I32Const(9999), asm.Op(wasm.OpTableCopy, 0, 0), asm.Br(0))),
		},
		{Name: "calling beyond a table", Class: Tables, Want: []string{sandbox.CodeGuestTrap}, Module: func() []byte {
			m := &asm.Module{}
			t := m.Type(nil, nil)
			m.Table(asm.FuncRef, 1, -1)
			m.ExportFunc("_start", m.Func(nil, nil, nil, asm.I32Const(7), asm.Op(wasm.OpCallIndirect, t, 0)))
			return m.Bytes()
		}},
		{Name: "calling a function of another type", Class: Tables, Want: []string{sandbox.CodeGuestTrap}, Module: func() []byte {
			m := &asm.Module{}
			t := m.Type(i32x1, i32x1)
			m.Table(asm.FuncRef, 1, -1)
			f := m.Func(nil, nil, nil, asm.I32Const(1), asm.I32Const(0), asm.Op(wasm.OpCallIndirect, t, 0), asm.Drop)
			m.Elements(0, f)
			m.ExportFunc("_start", f)
			return m.Bytes()
		}},
	}
}

// stackBombs nest calls without end.
func stackBombs() []Case {
	recursion := func(n int, before []byte) func() []byte {
		return command(1, func(m *asm.Module) uint32 {
			return m.Func(nil, nil, locals(n), before, asm.Call(0))
		})
	}
	depth := []string{sandbox.CodeLimitDepth}
	return []Case{
		{Name: "a function that calls itself", Class: Stack, Module: recursion(0, nil), Want: depth},
		{Name: "a function with 5,000 locals that calls itself", Class: Stack, Module: recursion(5000, nil), Want: depth},
		{Name: "a function with 1,000 operands that calls itself", Class: Stack, Want: depth, Module: command(1, func(m *asm.Module) uint32 {
			return m.Func(nil, nil, nil, repeat(1000, asm.I32Const(1)), asm.Call(0), repeat(1000, asm.Drop))
		})},
		{Name: "two functions that call each other", Class: Stack, Want: depth, Module: command(1, func(m *asm.Module) uint32 {
			m.Func(nil, nil, nil, asm.Call(1))
			return m.Func(nil, nil, nil, asm.Call(0))
		})},
		{Name: "a function that calls itself through a table", Class: Stack, Want: depth, Module: command(1, func(m *asm.Module) uint32 {
			t := m.Type(nil, nil)
			m.Table(asm.FuncRef, 1, -1)
			f := m.Func(nil, nil, nil, asm.I32Const(0), asm.Op(wasm.OpCallIndirect, t, 0))
			m.Elements(0, f)
			return f
		})},
		{Name: "a function of 900 parameters that calls itself", Class: Stack, Want: depth, Module: command(1, func(m *asm.Module) uint32 {
			var args []byte
			for i := range uint32(900) {
				args = append(args, asm.Get(i)...)
			}
			f := m.Func(locals(900), nil, nil, args, asm.Call(0))
			return m.Func(nil, nil, nil, repeat(900, asm.I32Const(1)), asm.Call(f))
		})},
		{Name: "a start function that calls itself", Class: Stack, Want: depth, Module: func() []byte {
			m := &asm.Module{}
			f := m.Func(nil, nil, nil, asm.Call(0))
			m.ExportFunc("_start", m.Func(nil, nil, nil))
			m.Start(f)
			return m.Bytes()
		}},
	}
}
