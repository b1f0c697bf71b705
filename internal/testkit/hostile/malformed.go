package hostile

import (
	"slices"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// most is 2^32-1 as a count: what a reader that allocates first asks for.
var most = wasm.AppendU32(nil, 1<<32-1)

func joined(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			out = append(out, byte(p)) //nolint:gosec // G115: the literals below are bytes
		case []byte:
			out = append(out, p...)
		case string:
			out = append(out, p...)
		}
	}
	return out
}

// malformed are modules of some bytes that announce gigabytes. Each of them ends
// a reader that allocates what is announced.
func malformed() []Case {
	var out []Case
	add := func(name string, module func() []byte, want ...string) {
		if want == nil {
			want = []string{"module.malformed", "module.malformed.", "module.limit."}
		}
		out = append(out, Case{Name: name, Class: Malformed, Module: module, Want: want})
	}
	for _, s := range []struct {
		name string
		id   wasm.SectionID
	}{
		{"types", wasm.SectionType},
		{"imports", wasm.SectionImport},
		{"functions", wasm.SectionFunction},
		{"tables", wasm.SectionTable},
		{"memories", wasm.SectionMemory},
		{"globals", wasm.SectionGlobal},
		{"exports", wasm.SectionExport},
		{"elements", wasm.SectionElement},
		{"bodies", wasm.SectionCode},
		{"data", wasm.SectionData},
	} {
		add("four billion "+s.name, section(s.id, most...))
		add("a section of "+s.name+" longer than the module", func() []byte {
			return append(append(wasm.AppendHeader(nil), byte(s.id)), most...)
		})
		add("a section of "+s.name+" with bytes left over", section(s.id, 0, 0, 0))
	}
	add("four billion parameters", section(wasm.SectionType, joined(1, 0x60, most)...))
	add("four billion results", section(wasm.SectionType, joined(1, 0x60, 0, most)...))
	add("an import name of four billion bytes", section(wasm.SectionImport, joined(1, most)...))
	add("an export name of four billion bytes", section(wasm.SectionExport, joined(1, most)...))
	add("a custom name of four billion bytes", section(wasm.SectionCustom, most...))
	add("a data count of four billion", section(wasm.SectionDataCount, most...))
	add("a segment of four billion functions", section(wasm.SectionElement, joined(1, 1, 0, most)...))
	add("a segment of four billion bytes", section(wasm.SectionData, joined(1, 1, most)...))
	add("a body of four billion bytes", code(joined(1, most)))
	add("four billion groups of locals", code(joined(1, 7, most, 0x0b)))
	add("four billion locals in one group", code(joined(1, 8, 1, most, 0x7f, 0x0b)))
	add("a br_table of four billion labels", code(joined(1, 9, 0, 0x41, 0, 0x0e, most, 0)))
	add("a select of four billion types", code(joined(1, 8, 0, 0x1c, most, 0x0b)), "module.")
	add("a number of eleven bytes", section(wasm.SectionType, slices.Repeat([]byte{0x80}, 11)...))
	add("a number that does not end", func() []byte { return append(wasm.AppendHeader(nil), 1, 0x80) })
	add("an unknown section", func() []byte { return wasm.AppendSection(wasm.AppendHeader(nil), 99, nil) })
	add("a section twice", func() []byte {
		return wasm.AppendSection(section(wasm.SectionType, 0)(), wasm.SectionType, []byte{0})
	})
	add("sections out of order", func() []byte {
		return wasm.AppendSection(section(wasm.SectionImport, 0)(), wasm.SectionType, []byte{0})
	})
	add("an export name that is not UTF-8", func() []byte {
		m := &asm.Module{}
		m.ExportFunc("\xff\xfe", m.Func(nil, nil, nil))
		return m.Bytes()
	})
	add("half a header", func() []byte { return []byte("\x00asm") }, "module.")
	add("no module at all", func() []byte { return []byte("#!/bin/sh\n") }, "module.")
	add("nothing", func() []byte { return nil }, "module.")
	add("a component", func() []byte { return []byte("\x00asm\x0d\x00\x01\x00") }, "module.component")
	add("two exports of one name", func() []byte {
		m := &asm.Module{}
		f := m.Func(nil, nil, nil)
		m.ExportFunc("_start", f)
		m.ExportFunc("_start", f)
		return m.Bytes()
	}, "module.invalid.duplicate_export")
	return out
}

// code is a module with one function whose code section is given as it is.
func code(payload []byte) func() []byte {
	return func() []byte {
		b := section(wasm.SectionType, 1, 0x60, 0, 0)()
		b = wasm.AppendSection(b, wasm.SectionFunction, []byte{1, 0})
		return wasm.AppendSection(b, wasm.SectionCode, payload)
	}
}

// features are what the engine has been seen to let through, or to support as an
// experiment, beside WebAssembly 2.0.
func features() []Case {
	inBody := func(code ...byte) func() []byte { return body(nil, code) }
	var out []Case
	for _, c := range []struct {
		name   string
		module func() []byte
	}{
		{"an atomic instruction", inBody(0xfe, 0x03, 0x00)},
		{"a shared memory", section(wasm.SectionMemory, 1, 3, 1, 1)},
		{"a tail call", inBody(0x12, 0)},
		{"a throw", inBody(0x08, 0)},
		{"a try_table", inBody(0x1f, 0x40, 0, 0x0b)},
		{"an exception reference", section(wasm.SectionType, 1, 0x60, 1, 0x69, 0)},
		{"a typed reference", section(wasm.SectionType, 1, 0x60, 1, 0x63, 0, 0)},
		{"a recursive type group", section(wasm.SectionType, 1, 0x4e, 1, 0x60, 0, 0)},
		{"a struct type", section(wasm.SectionType, 1, 0x5f, 0)},
		{"a table with an initial value", section(wasm.SectionTable, 1, 0x40, 0, 0x70, 0, 1, 0xd0, 0x70, 0x0b)},
		{"two memories", section(wasm.SectionMemory, 2, 0, 1, 0, 1)},
		{"a memory of 64-bit addresses", section(wasm.SectionMemory, 1, 4, 1)},
		{"a memory with pages of one byte", section(wasm.SectionMemory, 1, 8, 1, 0)},
		{"relaxed SIMD", inBody(0xfd, 0x80, 0x02)},
		{"arithmetic in a constant", section(wasm.SectionGlobal, 1, 0x7f, 0, 0x41, 1, 0x41, 1, 0x6a, 0x0b)},
	} {
		out = append(out, Case{Name: c.name, Class: Features, Module: c.module, Want: []string{"module.feature.", "module.malformed.", "module.invalid."}})
	}
	return out
}
