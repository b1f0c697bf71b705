package asm_test

import (
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// TestProgramsAreValid holds the ready-made programs against the decoder; what
// they do is tested where there is an engine, in sandbox.
func TestProgramsAreValid(t *testing.T) {
	for name, module := range map[string][]byte{
		"Cat": asm.Cat(), "Spin": asm.Spin(), "Exit": asm.Exit(0xefffffff), "Emit": asm.Emit(make([]byte, 70_000), []byte("no"), 1), "Environ": asm.Environ([]byte("x")), "StdioPaths": asm.StdioPaths(), "Trap": asm.Trap(),
		"GrowForever": asm.GrowForever(), "Flood": asm.Flood(1),
	} {
		m, err := wasm.Decode(module, wasm.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e, ok := m.Export("_start"); !ok || e.Kind != wasm.KindFunc {
			t.Errorf("%s exports %v, want a function _start", name, m.Exports)
		}
	}
}

// TestBuilder builds a module with an item in every section and finds each of
// them again.
func TestBuilder(t *testing.T) {
	var b asm.Module
	b.ImportFunc("m", "f", asm.Types{asm.I32}, nil)
	b.ImportTable("m", "t", asm.FuncRef, 1, 2)
	b.ImportGlobal("m", "g", asm.I64, true)
	f := b.Func(nil, asm.Types{asm.I32}, nil, asm.I32Const(7))
	start := b.Func(nil, nil, nil)
	b.Table(asm.ExternRef, 0, -1)
	b.Memory(1, 3)
	b.Global(asm.I32, false, asm.I32Const(1))
	b.ExportFunc("f", f)
	b.Start(start)
	b.Elements(0, f)
	b.Data(8, []byte("data"))
	b.PassiveData([]byte("more"))
	b.Custom("name", []byte("x"))
	m, err := wasm.Decode(b.Bytes(), wasm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Types) != 3 || len(m.Imports) != 3 || len(m.Functions) != 3 || len(m.Tables) != 2 || len(m.Memories) != 1 ||
		len(m.Globals) != 2 || len(m.Exports) != 1 || m.Start != start || len(m.Elements) != 1 || m.DataCount != 2 ||
		len(m.Bodies) != 2 || m.DataBytes != 8 || len(m.Customs) != 1 {
		t.Errorf("Decode(Bytes()) = %+v", m)
	}
}
