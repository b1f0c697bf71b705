// Package asm builds small WebAssembly modules, for tests, from Go literals.
// It knows the binary format and nothing of validity: what it is told to
// build it builds, since hostile modules are half of its work.
package asm

import "github.com/krmsafe/krmsafe/internal/wasm"

// The value types, under the names of the text format.
const (
	I32       = wasm.I32
	I64       = wasm.I64
	F32       = wasm.F32
	F64       = wasm.F64
	V128      = wasm.V128
	FuncRef   = wasm.FuncRef
	ExternRef = wasm.ExternRef
)

// Types is a list of value types.
type Types = []wasm.ValType

// Module is a module under construction. The zero value is the empty module.
// Imports must be added before functions, tables, memories and globals are,
// since they come first in the index spaces.
type Module struct {
	sections [13]section
	customs  []byte
	funcs    uint32
	tables   uint32
	mems     uint32
	globals  uint32
	types    map[string]uint32
}

type section struct {
	count uint32
	items []byte
}

func (s *section) add(item []byte) uint32 {
	s.items = append(s.items, item...)
	s.count++
	return s.count - 1
}

// Raw adds an item to a section as it is, counted, and returns its number.
func (m *Module) Raw(id wasm.SectionID, item []byte) uint32 { return m.sections[id].add(item) }

// Type adds a function type, once, and returns its index.
func (m *Module) Type(params, results Types) uint32 {
	b := appendTypes(appendTypes([]byte{0x60}, params), results)
	if i, ok := m.types[string(b)]; ok {
		return i
	}
	if m.types == nil {
		m.types = map[string]uint32{}
	}
	i := m.sections[wasm.SectionType].add(b)
	m.types[string(b)] = i
	return i
}

func appendTypes(b []byte, ts Types) []byte {
	b = wasm.AppendU32(b, size(len(ts)))
	for _, t := range ts {
		b = append(b, byte(t))
	}
	return b
}

func importItem(module, name string, kind wasm.ExternKind, desc ...byte) []byte {
	b := wasm.AppendName(wasm.AppendName(nil, module), name)
	return append(append(b, byte(kind)), desc...)
}

// ImportFunc imports a function and returns its function index.
func (m *Module) ImportFunc(module, name string, params, results Types) uint32 {
	m.sections[wasm.SectionImport].add(importItem(module, name, wasm.KindFunc, wasm.AppendU32(nil, m.Type(params, results))...))
	m.funcs++
	return m.funcs - 1
}

// WASI imports a function of WASI preview 1.
func (m *Module) WASI(name string, params, results Types) uint32 {
	return m.ImportFunc("wasi_snapshot_preview1", name, params, results)
}

// ImportTable imports a table and returns its index; max below zero is none.
func (m *Module) ImportTable(module, name string, t wasm.ValType, minimum uint32, maximum int64) uint32 {
	m.sections[wasm.SectionImport].add(importItem(module, name, wasm.KindTable, Limits([]byte{byte(t)}, minimum, maximum)...))
	m.tables++
	return m.tables - 1
}

// ImportMemory imports a memory and returns its index; max below zero is none.
func (m *Module) ImportMemory(module, name string, minimum uint32, maximum int64) uint32 {
	m.sections[wasm.SectionImport].add(importItem(module, name, wasm.KindMemory, Limits(nil, minimum, maximum)...))
	m.mems++
	return m.mems - 1
}

// ImportGlobal imports a global and returns its index.
func (m *Module) ImportGlobal(module, name string, t wasm.ValType, mutable bool) uint32 {
	m.sections[wasm.SectionImport].add(importItem(module, name, wasm.KindGlobal, byte(t), flag(mutable)))
	m.globals++
	return m.globals - 1
}

// Func adds a function with the given locals; its body is code, to which the
// final end is added. It returns the function's index.
func (m *Module) Func(params, results, locals Types, code ...[]byte) uint32 {
	b := wasm.AppendU32(nil, size(len(locals)))
	for _, t := range locals {
		b = append(b, 1, byte(t))
	}
	for _, c := range code {
		b = append(b, c...)
	}
	return m.RawFunc(m.Type(params, results), append(b, byte(wasm.OpEnd)))
}

// RawFunc adds a function of a type index whose body, locals and end
// included, is given as it is. It returns the function's index.
func (m *Module) RawFunc(typ uint32, body []byte) uint32 {
	m.sections[wasm.SectionFunction].add(wasm.AppendU32(nil, typ))
	m.sections[wasm.SectionCode].add(append(wasm.AppendU32(nil, size(len(body))), body...))
	m.funcs++
	return m.funcs - 1
}

// Table adds a table and returns its index; max below zero is none.
func (m *Module) Table(t wasm.ValType, minimum uint32, maximum int64) uint32 {
	m.sections[wasm.SectionTable].add(Limits([]byte{byte(t)}, minimum, maximum))
	m.tables++
	return m.tables - 1
}

// Memory adds a memory and returns its index; max below zero is none.
func (m *Module) Memory(minimum uint32, maximum int64) uint32 {
	m.sections[wasm.SectionMemory].add(Limits(nil, minimum, maximum))
	m.mems++
	return m.mems - 1
}

// Global adds a global with the initial value that code gives, to which the
// end is added. It returns the global's index.
func (m *Module) Global(t wasm.ValType, mutable bool, code ...[]byte) uint32 {
	b := []byte{byte(t), flag(mutable)}
	for _, c := range code {
		b = append(b, c...)
	}
	m.sections[wasm.SectionGlobal].add(append(b, byte(wasm.OpEnd)))
	m.globals++
	return m.globals - 1
}

// Export exports the item of a kind at an index.
func (m *Module) Export(name string, kind wasm.ExternKind, index uint32) {
	b := append(wasm.AppendName(nil, name), byte(kind))
	m.sections[wasm.SectionExport].add(wasm.AppendU32(b, index))
}

// ExportFunc exports a function.
func (m *Module) ExportFunc(name string, index uint32) { m.Export(name, wasm.KindFunc, index) }

// Start makes a function the start function.
func (m *Module) Start(index uint32) {
	m.sections[wasm.SectionStart] = section{items: wasm.AppendU32(nil, index), count: 1}
}

// Elements adds an active segment of functions for table 0 at offset.
func (m *Module) Elements(offset int32, funcs ...uint32) uint32 {
	b := append([]byte{0}, I32Const(offset)...)
	b = wasm.AppendU32(append(b, byte(wasm.OpEnd)), size(len(funcs)))
	for _, f := range funcs {
		b = wasm.AppendU32(b, f)
	}
	return m.sections[wasm.SectionElement].add(b)
}

// Data adds an active data segment for memory 0 at offset.
func (m *Module) Data(offset int32, data []byte) uint32 {
	b := append([]byte{0}, I32Const(offset)...)
	b = wasm.AppendU32(append(b, byte(wasm.OpEnd)), size(len(data)))
	return m.sections[wasm.SectionData].add(append(b, data...))
}

// PassiveData adds a passive data segment and the data count section, which
// counts the segments added so far.
func (m *Module) PassiveData(data []byte) uint32 {
	i := m.sections[wasm.SectionData].add(append(wasm.AppendU32([]byte{1}, size(len(data))), data...))
	m.sections[wasm.SectionDataCount] = section{items: wasm.AppendU32(nil, i+1), count: 1}
	return i
}

// Custom adds a custom section; all of them stand at the end.
func (m *Module) Custom(name string, data []byte) {
	m.customs = wasm.AppendSection(m.customs, wasm.SectionCustom, append(wasm.AppendName(nil, name), data...))
}

// Bytes is the module in the binary format.
func (m *Module) Bytes() []byte {
	out := wasm.AppendHeader(nil)
	for _, id := range []wasm.SectionID{
		wasm.SectionType, wasm.SectionImport, wasm.SectionFunction, wasm.SectionTable, wasm.SectionMemory,
		wasm.SectionGlobal, wasm.SectionExport, wasm.SectionStart, wasm.SectionElement, wasm.SectionDataCount,
		wasm.SectionCode, wasm.SectionData,
	} {
		s := m.sections[id]
		switch {
		case s.count == 0:
		case id == wasm.SectionStart || id == wasm.SectionDataCount:
			out = wasm.AppendSection(out, id, s.items)
		default:
			out = wasm.AppendSection(out, id, append(wasm.AppendU32(nil, s.count), s.items...))
		}
	}
	return append(out, m.customs...)
}

// Limits appends a size range; max below zero is none.
func Limits(b []byte, minimum uint32, maximum int64) []byte {
	b = append(b, flag(maximum >= 0))
	b = wasm.AppendU32(b, minimum)
	if maximum >= 0 {
		b = wasm.AppendU32(b, uint32(maximum&0xffffffff))
	}
	return b
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func size(n int) uint32 { return uint32(n) } //nolint:gosec // what tests build is far below 4 GiB
