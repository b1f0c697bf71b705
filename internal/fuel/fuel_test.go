package fuel_test

import (
	"bytes"
	"testing"

	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// code is a function body that has something of everything: branches, a loop,
// calls of an import and of itself, and an operation over a range.
func code() []byte {
	step := []byte{
		0x20, 0, 0x41, 2, 0x48, 0x04, 0x40, 0x20, 0, 0x21, 1, 0x05, 0x20, 1, 0x41, 3, 0x6a, 0x21, 1, 0x0b,
		0x03, 0x40, 0x20, 1, 0x41, 1, 0x6b, 0x22, 1, 0x20, 1, 0x28, 2, 0, 0x6a, 0x0d, 0, 0x0b,
		0x02, 0x40, 0x20, 1, 0x41, 1, 0x71, 0x45, 0x0d, 0, 0x20, 1, 0x10, 1, 0x21, 1, 0x0b,
	}
	body := bytes.Repeat(step, 40)
	return append(append([]byte{1, 1, 0x7f}, body...), 0x41, 0, 0x41, 0, 0x41, 8, 0xfc, 11, 0, 0x10, 0, 0x20, 1, 0x0b)
}

// module has n such functions.
func module(n int) []byte {
	funcs, bodies := wasm.AppendU32(nil, uint32(n)), wasm.AppendU32(nil, uint32(n))
	for range n {
		funcs = append(funcs, 0)
		body := code()
		bodies = append(wasm.AppendU32(bodies, uint32(len(body))), body...)
	}
	out := wasm.AppendHeader(nil)
	out = wasm.AppendSection(out, wasm.SectionType, []byte{2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 0, 0})
	out = wasm.AppendSection(out, wasm.SectionImport, append(wasm.AppendName(wasm.AppendName([]byte{1}, "m"), "f"), 0, 1))
	out = wasm.AppendSection(out, wasm.SectionFunction, funcs)
	out = wasm.AppendSection(out, wasm.SectionMemory, []byte{1, 0, 1})
	out = wasm.AppendSection(out, wasm.SectionExport, append(append([]byte{1}, wasm.AppendName(nil, "run")...), 0, 1))
	out = wasm.AppendSection(out, wasm.SectionCode, bodies)
	return wasm.AppendSection(out, wasm.SectionCustom, append(wasm.AppendName(nil, "name"), 1, 2, 3))
}

func decode(tb testing.TB, b []byte) *wasm.Module {
	tb.Helper()
	m, err := wasm.Decode(b, wasm.DefaultLimits())
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func TestInstrument(t *testing.T) {
	plain := module(3)
	before := bytes.Clone(plain)
	m := decode(t, plain)
	met, err := fuel.Instrument(m, plain, fuel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plain, before) {
		t.Error("Instrument changed its input")
	}
	after := decode(t, met.Module)
	if len(after.Customs) != 0 {
		t.Errorf("%d custom sections are left", len(after.Customs))
	}
	if after.HasStart {
		t.Error("a start section is left")
	}
	if met.Model != fuel.Model || met.StartFunction != "" {
		t.Errorf("Model = %q, StartFunction = %q", met.Model, met.StartFunction)
	}
	n := len(m.Globals)
	for i, name := range []string{met.FuelGlobal, met.DepthGlobal} {
		e, ok := after.Export(name)
		if !ok || e.Kind != wasm.KindGlobal || int(e.Index) != n+i {
			t.Errorf("export %q = %+v, want global %d", name, e, n+i)
		}
		if g := after.Globals[n+i]; g.Type != wasm.I64 || !g.Mutable {
			t.Errorf("global %q = %+v", name, g)
		}
	}
	again, err := fuel.Instrument(m, plain, fuel.Options{})
	if err != nil || !bytes.Equal(met.Module, again.Module) {
		t.Errorf("the second module differs from the first (%v)", err)
	}
	want := fuel.Stats{Functions: 3, Counted: 3, BytesBefore: len(plain) - 10, BytesAfter: len(met.Module), LargestFrame: met.Stats.LargestFrame}
	got := met.Stats
	if got.Charges == 0 || got.Checks == 0 {
		t.Errorf("Stats = %+v", got)
	}
	got.Charges, got.Checks = 0, 0
	if got != want {
		t.Errorf("Stats = %+v, want %+v", got, want)
	}
}

// TestInstrumentRefusesOtherBytes meters a module with the decoding of another.
func TestInstrumentRefusesOtherBytes(t *testing.T) {
	if _, err := fuel.Instrument(decode(t, module(1)), module(2), fuel.Options{}); err == nil {
		t.Error("bytes that were never decoded were metered")
	}
	if _, err := fuel.Instrument(nil, module(1), fuel.Options{}); err == nil {
		t.Error("bytes were metered without a decoded module")
	}
}

// TestInstrumentKeepsTheMeterOfAMeteredModuleApart meters twice: the second
// meter must not take the first one's names.
func TestInstrumentKeepsTheMeterOfAMeteredModuleApart(t *testing.T) {
	plain := module(1)
	first, err := fuel.Instrument(decode(t, plain), plain, fuel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := fuel.Instrument(decode(t, first.Module), first.Module, fuel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	decode(t, second.Module)
	if second.FuelGlobal == first.FuelGlobal || second.DepthGlobal == first.DepthGlobal {
		t.Errorf("both meters are called %q and %q", second.FuelGlobal, second.DepthGlobal)
	}
}

func BenchmarkInstrument(b *testing.B) {
	plain := module(3000)
	m := decode(b, plain)
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fuel.Instrument(m, plain, fuel.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
