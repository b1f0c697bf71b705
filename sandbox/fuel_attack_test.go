package sandbox_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// A body is one function of a module made by hand: its type among those of
// handmade, the number of its i32 locals, and its code without the final end.
type body struct {
	kind   byte
	locals int
	code   []byte
}

// The function types of handmade.
const (
	void  = 0 // [] -> []
	unary = 1 // [i32] -> [i32]
)

// handmade is a module of the given functions, the first of which is exported
// as f0, with one memory, and one table that holds them all.
func handmade(start bool, bodies ...body) []byte {
	var funcs, code, elems []byte
	for i, b := range bodies {
		funcs = append(funcs, b.kind)
		var c []byte
		if b.locals > 0 {
			c = append(wasm.AppendU32([]byte{1}, uint32(b.locals)), byte(wasm.I32))
		} else {
			c = []byte{0}
		}
		c = append(append(c, b.code...), 0x0b)
		code = append(wasm.AppendU32(code, uint32(len(c))), c...)
		elems = wasm.AppendU32(elems, uint32(i))
	}
	out := wasm.AppendHeader(nil)
	vector := func(id wasm.SectionID, n int, entries ...byte) {
		out = wasm.AppendSection(out, id, append(wasm.AppendU32(nil, uint32(n)), entries...))
	}
	vector(wasm.SectionType, 2, 0x60, 0, 0, 0x60, 1, 0x7f, 1, 0x7f)
	vector(wasm.SectionFunction, len(bodies), funcs...)
	vector(wasm.SectionTable, 1, append([]byte{byte(wasm.FuncRef), 0}, wasm.AppendU32(nil, uint32(len(bodies)))...)...)
	vector(wasm.SectionMemory, 1, 0, 1)
	vector(wasm.SectionExport, 1, append(wasm.AppendName(nil, "f0"), 0, 0)...)
	if start {
		out = wasm.AppendSection(out, wasm.SectionStart, []byte{0})
	}
	vector(wasm.SectionElement, 1, append(append([]byte{0, 0x41, 0, 0x0b}, wasm.AppendU32(nil, uint32(len(bodies)))...), elems...)...)
	vector(wasm.SectionCode, len(bodies), code...)
	return out
}

func bytesOf(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			out = append(out, byte(p))
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

func constant(v int32) []byte { return wasm.AppendS32([]byte{0x41}, v) }

// callTree is n functions that call the next one twice: 2^n calls, no loop.
func callTree(n int) []byte {
	var bodies []body
	for i := 1; i < n; i++ {
		call := wasm.AppendU32([]byte{0x10}, uint32(i))
		bodies = append(bodies, body{kind: void, code: bytesOf(call, call)})
	}
	return handmade(false, append(bodies, body{kind: void})...)
}

// callChain is n functions that call the next one.
func callChain(n int) []byte {
	var bodies []body
	for i := 1; i < n; i++ {
		bodies = append(bodies, body{kind: void, code: wasm.AppendU32([]byte{0x10}, uint32(i))})
	}
	return handmade(false, append(bodies, body{kind: void})...)
}

// leafStorm calls a function that does not look at the counter itself, as
// often as a body of a megabyte can without a loop, and that from a call tree.
func leafStorm() []byte {
	leaf := bytes.Repeat([]byte{0x41, 1, 0x1a}, 250)
	return handmade(false,
		body{kind: void, code: []byte{0x10, 1, 0x10, 1, 0x10, 0}},
		body{kind: void, code: bytes.Repeat([]byte{0x10, 2}, 10_000)},
		body{kind: void, code: leaf})
}

// forgedDispatch has the shape of Go's functions and enters by a parameter at
// a target that costs far more than the first.
func forgedDispatch() []byte {
	dear := bytes.Repeat([]byte{0x41, 1, 0x1a}, 100_000)
	return handmade(false,
		body{kind: void, code: []byte{0x03, 0x40, 0x41, 1, 0x10, 1, 0x1a, 0x0c, 0, 0x0b}},
		body{kind: unary, code: bytesOf(
			0x02, 0x40, 0x03, 0x40, 0x02, 0x40, 0x02, 0x40,
			0x20, 0, 0x0e, 1, 0, 1,
			0x0b, 0x0c, 2, // the first target leaves
			0x0b, dear, 0x0c, 1, // the second burns
			0x0b, 0x0b, 0x20, 0)})
}

// TestFuelEndsEveryBurner runs programs that would not end, or not in a
// lifetime, and sees each ended by fuel or by the bound on nested calls: at the
// same point on both engines, and without much more work than was paid for.
func TestFuelEndsEveryBurner(t *testing.T) {
	loop := func(body ...byte) []byte { return bytesOf(0x03, 0x40, body, 0x0c, 0, 0x0b) }
	megabyte := constant(1 << 15)
	tests := []struct {
		name   string
		module []byte
		depth  bool // ended by nested calls rather than by fuel
	}{
		{"infinite loop", handmade(false, body{kind: void, code: loop()}), false},
		{"infinite loop in the start section", handmade(true, body{kind: void, code: loop()}), false},
		{"infinite loop by br_if", handmade(false, body{kind: void, code: []byte{0x03, 0x40, 0x41, 1, 0x0d, 0, 0x0b}}), false},
		{"infinite loop by br_table", handmade(false, body{kind: void, code: []byte{0x03, 0x40, 0x41, 1, 0x0e, 0, 0, 0x0b}}), false},
		{"infinite loop that carries a value", handmade(false, body{kind: void, code: []byte{0x41, 1, 0x03, 1, 0x41, 1, 0x0d, 0, 0x0b, 0x1a}}), false},
		{"loop with many branches back", handmade(false, body{kind: void, code: loop(0x41, 1, 0x0d, 0, 0x41, 1, 0x0d, 0, 0x41, 1, 0x0d, 0)}), false},
		{"nested empty loops", handmade(false, body{kind: void, code: []byte{0x03, 0x40, 0x03, 0x40, 0x03, 0x40, 0x0c, 1, 0x0b, 0x0b, 0x0b}}), false},
		{"infinite recursion", handmade(false, body{kind: void, code: []byte{0x10, 0}}), true},
		{"infinite recursion through a table", handmade(false, body{kind: void, code: []byte{0x41, 0, 0x11, 0, 0}}), true},
		{"mutual recursion", handmade(false, body{kind: void, code: []byte{0x10, 1}}, body{kind: void, code: []byte{0x10, 0}}), true},
		{"calls nested without recursion", callChain(300), true},
		{"exponential call tree", callTree(60), false},
		{"calls of unchecked functions", leafStorm(), false},
		{"forged dispatch table", forgedDispatch(), false},
		{"memory.fill in a loop", handmade(false, body{kind: void, code: loop(bytesOf(0x41, 0, 0x41, 0, megabyte, 0xfc, 11, 0)...)}), false},
		{"straight-line memory.fill", handmade(false, body{kind: void, code: bytes.Repeat(bytesOf(0x41, 0, 0x41, 0, megabyte, 0xfc, 11, 0), 3000)}), false},
		{"straight-line memory.copy", handmade(false, body{kind: void, code: bytes.Repeat(bytesOf(0x41, 0, 0x41, 0, megabyte, 0xfc, 10, 0, 0), 3000)}), false},
		{"straight-line table.copy", handmade(false, body{kind: void, code: bytes.Repeat([]byte{0x41, 0, 0x41, 0, 0x41, 1, 0xfc, 14, 0, 0}, 3000)}), false},
		{"memory.grow by nothing", handmade(false, body{kind: void, code: loop(0x41, 0, 0x40, 0, 0x1a)}), false},
		{"memory.grow that is refused", handmade(false, body{kind: void, code: loop(0x41, 0x7f, 0x40, 0, 0x1a)}), false},
		{"table.grow by one", handmade(false, body{kind: void, code: loop(0xd0, 0x70, 0x41, 1, 0xfc, 15, 0, 0x1a)}), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := wasm.Decode(tt.module, wasm.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			met, err := fuel.Instrument(m, tt.module, fuel.Options{})
			if err != nil {
				t.Fatal(err)
			}
			// Less than any of them needs, more than 200 nested calls do.
			const budget = 40_000
			var first outcome
			for name, config := range engines() {
				o := execute(t, config, met.Module, met, budget)
				if !o.metered || len(o.used) != 1 {
					t.Fatalf("%s: ended %v after %v, not by metering", name, o.ends, o.used)
				}
				if burnt := o.used[0] > budget; burnt == tt.depth {
					t.Errorf("%s: used %d of %d, want the end by nested calls %v", name, o.used[0], budget, tt.depth)
				}
				// The largest single charge is that of 2^32-1 pages.
				if over := uint64(1<<42 + 1<<24); o.used[0] > over {
					t.Errorf("%s: used %d", name, o.used[0])
				}
				if first.used != nil && first.used[0] != o.used[0] {
					t.Errorf("the engines used %d and %d", first.used[0], o.used[0])
				}
				first = o
			}
		})
	}
}

// TestFuelDepthStrikesBeforeTheStack nests calls of functions with frames of
// every size: the count must run out before the stack of either engine does,
// at the same point.
func TestFuelDepthStrikesBeforeTheStack(t *testing.T) {
	for _, locals := range []int{0, 10, 300, 3000, 9000} {
		t.Run(fmt.Sprintf("%d locals", locals), func(t *testing.T) {
			// All locals get values of their own, live across the call.
			var code []byte
			for i := range locals {
				code = bytesOf(code, 0x20, 0, constant(int32(i)), 0x6a, wasm.AppendU32([]byte{0x21}, uint32(i+1)))
			}
			code = bytesOf(code, 0x20, 0, 0x10, 1)
			for i := range locals {
				code = bytesOf(code, wasm.AppendU32([]byte{0x20}, uint32(i+1)), 0x6a)
			}
			module := handmade(false,
				body{kind: void, code: []byte{0x41, 0, 0x10, 1, 0x1a}},
				body{kind: unary, locals: locals, code: code})
			met, err := meter(module)
			if err != nil {
				t.Fatal(err)
			}
			var used []uint64
			for name, config := range engines() {
				r := newSpecRun(t, config, specHost(t))
				in, err := r.add(met, "")
				if err != nil {
					t.Fatal(err)
				}
				_, err = in.ExportedFunction("f0").Call(r.ctx)
				if err == nil || strings.Contains(err.Error(), "stack overflow") {
					t.Errorf("%s: ended by %v", name, err)
				}
				if left := int64(r.gauges[0].depth.Get()); left >= 0 {
					t.Errorf("%s: %d nested calls were left: %v", name, left, err)
				}
				used = append(used, r.gauges[0].fuel.Get())
			}
			if used[0] != used[1] {
				t.Errorf("the engines had %v fuel left", used)
			}
		})
	}
}

// TestFuelCounterIsOutOfReach builds modules that use the indices that the
// counters will have, or the names under which they are exported.
func TestFuelCounterIsOutOfReach(t *testing.T) {
	for name, code := range map[string][]byte{
		"read":  {0x23, 0, 0x1a},
		"write": {0x42, 0x7f, 0x24, 0},
	} {
		if _, err := meter(handmade(false, body{kind: void, code: code})); err == nil {
			t.Errorf("%s: a module that names the counter's index was metered", name)
		}
	}
	plain := handmade(false, body{kind: void})
	for _, taken := range []string{"krmsafe.fuel", "krmsafe.depth'", "krmsafe.start"} {
		module := bytes.Replace(plain, append([]byte{wasmExport, 6, 1}, wasm.AppendName(nil, "f0")...),
			append([]byte{wasmExport, byte(len(taken) + 4), 1}, wasm.AppendName(nil, taken)...), 1)
		met, err := meter(module)
		if err != nil {
			t.Fatalf("%s: %v", taken, err)
		}
		if met.FuelGlobal == taken || met.DepthGlobal == taken {
			t.Errorf("the counters got the guest's name %q", taken)
		}
		if _, err := wasm.Decode(met.Module, wasm.DefaultLimits()); err != nil {
			t.Errorf("%s: %v", taken, err)
		}
	}
}

const wasmExport = byte(wasm.SectionExport)
