package wasm_test

import (
	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

func badGrammar() []badModule {
	emptyType := sec(wasm.SectionType, 1, 0x60, 0, 0)
	return []badModule{
		{name: "unknown section", code: wasm.CodeMalformed, module: mod(sec(77, 0)), says: "77"},
		{name: "section beyond the end", code: wasm.CodeTruncated, module: mod([]byte{1, 100, 0})},
		{name: "section without size", code: wasm.CodeTruncated, module: mod([]byte{1})},
		{name: "trailing byte", code: wasm.CodeTruncated, module: append(mod(emptyType), 0)},
		{name: "trailing bytes in section", code: wasm.CodeTrailing, module: mod(sec(wasm.SectionType, 0, 0))},
		{name: "section size too long", code: wasm.CodeInteger, module: mod([]byte{1, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 0})},
		{name: "section size too large", code: wasm.CodeInteger, module: mod([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x7f})},
		{name: "section order", code: wasm.CodeSectionOrder, module: mod(sec(wasm.SectionImport, 0), emptyType), says: "type section"},
		{name: "data count after code", code: wasm.CodeSectionOrder, module: mod(sec(wasm.SectionCode, 0), sec(wasm.SectionDataCount, 0))},
		{name: "duplicate section", code: wasm.CodeSectionDuplicate, module: mod(emptyType, emptyType)},
		{name: "duplicate section around a custom one", code: wasm.CodeSectionDuplicate, module: mod(emptyType, sec(0, 1, 'x'), emptyType)},
		{name: "type form", code: wasm.CodeMalformed, module: mod(sec(wasm.SectionType, 1, 0x20, 0, 0))},
		{name: "value type", code: wasm.CodeMalformed, module: mod(sec(wasm.SectionType, 1, 0x60, 1, 0x20, 0))},
		{name: "import kind", code: wasm.CodeMalformed, module: mod(sec(wasm.SectionImport, 1, 0, 0, 9, 0))},
		{name: "import name UTF-8", code: wasm.CodeUTF8, module: mod(sec(wasm.SectionImport, 1, 1, 0xff, 0, 2, 0, 0))},
		{name: "export name UTF-8", code: wasm.CodeUTF8, module: mod(sec(wasm.SectionExport, 1, 3, 0xed, 0xa0, 0x80, 3, 0))},
		{name: "custom name UTF-8", code: wasm.CodeUTF8, module: mod(sec(wasm.SectionCustom, 1, 0x80))},
		{name: "custom section without name", code: wasm.CodeTruncated, module: mod(sec(wasm.SectionCustom))},
		{name: "export kind", code: wasm.CodeMalformed, module: mod(sec(wasm.SectionExport, 1, 0, 7, 0))},
		{name: "limits flag", code: wasm.CodeMalformed, module: mod(sec(wasm.SectionMemory, 1, 0x10, 0))},
		{name: "mutability", code: wasm.CodeMalformed, module: mod(sec(wasm.SectionGlobal, 1, 0x7f, 9, 0x41, 0, 0x0b))},
		{name: "functions without code", code: wasm.CodeMalformed, module: mod(emptyType, sec(wasm.SectionFunction, 1, 0))},
		{name: "code without functions", code: wasm.CodeMalformed, module: mod(emptyType, sec(wasm.SectionCode, 1, 2, 0, 0x0b))},
		{name: "element kind", code: wasm.CodeMalformed, module: mod(sec(wasm.SectionElement, 1, 1, 1, 0))},
		{name: "element flags", code: wasm.CodeMalformed, module: mod(sec(wasm.SectionElement, 1, 8, 0, 0))},
		{name: "data flags", code: wasm.CodeMalformed, module: mod(sec(wasm.SectionMemory, 1, 0, 1), sec(wasm.SectionData, 1, 3, 0))},
		{name: "data count without data", code: wasm.CodeDataCount, module: mod(sec(wasm.SectionDataCount, 1))},
		{name: "data count differs", code: wasm.CodeDataCount, module: mod(sec(wasm.SectionDataCount, 2), sec(wasm.SectionData, 1, 1, 0))},
		{name: "memory.init without data count", code: wasm.CodeDataCount, module: body(nil, asm.Op(wasm.OpDataDrop, 0))},
		{name: "body without end", code: wasm.CodeTruncated, module: raw(0, 0x01)},
		{name: "body of nothing", code: wasm.CodeTruncated, module: mod(emptyType, sec(wasm.SectionFunction, 1, 0), sec(wasm.SectionCode, 1, 0, 0))},
		{name: "body beyond its section", code: wasm.CodeTruncated, module: mod(emptyType, sec(wasm.SectionFunction, 1, 0), sec(wasm.SectionCode, 1, 9, 0, 0x0b))},
		{name: "code after the final end", code: wasm.CodeTrailing, module: raw(0, 0x0b, 0x01)},
		{name: "instruction cut off", code: wasm.CodeTruncated, module: raw(0, 0x44, 0, 0)},
		{name: "f32 cut off", code: wasm.CodeTruncated, module: raw(0, 0x43, 0)},
		{name: "v128 cut off", code: wasm.CodeTruncated, module: raw(0, 0xfd, 0x0c, 0)},
		{name: "shuffle cut off", code: wasm.CodeTruncated, module: raw(0, 0xfd, 0x0d, 0)},
		{name: "prefix cut off", code: wasm.CodeTruncated, module: raw(0, 0xfc)},
		{name: "block type cut off", code: wasm.CodeTruncated, module: raw(0, 0x02)},
		{name: "block type", code: wasm.CodeMalformed, module: raw(0, 0x02, 0x80, 0x40, 0x0b, 0x0b), says: "block type"},
		{name: "i32 too large", code: wasm.CodeInteger, module: raw(0, 0x41, 0x80, 0x80, 0x80, 0x80, 0x70, 0x1a, 0x0b)},
		{name: "i64 too long", code: wasm.CodeInteger, module: raw(0, 0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x1a, 0x0b)},
		{name: "index too long", code: wasm.CodeInteger, module: raw(0, 0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x1a, 0x0b)},
		{name: "opcode", code: wasm.CodeOpcode, module: raw(0, 0x27, 0x0b)},
		{name: "misc opcode", code: wasm.CodeOpcode, module: raw(0, 0xfc, 0x7f, 0x0b)},
		{name: "vector opcode hole", code: wasm.CodeOpcode, module: raw(0, 0xfd, 0x9a, 0x01, 0x0b)},
		{name: "vector opcode far away", code: wasm.CodeOpcode, module: raw(0, 0xfd, 0x80, 0x80, 0x04, 0x0b)},
		{name: "padded vector opcode", code: wasm.CodePadded, module: raw(append(append([]byte{0, 0xfd, 0x8c, 0x00}, make([]byte, 16)...), 0x1a, 0x0b)...)},
		{name: "padded select", code: wasm.CodePadded, module: raw(0, 0x41, 0, 0x41, 0, 0x41, 0, 0x1c, 0x81, 0x00, 0x7f, 0x1a, 0x0b)},
		{name: "padded opcode in a constant", code: wasm.CodePadded, module: mod(wasm.AppendSection(nil, wasm.SectionGlobal, append(append([]byte{1, 0x7b, 0, 0xfd, 0x8c, 0x00}, make([]byte, 16)...), 0x0b)))},
		{name: "else without if", code: wasm.CodeMalformed, module: body(nil, asm.Block(asm.Empty, asm.Else))},
	}
}

// badCounts are vectors that promise 4,294,967,280 elements in a few bytes.
// An engine that believes such a count dies of it.
func badCounts() []badModule {
	huge := []byte{0xf0, 0xff, 0xff, 0xff, 0x0f}
	join := func(head ...byte) []byte { return append(head, huge...) }
	fn := mod(sec(wasm.SectionType, 1, 0x60, 0, 0), sec(wasm.SectionFunction, 1, 0), sec(wasm.SectionTable, 1, 0x70, 0, 1), sec(wasm.SectionMemory, 1, 0, 1))
	with := func(id wasm.SectionID, payload []byte) []byte {
		return append(mod(), wasm.AppendSection(nil, id, payload)...)
	}
	after := func(id wasm.SectionID, payload []byte) []byte {
		return append(append([]byte{}, fn...), wasm.AppendSection(nil, id, payload)...)
	}
	code := func(b []byte) []byte {
		return after(wasm.SectionCode, append(wasm.AppendU32([]byte{1}, uint32(len(b))), b...))
	}
	return []badModule{
		{name: "count of types", code: wasm.CodeLimitTypes, module: with(wasm.SectionType, join())},
		{name: "count of params", code: wasm.CodeLimitParams, module: with(wasm.SectionType, join(1, 0x60))},
		{name: "count of results", code: wasm.CodeLimitResults, module: with(wasm.SectionType, join(1, 0x60, 0))},
		{name: "count of imports", code: wasm.CodeLimitImports, module: with(wasm.SectionImport, join())},
		{name: "length of import name", code: wasm.CodeTruncated, module: with(wasm.SectionImport, append(join(1), 0, 0))},
		{name: "count of functions", code: wasm.CodeLimitFunctions, module: with(wasm.SectionFunction, join())},
		{name: "count of tables", code: wasm.CodeLimitTables, module: with(wasm.SectionTable, join())},
		{name: "count of memories", code: wasm.CodeTruncated, module: with(wasm.SectionMemory, join())},
		{name: "count of globals", code: wasm.CodeLimitGlobals, module: with(wasm.SectionGlobal, join())},
		{name: "count of exports", code: wasm.CodeLimitExports, module: with(wasm.SectionExport, join())},
		{name: "length of export name", code: wasm.CodeTruncated, module: after(wasm.SectionExport, join(1))},
		{name: "count of element segments", code: wasm.CodeLimitElements, module: after(wasm.SectionElement, join())},
		{name: "count of element functions", code: wasm.CodeLimitElementItems, module: after(wasm.SectionElement, join(1, 1, 0))},
		{name: "count of element expressions", code: wasm.CodeLimitElementItems, module: after(wasm.SectionElement, join(1, 5, 0x70))},
		{name: "data count", code: wasm.CodeLimitData, module: after(wasm.SectionDataCount, join())},
		{name: "count of bodies", code: wasm.CodeLimitFunctions, module: after(wasm.SectionCode, join())},
		{name: "size of body", code: wasm.CodeLimitBodyBytes, module: after(wasm.SectionCode, join(1))},
		{name: "count of local groups", code: wasm.CodeTruncated, module: code(huge)},
		{name: "count of locals", code: wasm.CodeLimitLocals, module: code(append(join(1), 0x7f, 0x0b))},
		{name: "count of locals in two groups", code: wasm.CodeLimitLocals, module: code(append(append([]byte{2, 1, 0x7f}, huge...), 0x7f, 0x0b))},
		{name: "count of branch labels", code: wasm.CodeTruncated, module: code(append(append([]byte{0, 0x41, 0, 0x0e}, huge...), 0, 0x0b))},
		{name: "count of select types", code: wasm.CodeInvalid, module: code(append(append([]byte{0, 0x1c}, huge...), 0x7f, 0x0b))},
		{name: "count of data segments", code: wasm.CodeLimitData, module: after(wasm.SectionData, join())},
		{name: "length of data", code: wasm.CodeTruncated, module: mod(sec(wasm.SectionMemory, 1, 0, 1), wasm.AppendSection(nil, wasm.SectionData, join(1, 1)))},
		{name: "length of custom name", code: wasm.CodeTruncated, module: with(wasm.SectionCustom, huge)},
		{name: "section size", code: wasm.CodeTruncated, module: append(mod(), append([]byte{1}, huge...)...)},
		{name: "types within the limit", code: wasm.CodeTruncated, module: with(wasm.SectionType, []byte{0xa0, 0x8d, 0x06}), says: "only 0 bytes are left"},
		{name: "functions within the limit", code: wasm.CodeTruncated, module: with(wasm.SectionFunction, []byte{0xa0, 0x8d, 0x06})},
	}
}
