package fuel_test

import (
	"bytes"
	"testing"

	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// padded makes a number as long as linkers make those that they fill in late.
func padded(number []byte, length int) []byte {
	out := bytes.Clone(number)
	for len(out) < length {
		out[len(out)-1] |= 0x80
		out = append(out, 0)
	}
	return out
}

// linked is a module whose code has numbers of every kind, made of the shortest form by
// form.
func linked(form func(number []byte, most int) []byte) []byte {
	index := func(v uint32) []byte { return form(wasm.AppendU32(nil, v), 5) }
	body := []byte{0}
	add := func(op byte, numbers ...[]byte) {
		body = append(append(body, op), bytes.Join(numbers, nil)...)
	}
	for _, v := range []int64{0, 1, 63, 64, 127, 128, 8191, 8192, 1 << 20, 1<<31 - 1} {
		add(0x41, form(wasm.AppendS64(nil, v), 5))
		add(0x1a)
		add(0x42, form(wasm.AppendS64(nil, v), 10))
		add(0x1a)
		add(0x41, form([]byte{0}, 5))
		add(0x28, []byte{2}, index(uint32(v)))
		add(0x1a)
		add(0x23, index(0))
		add(0x24, index(0))
		add(0x10, index(1)) // and what follows a call
		add(0x23, index(0))
		add(0x41, form([]byte{0}, 5))
		add(0x11, index(0), []byte{0})
		add(0x24, index(0))
	}
	add(0x0b)
	out := wasm.AppendHeader(nil)
	out = wasm.AppendSection(out, wasm.SectionType, []byte{1, 0x60, 0, 0})
	out = wasm.AppendSection(out, wasm.SectionFunction, []byte{2, 0, 0})
	out = wasm.AppendSection(out, wasm.SectionTable, []byte{1, 0x70, 0, 1})
	out = wasm.AppendSection(out, wasm.SectionMemory, []byte{1, 0, 1})
	out = wasm.AppendSection(out, wasm.SectionGlobal, []byte{1, 0x7f, 1, 0x41, 0, 0x0b})
	code := append(wasm.AppendU32([]byte{2}, uint32(len(body))), body...)
	return wasm.AppendSection(out, wasm.SectionCode, append(code, 2, 0, 0x0b))
}

// Numbers that are longer than they need be come to the same code, and the same fuel, as
// the shortest ones.
func TestNumbersAreCut(t *testing.T) {
	shortest := linked(func(number []byte, _ int) []byte { return number })
	want, err := fuel.Instrument(decode(t, shortest), shortest, fuel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]func([]byte, int) []byte{
		"as long as may be": padded,
		"a byte longer":     func(number []byte, most int) []byte { return padded(number, min(len(number)+1, most)) },
	} {
		long := linked(form)
		got, err := fuel.Instrument(decode(t, long), long, fuel.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(long) <= len(shortest) || !bytes.Equal(got.Module, want.Module) {
			t.Errorf("%s: %d bytes come to %d, want the %d that the shortest come to", name, len(long), len(got.Module), len(want.Module))
		}
	}
}
