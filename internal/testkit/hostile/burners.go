package hostile

import (
	"encoding/binary"
	"time"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// callTree is 60 functions, each of which calls the next twice: 2^60 calls
// without a loop, which a deadline looked at in loops never sees.
func callTree() []byte {
	m := &asm.Module{}
	next := m.Func(nil, nil, nil)
	for range 60 {
		next = m.Func(nil, nil, nil, asm.Call(next), asm.Call(next))
	}
	m.ExportFunc("_start", next)
	return m.Bytes()
}

// start gives a module whose start function is what _start of another would be.
func start(code ...[]byte) func() []byte {
	return func() []byte {
		m := &asm.Module{}
		m.Memory(1, -1)
		m.ExportFunc("_start", m.Func(nil, nil, nil))
		m.Start(m.Func(nil, nil, nil, code...))
		return m.Bytes()
	}
}

// big is how much the bulk instructions below move: all of ten megabytes.
const bigPages, big = 160, 160 << 16

// burners do not end. Each is run twice: fuel must end it whatever the clock
// says, and the clock whatever the fuel.
func burners() []Case {
	endless := asm.Loop(asm.Empty, asm.Br(0))
	bulk := func(op []byte, operands ...int32) func() []byte {
		var one []byte
		for _, v := range operands {
			one = append(one, asm.I32Const(v)...)
		}
		one = append(one, op...)
		// A thousand calls of 1500 such instructions: hours at any speed of memory.
		return command(bigPages, func(m *asm.Module) uint32 {
			inner := m.Func(nil, nil, nil, repeat(1500, one))
			return m.Func(nil, nil, nil, repeat(1000, asm.Call(inner)))
		})
	}
	var out []Case
	for _, c := range []struct {
		name   string
		module func() []byte
	}{
		{"an endless loop", body(nil, endless)},
		{"an endless loop in the start function", start(endless)},
		{"a loop with a br_table", body(nil, asm.Loop(asm.Empty, asm.I32Const(0), asm.BrTable([]uint32{0}, 0)))},
		{"a loop that only branches if", body(nil, asm.Loop(asm.Empty, asm.I32Const(1), asm.BrIf(0)))},
		{"a tree of calls without a loop", callTree},
		{"straight-line memory.copy", bulk(asm.Op(wasm.OpMemoryCopy, 0, 0), 0, 1, big-1)},
		{"straight-line memory.fill", bulk(asm.Op(wasm.OpMemoryFill, 0), 0, 0, big)},
		{"a loop of sched_yield", wasi("sched_yield", nil, nil, true)},
		{"a loop of sleeps", pollLoop},
		{"a loop of clock readings", wasi("clock_time_get", asm.Types{asm.I32, asm.I64, asm.I32},
			asm.Code(asm.I32Const(0), asm.I64Const(0), asm.I32Const(64)), true)},
		{"a loop of random numbers", wasi("random_get", i32x2, asm.Code(asm.I32Const(0), asm.I32Const(65536)), true)},
	} {
		out = append(out,
			Case{Name: c.name + ", by fuel", Class: Processor, Module: c.module, Want: []string{sandbox.CodeLimitFuel}, Limits: fuel(3_000_000)},
			Case{Name: c.name + ", by the clock", Class: Processor, Module: c.module, Want: []string{sandbox.CodeLimitTime}, Limits: clock(400 * time.Millisecond)},
		)
	}
	return out
}

// wasi is a command that calls one host function, once or for ever, whatever it
// answers.
func wasi(name string, params asm.Types, args []byte, forever bool) func() []byte {
	return func() []byte {
		m := &asm.Module{}
		f := m.WASI(name, params, i32x1)
		m.Export("memory", wasm.KindMemory, m.Memory(2, -1))
		call := asm.Code(args, asm.Call(f), asm.Drop)
		if forever {
			call = asm.Loop(asm.Empty, call, asm.Br(0))
		}
		m.ExportFunc("_start", m.Func(nil, nil, nil, call))
		return m.Bytes()
	}
}

// hour is a subscription to a clock that goes off in an hour (WASI preview 1,
// subscription: userdata, tag, clock, timeout).
func hour() []byte {
	b := make([]byte, 48)
	binary.LittleEndian.PutUint64(b[24:], 3600*1e9)
	return b
}

func poll(forever bool) []byte {
	m := &asm.Module{}
	f := m.WASI("poll_oneoff", i32x4, i32x1)
	m.Export("memory", wasm.KindMemory, m.Memory(1, -1))
	m.Data(0, hour())
	call := asm.Code(asm.I32Const(0), asm.I32Const(256), asm.I32Const(1), asm.I32Const(512), asm.Call(f), asm.Drop)
	if forever {
		call = asm.Loop(asm.Empty, call, asm.Br(0))
	}
	m.ExportFunc("_start", m.Func(nil, nil, nil, call))
	return m.Bytes()
}

func pollLoop() []byte { return poll(true) }
