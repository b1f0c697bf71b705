package wasm_test

import (
	"bytes"
	"strings"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

func i32s(n int) asm.Types {
	ts := make(asm.Types, n)
	for i := range ts {
		ts[i] = asm.I32
	}
	return ts
}

// nested is n of open, then n ends.
func nested(n int, open []byte) []byte {
	return append(bytes.Repeat(open, n), bytes.Repeat(asm.End, n)...)
}

// badLimits has the bombs: modules that are small and valid, and on which
// compilers spend seconds, gigabytes, or their life.
func badLimits() []badModule {
	block, loop := []byte{0x02, 0x40}, []byte{0x03, 0x40}
	low := func(f func(*wasm.Limits)) func(*wasm.Limits) { return f }
	return []badModule{
		{name: "module size", code: wasm.CodeLimitSize, module: make([]byte, 64<<20+1), says: "the limit is 67108864"},
		{name: "custom sections", code: wasm.CodeLimitCustoms, module: mod(bytes.Repeat(sec(0, 1, 'x'), 1001)), says: "the limit is 1000"},
		{name: "params", code: wasm.CodeLimitParams, module: build(func(m *asm.Module) { m.Type(i32s(1001), nil) })},
		{name: "results", code: wasm.CodeLimitResults, module: build(func(m *asm.Module) { m.Type(nil, i32s(1001)) })},
		{name: "tables of many elements", code: wasm.CodeLimitTableElements, module: build(func(m *asm.Module) {
			m.Table(asm.FuncRef, 1<<20, -1)
			m.Table(asm.FuncRef, 1, -1)
		}), says: "1048577"},
		{name: "many tables", code: wasm.CodeLimitTables, module: build(func(m *asm.Module) {
			for range 17 {
				m.Table(asm.FuncRef, 0, -1)
			}
		})},
		{name: "many imported tables", code: wasm.CodeLimitTables, module: build(func(m *asm.Module) {
			for range 17 {
				m.ImportTable("m", "t", asm.FuncRef, 0, -1)
			}
		})},
		{name: "memory pages", code: wasm.CodeLimitMemoryPages, module: build(func(m *asm.Module) { m.Memory(17, -1) }), limits: low(func(l *wasm.Limits) { l.MemoryPages = 16 })},
		{name: "imported globals", code: wasm.CodeLimitGlobals, limits: low(func(l *wasm.Limits) { l.Globals = 1 }), module: build(func(m *asm.Module) {
			m.ImportGlobal("m", "a", asm.I32, false)
			m.Global(asm.I32, false, asm.I32Const(0))
		})},
		{name: "long name", code: wasm.CodeLimitNameBytes, module: build(func(m *asm.Module) {
			m.ExportFunc(strings.Repeat("x", 4097), m.Func(nil, nil, nil))
		})},
		{name: "long custom name", code: wasm.CodeLimitNameBytes, module: build(func(m *asm.Module) { m.Custom(strings.Repeat("x", 4097), nil) })},
		{name: "element items over all segments", code: wasm.CodeLimitElementItems, limits: low(func(l *wasm.Limits) { l.ElementItems = 3 }), module: build(func(m *asm.Module) {
			m.Table(asm.FuncRef, 4, -1)
			f := m.Func(nil, nil, nil)
			m.Elements(0, f, f)
			m.Elements(0, f, f)
		})},
		{name: "body", code: wasm.CodeLimitBodyBytes, module: body(nil, bytes.Repeat([]byte{0x01}, 2<<20))},
		{name: "locals", code: wasm.CodeLimitLocals, module: raw(1, 0xd0, 0x86, 0x03, 0x7f, 0x0b), says: "50000 locals"},
		{name: "parameters count as locals", code: wasm.CodeLimitLocals, limits: low(func(l *wasm.Limits) { l.Locals = 3 }), module: build(func(m *asm.Module) {
			m.Func(i32s(3), nil, asm.Types{asm.I32})
		})},
		{name: "nested blocks", code: wasm.CodeLimitNesting, module: body(nil, nested(10_001, block)), says: "the limit is 10000"},
		{name: "nested loops", code: wasm.CodeLimitLoopNesting, module: body(nil, nested(201, loop))},
		{name: "loops", code: wasm.CodeLimitLoops, module: body(nil, bytes.Repeat(asm.Loop(asm.Empty), 5001))},
		{name: "branch labels", code: wasm.CodeLimitBranchTargets, module: body(nil, asm.I32Const(0), asm.BrTable(make([]uint32, 65_536), 0))},
		{name: "branch labels in many tables", code: wasm.CodeLimitBranchTargets, module: body(nil, bytes.Repeat(asm.Code(asm.I32Const(0), asm.BrTable(make([]uint32, 99), 0)), 656))},
		{name: "blocks", code: wasm.CodeLimitBlocks, module: body(nil, bytes.Repeat(asm.Block(asm.Empty), 25_001))},
		{name: "conditional branches", code: wasm.CodeLimitBlocks, module: body(nil, bytes.Repeat(asm.Code(asm.I32Const(0), asm.BrIf(0)), 25_001))},
		{name: "blocks times locals", code: wasm.CodeLimitComplexity, module: raw(append(append([]byte{1, 0xe8, 0x07, 0x7f}, bytes.Repeat(asm.Block(asm.Empty), 10_001)...), 0x0b)...)},
		{name: "operands", code: wasm.CodeLimitOperands, module: body(nil, bytes.Repeat(asm.I32Const(0), 5001), bytes.Repeat(asm.Drop, 5001))},
		{name: "operands from calls", code: wasm.CodeLimitOperands, module: build(func(m *asm.Module) {
			f := m.Func(nil, i32s(1000), nil, asm.Unreachable)
			m.Func(nil, nil, nil, bytes.Repeat(asm.Call(f), 6), asm.Unreachable)
		})},
		{name: "operands from local.get", code: wasm.CodeLimitOperands, module: body(asm.Types{asm.I32}, bytes.Repeat(asm.Get(0), 5001), asm.Unreachable)},
		{name: "locals over many functions", code: wasm.CodeLimitTotalLocals, module: build(func(m *asm.Module) {
			for range 501 {
				m.RawFunc(m.Type(nil, nil), []byte{1, 0x90, 0x4e, 0x7f, 0x0b})
			}
		})},
		{name: "values passed", code: wasm.CodeLimitArity, module: build(func(m *asm.Module) {
			ts := i32s(1000)
			f := m.Func(ts, ts, nil, asm.Unreachable)
			m.Func(nil, nil, nil, bytes.Repeat(asm.I32Const(0), 1000), bytes.Repeat(asm.Call(f), 10_001), asm.Unreachable)
		})},
	}
}
