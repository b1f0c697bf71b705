package asm

import "github.com/krmsafe/krmsafe/internal/wasm"

// Where probes keep what passes through them: two iovecs and counts, then a buffer to the end of the page.
const (
	probeCount  = 24
	probePath   = 64
	probePtrs   = 512
	probeBuffer = 1024
	probeRoom   = 65536 - probeBuffer
)

// Environ writes its arguments and its environment, each ended by a NUL byte, to stderr, and an answer to stdout.
func Environ(answer []byte) []byte {
	m := &Module{}
	two := Types{I32, I32}
	argsSize, args := m.WASI("args_sizes_get", two, Types{I32}), m.WASI("args_get", two, Types{I32})
	envSize, env := m.WASI("environ_sizes_get", two, Types{I32}), m.WASI("environ_get", two, Types{I32})
	write := m.WASI("fd_write", four32, Types{I32})
	m.Export("memory", wasm.KindMemory, m.Memory(2, -1))
	m.Data(65536, answer)
	put := func(fd, at int32, n []byte) []byte {
		return Code(I32Const(0), I32Const(at), I32Store, I32Const(4), n, I32Store,
			I32Const(fd), I32Const(0), I32Const(1), I32Const(8), Call(write), Drop)
	}
	show := func(size, get uint32) []byte {
		return Code(I32Const(probeCount), I32Const(probeCount+4), Call(size), Drop,
			I32Const(probePtrs), I32Const(probeBuffer), Call(get), Drop,
			put(2, probeBuffer, Code(I32Const(probeCount+4), I32Load)))
	}
	m.ExportFunc("_start", m.Func(nil, nil, nil,
		show(argsSize, args), show(envSize, env), put(1, 65536, I32Const(int32(size(len(answer))))))) //nolint:gosec // a short text
	return m.Bytes()
}

// StdioPaths copies /dev/stdin to /dev/stdout, which it opens by their names, and writes a word to /dev/stderr. It exits
// with the error number of the first path that it cannot open, and with 1 where it cannot write.
func StdioPaths() []byte {
	const in, out, done = "dev/stdin", "dev/stdout", "dev/stderr"
	const inFD, outFD, errFD, word = 32, 36, 40, 256
	m := &Module{}
	open := m.WASI("path_open", Types{I32, I32, I32, I32, I32, I64, I64, I32, I32}, Types{I32})
	read, write := m.WASI("fd_read", four32, Types{I32}), m.WASI("fd_write", four32, Types{I32})
	exit := m.WASI("proc_exit", Types{I32}, nil)
	m.Export("memory", wasm.KindMemory, m.Memory(1, -1))
	m.Data(probePath, []byte(in+out+done))
	m.Data(word, []byte("opened\n"))
	openAt := func(at, n, rights int, fd int32) []byte { // 3 is the root folder
		return Code(I32Const(3), I32Const(0), I32Const(int32(at)), I32Const(int32(n)), I32Const(0), I64Const(int64(rights)), I64Const(0), I32Const(0), I32Const(fd), Call(open), //nolint:gosec // small
			Tee(0), If(Empty, Get(0), Call(exit)))
	}
	put := func(fd int32, at int32, n []byte) []byte {
		return Code(I32Const(0), I32Const(at), I32Store, I32Const(4), n, I32Store,
			I32Const(fd), I32Load, I32Const(0), I32Const(1), I32Const(8), Call(write), If(Empty, I32Const(1), Call(exit)))
	}
	m.ExportFunc("_start", m.Func(nil, nil, Types{I32},
		openAt(probePath, len(in), 0x2, inFD), openAt(probePath+len(in), len(out), 0x40, outFD), openAt(probePath+len(in)+len(out), len(done), 0x40, errFD),
		put(errFD, word, I32Const(7)),
		Block(Empty, Loop(Empty,
			I32Const(0), I32Const(probeBuffer), I32Store, I32Const(4), I32Const(probeRoom), I32Store,
			I32Const(inFD), I32Load, I32Const(0), I32Const(1), I32Const(probeCount), Call(read), If(Empty, I32Const(1), Call(exit)),
			I32Const(probeCount), I32Load, I32Eqz, BrIf(1),
			put(outFD, probeBuffer, Code(I32Const(probeCount), I32Load)),
			Br(0)))))
	return m.Bytes()
}
