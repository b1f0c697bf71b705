package wasm_test

import (
	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// badRules has a case for each validation rule; the official testsuite, which
// TestSpecSuite runs, has thousands.
func badRules() []badModule {
	i32 := asm.I32Const
	return []badModule{
		{name: "operand type", code: wasm.CodeInvalidType, module: body(nil, asm.I64Const(0), asm.I32Eqz, asm.Drop), says: "i64 where i32 is wanted"},
		{name: "operand missing", code: wasm.CodeInvalidType, module: body(nil, asm.Drop), says: "nothing to drop"},
		{name: "operand below the block", code: wasm.CodeInvalidType, module: body(nil, i32(0), asm.Block(asm.Empty, asm.Drop))},
		{name: "operand left over", code: wasm.CodeInvalidType, module: body(nil, i32(0)), says: "too many"},
		{name: "if without else", code: wasm.CodeInvalidType, module: body(nil, i32(0), asm.If(asm.Result(asm.I32), i32(0)), asm.Drop)},
		{name: "select of references", code: wasm.CodeInvalidType, module: body(nil, asm.Op(wasm.OpRefNull, 0x70), asm.Op(wasm.OpRefNull, 0x70), i32(0), asm.Op(wasm.OpSelect), asm.Drop)},
		{name: "select of two", code: wasm.CodeInvalid, module: raw(0, 0x1c, 2, 0x7f, 0x7f, 0x0b), says: "arity"},
		{name: "labels of two arities", code: wasm.CodeInvalidType, module: body(nil, asm.Block(asm.Result(asm.I32), i32(0), i32(0), asm.BrTable([]uint32{0}, 1)), asm.Drop)},
		{name: "label", code: wasm.CodeInvalidIndex, module: body(nil, asm.Br(2)), says: "unknown label 2"},
		{name: "local", code: wasm.CodeInvalidIndex, module: body(nil, asm.Get(0), asm.Drop), says: "unknown local 0"},
		{name: "function", code: wasm.CodeInvalidIndex, module: body(nil, asm.Call(9))},
		{name: "type of function", code: wasm.CodeInvalidIndex, module: mod(sec(wasm.SectionFunction, 1, 0))},
		{name: "type of block", code: wasm.CodeInvalidIndex, module: raw(0, 0x02, 9, 0x0b, 0x0b)},
		{name: "type of call_indirect", code: wasm.CodeInvalidIndex, module: build(func(m *asm.Module) {
			m.Table(asm.FuncRef, 1, -1)
			m.Func(nil, nil, nil, i32(0), asm.Op(wasm.OpCallIndirect, 9, 0))
		})},
		{name: "call through a table of externref", code: wasm.CodeInvalidType, module: build(func(m *asm.Module) {
			m.Table(asm.ExternRef, 1, -1)
			m.Func(nil, nil, nil, i32(0), asm.Op(wasm.OpCallIndirect, 0, 0))
		})},
		{name: "global", code: wasm.CodeInvalidIndex, module: body(nil, asm.Op(wasm.OpGlobalGet, 0), asm.Drop)},
		{name: "immutable global", code: wasm.CodeInvalid, says: "immutable", module: build(func(m *asm.Module) {
			m.Global(asm.I32, false, i32(0))
			m.Func(nil, nil, nil, i32(0), asm.Op(wasm.OpGlobalSet, 0))
		})},
		{name: "table", code: wasm.CodeInvalidIndex, module: body(nil, i32(0), asm.Op(wasm.OpTableGet, 0), asm.Drop)},
		{name: "memory", code: wasm.CodeInvalidIndex, module: build(func(m *asm.Module) {
			m.Func(nil, nil, nil, i32(0), asm.I32Load, asm.Drop)
		})},
		{name: "data segment", code: wasm.CodeInvalidIndex, module: build(func(m *asm.Module) {
			m.PassiveData(nil)
			m.Func(nil, nil, nil, asm.Op(wasm.OpDataDrop, 1))
		})},
		{name: "element segment", code: wasm.CodeInvalidIndex, module: body(nil, asm.Op(wasm.OpElemDrop, 0))},
		{name: "data without memory", code: wasm.CodeInvalidIndex, module: build(func(m *asm.Module) { m.Data(0, []byte("x")) })},
		{name: "elements without table", code: wasm.CodeInvalidIndex, module: build(func(m *asm.Module) { m.Elements(0, m.Func(nil, nil, nil)) })},
		{name: "elements of another type", code: wasm.CodeInvalidType, module: build(func(m *asm.Module) {
			m.Table(asm.ExternRef, 1, -1)
			m.Elements(0, m.Func(nil, nil, nil))
		})},
		{name: "undeclared reference", code: wasm.CodeInvalid, says: "undeclared", module: body(nil, asm.Op(wasm.OpRefFunc, 0), asm.Drop)},
		{name: "exported function", code: wasm.CodeInvalidIndex, module: build(func(m *asm.Module) { m.ExportFunc("f", 0) })},
		{name: "duplicate export", code: wasm.CodeDuplicateExport, says: `"f"`, module: build(func(m *asm.Module) {
			m.Export("f", wasm.KindMemory, m.Memory(0, -1))
			m.ExportFunc("f", m.Func(nil, nil, nil))
		})},
		{name: "start with parameter", code: wasm.CodeInvalidType, module: build(func(m *asm.Module) {
			m.Start(m.Func(asm.Types{asm.I32}, nil, nil))
		})},
		{name: "start of nothing", code: wasm.CodeInvalidIndex, module: build(func(m *asm.Module) { m.Start(0) })},
		{name: "constant of another type", code: wasm.CodeInvalidType, module: build(func(m *asm.Module) { m.Global(asm.I64, false, i32(0)) })},
		{name: "constant without value", code: wasm.CodeInvalidType, module: build(func(m *asm.Module) { m.Global(asm.I64, false) })},
		{name: "constant of two values", code: wasm.CodeInvalidType, module: build(func(m *asm.Module) { m.Global(asm.I32, false, i32(0), i32(0)) })},
		{name: "constant that calls", code: wasm.CodeInvalidConst, module: build(func(m *asm.Module) {
			m.Func(nil, asm.Types{asm.I32}, nil, i32(0))
			m.Global(asm.I32, false, asm.Call(0))
		})},
		{name: "constant of a mutable global", code: wasm.CodeInvalidConst, module: build(func(m *asm.Module) {
			m.ImportGlobal("m", "g", asm.I32, true)
			m.Global(asm.I32, false, asm.Op(wasm.OpGlobalGet, 0))
		})},
		{name: "constant of a defined global", code: wasm.CodeInvalidIndex, module: build(func(m *asm.Module) {
			m.Global(asm.I32, false, i32(0))
			m.Global(asm.I32, false, asm.Op(wasm.OpGlobalGet, 0))
		})},
		{name: "vector operation in a constant", code: wasm.CodeInvalidConst, module: build(func(m *asm.Module) { m.Global(asm.V128, false, asm.Op(0xfd4d)) })},
		{name: "memory above 4 GiB", code: wasm.CodeInvalidLimits, module: build(func(m *asm.Module) { m.Memory(1, 65537) })},
		{name: "memory minimum above maximum", code: wasm.CodeInvalidLimits, module: build(func(m *asm.Module) { m.Memory(2, 1) })},
		{name: "table minimum above maximum", code: wasm.CodeInvalidLimits, module: build(func(m *asm.Module) { m.Table(asm.FuncRef, 2, 1) })},
		{name: "alignment", code: wasm.CodeInvalidAlign, module: body(nil, i32(0), asm.Op(wasm.OpI32Load, 3, 0), asm.Drop)},
		{name: "shuffle lane", code: wasm.CodeInvalid, says: "lane", module: raw(0, 0xfd, 0x0d, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b)},
		{name: "lane", code: wasm.CodeInvalid, says: "lane", module: raw(0, 0xfd, 0x15, 16, 0x0b)},
		{name: "error names the function", code: wasm.CodeInvalidType, says: "function 1:", module: build(func(m *asm.Module) {
			m.Func(nil, nil, nil)
			m.Func(nil, nil, nil, asm.Drop)
		})},
	}
}

// badFeatures has the proposals that are not part of wasm 2.0, each by every
// door through which it can come in.
func badFeatures() []badModule {
	typ := func(b ...byte) []byte { return mod(wasm.AppendSection(nil, wasm.SectionType, b)) }
	imp := func(b ...byte) []byte {
		return mod(wasm.AppendSection(nil, wasm.SectionImport, append([]byte{1, 0, 0}, b...)))
	}
	ops := func(code string, name string, bodies ...[]byte) (bad []badModule) {
		for _, b := range bodies {
			bad = append(bad, badModule{name: name, code: code, module: raw(append(append([]byte{0}, b...), 0x0b)...), says: "not part of WebAssembly 2.0"})
		}
		return bad
	}
	bad := []badModule{
		{name: "threads: shared memory", code: wasm.CodeFeatureThreads, module: mod(sec(wasm.SectionMemory, 1, 3, 1, 1))},
		{name: "threads: shared memory import", code: wasm.CodeFeatureThreads, module: imp(2, 3, 1, 1)},
		{name: "threads: shared memory without maximum", code: wasm.CodeFeatureThreads, module: mod(sec(wasm.SectionMemory, 1, 2, 1))},
		{name: "threads: shared global", code: wasm.CodeFeatureThreads, module: imp(3, 0x7f, 3)},
		{name: "memory64: memory", code: wasm.CodeFeatureMemory64, module: mod(sec(wasm.SectionMemory, 1, 4, 1))},
		{name: "memory64: table", code: wasm.CodeFeatureMemory64, module: mod(sec(wasm.SectionTable, 1, 0x70, 5, 1, 1))},
		{name: "page sizes: memory", code: wasm.CodeFeaturePageSizes, module: mod(sec(wasm.SectionMemory, 1, 8, 1, 0))},
		{name: "multi-memory: two", code: wasm.CodeFeatureMultiMemory, module: mod(sec(wasm.SectionMemory, 2, 0, 1, 0, 1))},
		{name: "multi-memory: imported and defined", code: wasm.CodeFeatureMultiMemory, module: build(func(m *asm.Module) {
			m.ImportMemory("m", "m", 1, -1)
			m.Memory(1, -1)
		})},
		{name: "multi-memory: data", code: wasm.CodeFeatureMultiMemory, module: mod(sec(wasm.SectionMemory, 1, 0, 1), sec(wasm.SectionData, 1, 2, 1, 0x41, 0, 0x0b, 0))},
		{name: "exceptions: tag section", code: wasm.CodeFeatureExceptions, module: mod(sec(13, 0))},
		{name: "exceptions: imported tag", code: wasm.CodeFeatureExceptions, module: imp(4, 0, 0)},
		{name: "exceptions: exported tag", code: wasm.CodeFeatureExceptions, module: mod(sec(wasm.SectionExport, 1, 0, 4, 0))},
		{name: "exceptions: exnref", code: wasm.CodeFeatureExceptions, module: typ(1, 0x60, 1, 0x69, 0)},
		{name: "gc: struct", code: wasm.CodeFeatureGC, module: typ(1, 0x5f, 0)},
		{name: "gc: recursion group", code: wasm.CodeFeatureGC, module: typ(1, 0x4e, 0)},
		{name: "gc: subtype", code: wasm.CodeFeatureGC, module: typ(1, 0x50, 0)},
		{name: "gc: anyref", code: wasm.CodeFeatureGC, module: typ(1, 0x60, 1, 0x6e, 0)},
		{name: "gc: constant", code: wasm.CodeFeatureGC, module: mod(sec(wasm.SectionGlobal, 1, 0x7f, 0, 0xfb, 0x1c, 0x0b))},
		{name: "gc: strings", code: wasm.CodeFeatureGC, module: mod(sec(14, 0))},
		{name: "typed references: (ref null $t)", code: wasm.CodeFeatureTypedRefs, module: typ(1, 0x60, 1, 0x63, 0)},
		{name: "typed references: (ref $t)", code: wasm.CodeFeatureTypedRefs, module: typ(1, 0x60, 1, 0x64, 0)},
		{name: "typed references: table with initial value", code: wasm.CodeFeatureTypedRefs, module: mod(sec(wasm.SectionTable, 1, 0x40, 0, 0x70, 0, 1, 0xd0, 0x70, 0x0b))},
		{name: "extended const: i32.add", code: wasm.CodeFeatureExtendedConst, module: mod(sec(wasm.SectionGlobal, 1, 0x7f, 0, 0x41, 1, 0x41, 1, 0x6a, 0x0b)), says: "extended constant expressions"},
		{name: "stack switching: type", code: wasm.CodeFeatureStackSwitch, module: typ(1, 0x5d, 0)},
		{name: "stack switching: contref", code: wasm.CodeFeatureStackSwitch, module: typ(1, 0x60, 1, 0x68, 0)},
	}
	bad = append(bad, ops(wasm.CodeFeatureThreads, "threads: instruction", []byte{0xfe, 0x03, 0}, []byte{0xfe})...)
	bad = append(bad, ops(wasm.CodeFeatureTailCall, "tail call: instruction", []byte{0x12, 0}, []byte{0x13, 0, 0})...)
	bad = append(bad, ops(wasm.CodeFeatureExceptions, "exceptions: instruction",
		[]byte{0x06, 0x40}, []byte{0x07, 0}, []byte{0x08, 0}, []byte{0x09, 0}, []byte{0x0a}, []byte{0x18, 0}, []byte{0x19}, []byte{0x1f, 0x40, 0})...)
	bad = append(bad, ops(wasm.CodeFeatureGC, "gc: instruction", []byte{0xfb, 0x00, 0}, []byte{0xd3})...)
	bad = append(bad, ops(wasm.CodeFeatureTypedRefs, "typed references: instruction", []byte{0x14, 0}, []byte{0x15, 0}, []byte{0xd4}, []byte{0xd5, 0}, []byte{0xd6, 0})...)
	bad = append(bad, ops(wasm.CodeFeatureMultiMemory, "multi-memory: instruction",
		[]byte{0x3f, 1}, []byte{0x40, 1}, []byte{0x28, 0x42, 1, 0}, []byte{0xfc, 0x0a, 0, 1}, []byte{0xfc, 0x0b, 1})...)
	bad = append(bad, ops(wasm.CodeFeatureRelaxedSIMD, "relaxed SIMD: instruction", []byte{0xfd, 0x80, 0x02}, []byte{0xfd, 0x93, 0x02})...)
	bad = append(bad, ops(wasm.CodeFeatureStackSwitch, "stack switching: instruction", []byte{0xe0, 0}, []byte{0xe2, 0})...)
	bad = append(bad, ops(wasm.CodeFeatureWideArith, "wide arithmetic: instruction", []byte{0xfc, 0x13}, []byte{0xfc, 0x16})...)
	return bad
}
