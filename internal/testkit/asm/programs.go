package asm

import "github.com/krmsafe/krmsafe/internal/wasm"

var four32 = Types{I32, I32, I32, I32}

// command is a module with one page of memory, exported, and room for a
// _start function, which the caller adds by start.
func command(imports func(m *Module), start func(m *Module) uint32) []byte {
	m := &Module{}
	if imports != nil {
		imports(m)
	}
	m.Export("memory", wasm.KindMemory, m.Memory(1, -1))
	m.ExportFunc("_start", start(m))
	return m.Bytes()
}

// Cat is the identity function: it reads stdin to its end into a memory that
// it grows as needed, then writes all of it to stdout. It exits with 1 if
// reading fails, with 2 if memory cannot grow, with 3 if writing fails.
func Cat() []byte {
	const (
		iovPtr, iovLen, done = 0, 4, 8 // iovec and byte count, below the buffer
		buffer               = 16
		end, room, from      = 0, 1, 2 // locals: first free byte, free bytes, first byte not written
	)
	var read, write, exit uint32
	fail := func(code int32) []byte { return Code(I32Const(code), Call(exit), Unreachable) }
	store := func(addr int32, value ...[]byte) []byte { return Code(I32Const(addr), Code(value...), I32Store) }
	load := func(addr int32) []byte { return Code(I32Const(addr), I32Load) }
	return command(func(m *Module) {
		read = m.WASI("fd_read", four32, Types{I32})
		write = m.WASI("fd_write", four32, Types{I32})
		exit = m.WASI("proc_exit", Types{I32}, nil)
	}, func(m *Module) uint32 {
		return m.Func(nil, nil, Types{I32, I32, I32},
			I32Const(buffer), Set(end),
			Block(Empty, Loop(Empty,
				// room = memory.size * 65536 - end; grow by as much as there is when none is left
				MemorySize, I32Const(16), Op(0x74), Get(end), I32Sub, Tee(room), I32Eqz,
				If(Empty,
					MemorySize, MemoryGrow, I32Const(-1), Op(0x46), If(Empty, fail(2)),
					Br(1)),
				store(iovPtr, Get(end)), store(iovLen, Get(room)),
				I32Const(0), I32Const(iovPtr), I32Const(1), I32Const(done), Call(read),
				If(Empty, fail(1)),
				load(done), I32Eqz, BrIf(1),
				Get(end), load(done), I32Add, Set(end),
				Br(0))),
			I32Const(buffer), Set(from),
			Block(Empty, Loop(Empty,
				Get(from), Get(end), Op(0x46), BrIf(1),
				store(iovPtr, Get(from)), store(iovLen, Get(end), Get(from), I32Sub),
				I32Const(1), I32Const(iovPtr), I32Const(1), I32Const(done), Call(write),
				If(Empty, fail(3)),
				load(done), I32Eqz, If(Empty, fail(3)),
				Get(from), load(done), I32Add, Set(from),
				Br(0))))
	})
}

// Spin never ends: an empty endless loop.
func Spin() []byte {
	return command(nil, func(m *Module) uint32 {
		return m.Func(nil, nil, nil, Loop(Empty, Br(0)))
	})
}

// Exit calls proc_exit with code.
func Exit(code uint32) []byte {
	var exit uint32
	return command(func(m *Module) {
		exit = m.WASI("proc_exit", Types{I32}, nil)
	}, func(m *Module) uint32 {
		return m.Func(nil, nil, nil, I32Const(int32(code)), Call(exit)) //nolint:gosec // the same 32 bits
	})
}

// Emit writes a text to stdout, another one to stderr, and exits with code. It reads nothing.
func Emit(stdout, stderr []byte, code uint32) []byte {
	const out, page = 16, 65536 // the texts begin behind two iovecs
	m := &Module{}
	write := m.WASI("fd_write", four32, Types{I32})
	exit := m.WASI("proc_exit", Types{I32}, nil)
	m.Export("memory", wasm.KindMemory, m.Memory(size((out+len(stdout)+len(stderr))/page+1), -1))
	m.Data(out, stdout)
	m.Data(int32(out+len(stdout)), stderr) //nolint:gosec // far below 2 GiB
	put := func(fd int32, at, n int) []byte {
		if n == 0 {
			return nil
		}
		return Code(I32Const(0), I32Const(int32(at)), I32Store, I32Const(4), I32Const(int32(n)), I32Store, //nolint:gosec // likewise
			I32Const(fd), I32Const(0), I32Const(1), I32Const(8), Call(write), Drop)
	}
	m.ExportFunc("_start", m.Func(nil, nil, nil,
		put(1, out, len(stdout)), put(2, out+len(stdout), len(stderr)), I32Const(int32(code)), Call(exit))) //nolint:gosec // the same 32 bits
	return m.Bytes()
}

// Trap executes unreachable.
func Trap() []byte {
	return command(nil, func(m *Module) uint32 { return m.Func(nil, nil, nil, Unreachable) })
}

// GrowForever grows memory page by page until it is refused, writing to each
// page, and then traps.
func GrowForever() []byte {
	return command(nil, func(m *Module) uint32 {
		return m.Func(nil, nil, Types{I32},
			Loop(Empty,
				I32Const(1), MemoryGrow, Tee(0), I32Const(-1), Op(0x47),
				If(Empty,
					Get(0), I32Const(16), Op(0x74), I32Const(1), I32Store,
					Br(1))),
			Unreachable)
	})
}

// Flood writes one page of zero bytes to a file descriptor, for ever, whatever
// the answer is.
func Flood(fd int32) []byte {
	var write uint32
	return command(func(m *Module) {
		write = m.WASI("fd_write", four32, Types{I32})
	}, func(m *Module) uint32 {
		return m.Func(nil, nil, nil,
			I32Const(4), I32Const(65536), I32Store,
			Loop(Empty,
				I32Const(fd), I32Const(0), I32Const(1), I32Const(8), Call(write), Drop,
				Br(0)))
	})
}
