// Package stamp assembles a KRM function by hand. The function reads a ResourceList
// and writes it back, byte for byte, with one result added that says how many items
// it saw. It is a module as small compilers make them: three imports, one memory
// without a maximum, nothing newer than WebAssembly 1.0.
//
// It knows just enough YAML to be right about what it accepts: a ResourceList in block
// style, as orchestrators write it. Anything else, JSON included, it refuses with
// exit code 1 and one line on stderr. See testdata/functions/stamp/README.md.
package stamp

import (
	"bytes"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// The layout of the memory, in bytes. The input lies above everything else, and at
// least half a page below the end of memory stays zero, so that comparing a few bytes
// past the input is always in bounds and never equal.
const (
	iovPtr, iovLen, moved = 0, 4, 8 // what WASI reads and writes go through
	stringsAt             = 16
	textAt                = 2048 // the result, as text
	inputAt               = 4096
)

// Module returns the function in the binary format. The bytes are the same at every call.
func Module() []byte {
	b := newBuilder()
	b.defineIO()
	b.defineText()
	scan := b.defineScan()
	start := b.defineStart(scan)
	b.m.Data(stringsAt, b.strings)
	b.m.Export("memory", wasm.KindMemory, 0)
	b.m.ExportFunc("_start", start)
	return b.m.Bytes()
}

// builder holds the parts that the functions of the module share.
type builder struct {
	m       *asm.Module
	strings []byte

	fdRead, fdWrite, procExit uint32 // imports

	write  uint32 // (fd, from, to) errno
	fail   uint32 // (from, to), does not return
	match  uint32 // (at, from, to) bool
	put    uint32 // (from, to), appends to the text
	digits uint32 // (n), appends to the text

	end   uint32 // global: the first byte after the input
	out   uint32 // global: the first byte after the text
	items uint32 // global: the items counted
	after uint32 // global: the first byte after the line "results:", or 0
}

func newBuilder() *builder {
	m := &asm.Module{}
	four := asm.Types{asm.I32, asm.I32, asm.I32, asm.I32}
	b := &builder{
		m:        m,
		fdRead:   m.WASI("fd_read", four, asm.Types{asm.I32}),
		fdWrite:  m.WASI("fd_write", four, asm.Types{asm.I32}),
		procExit: m.WASI("proc_exit", asm.Types{asm.I32}, nil),
	}
	m.Memory(1, -1)
	b.end = m.Global(asm.I32, true, asm.I32Const(inputAt))
	b.out = m.Global(asm.I32, true, asm.I32Const(textAt))
	b.items = m.Global(asm.I32, true, asm.I32Const(0))
	b.after = m.Global(asm.I32, true, asm.I32Const(0))
	return b
}

// span pushes the first byte and the end of a constant string. Equal strings share
// their place.
func (b *builder) span(s string) []byte {
	i := bytes.Index(b.strings, []byte(s))
	if i < 0 {
		i = len(b.strings)
		b.strings = append(b.strings, s...)
	}
	from := stringsAt + int32(i)                   //nolint:gosec // G115: within the strings of this package, a few hundred bytes
	return seq(num(from), num(from+int32(len(s)))) //nolint:gosec // G115: as above
}

// refuse ends the function with exit code 1 and a line on stderr.
func (b *builder) refuse(message string) []byte {
	return seq(b.span("stamp: "+message+"\n"), asm.Call(b.fail))
}

// defineIO adds the functions that write to a descriptor, and that fail.
func (b *builder) defineIO() {
	const fd, from, to = 0, 1, 2
	b.write = b.m.Func(asm.Types{asm.I32, asm.I32, asm.I32}, asm.Types{asm.I32}, nil,
		asm.Block(asm.Empty, asm.Loop(asm.Empty,
			eq(asm.Get(from), asm.Get(to)), asm.BrIf(1),
			store(iovPtr, asm.Get(from)),
			store(iovLen, sub(asm.Get(to), asm.Get(from))),
			asm.Get(fd), num(iovPtr), num(1), num(moved), asm.Call(b.fdWrite),
			when(num(1), asm.Return),
			transferred(), asm.I32Eqz, when(num(1), asm.Return),
			asm.Get(from), transferred(), asm.I32Add, asm.Set(from),
			asm.Br(0))),
		num(0))
	b.fail = b.m.Func(asm.Types{asm.I32, asm.I32}, nil, nil,
		num(2), asm.Get(0), asm.Get(1), asm.Call(b.write), asm.Drop,
		num(1), asm.Call(b.procExit), asm.Unreachable)
}

// defineText adds the functions that compare and append strings.
func (b *builder) defineText() {
	const at, from, to = 0, 1, 2
	b.match = b.m.Func(asm.Types{asm.I32, asm.I32, asm.I32}, asm.Types{asm.I32}, nil,
		asm.Loop(asm.Empty,
			ne(byteAt(asm.Get(at)), byteAt(asm.Get(from))), when(num(0), asm.Return),
			inc(at), inc(from),
			ne(asm.Get(from), asm.Get(to)), asm.BrIf(0)),
		num(1))
	b.put = b.m.Func(asm.Types{asm.I32, asm.I32}, nil, nil,
		asm.Loop(asm.Empty,
			global(b.out), byteAt(asm.Get(0)), store8,
			bump(b.out), inc(0),
			ne(asm.Get(0), asm.Get(1)), asm.BrIf(0)))
	// A function's own index is the next one: digits calls itself for the leading digits.
	self := b.put + 1
	b.digits = b.m.Func(asm.Types{asm.I32}, nil, nil,
		asm.Get(0), num(10), divide, when(asm.Get(0), num(10), divide, asm.Call(self)),
		global(b.out), asm.Get(0), num(10), remainder, num('0'), asm.I32Add, store8,
		bump(b.out))
}

// defineStart adds the entry point: read everything, scan it, write it with the result.
func (b *builder) defineStart(scan uint32) uint32 {
	const indent, at = 0, 1
	emit := func(from, to []byte) []byte {
		return seq(num(1), from, to, asm.Call(b.write), when(b.refuse("stdout cannot be written")))
	}
	item := seq(
		asm.Block(asm.Empty, asm.Loop(asm.Empty,
			asm.Get(indent), asm.I32Eqz, asm.BrIf(1),
			b.span(" "), asm.Call(b.put),
			sub(asm.Get(indent), num(1)), asm.Set(indent),
			asm.Br(0))),
		b.span("- {severity: info, message: 'stamp saw "), asm.Call(b.put),
		global(b.items), asm.Call(b.digits),
		b.span(" items in "), asm.Call(b.put),
		sub(global(b.end), num(inputAt)), asm.Call(b.digits),
		b.span(" bytes'}\n"), asm.Call(b.put))
	return b.m.Func(nil, nil, asm.Types{asm.I32, asm.I32},
		b.readAll(),
		asm.Call(scan),
		global(b.after), asm.I32Eqz,
		asm.If(asm.Empty,
			// No results yet: the key is ours to write, at the end.
			b.span("results:\n"), asm.Call(b.put),
			global(b.end), setGlobal(b.after),
			asm.Else,
			// The new result becomes the first of the list, at the list's own indent,
			// which is kept below the room that the text has.
			global(b.after), asm.Set(at),
			asm.Loop(asm.Empty,
				eq(byteAt(asm.Get(at)), num(' ')),
				asm.If(asm.Empty, inc(at), inc(indent), asm.Br(1))),
			ne(byteAt(asm.Get(at)), num('-')), asm.Get(indent), num(64), above, either,
			when(b.refuse("the results of the input are not a list in block style"))),
		item,
		emit(num(inputAt), global(b.after)),
		emit(num(textAt), global(b.out)),
		emit(global(b.after), global(b.end)))
}

// readAll reads stdin to its end. Memory doubles when it is full or, where a limit
// forbids that, grows by one page.
func (b *builder) readAll() []byte {
	grow := func(pages []byte, otherwise ...[]byte) []byte {
		return seq(pages, asm.MemoryGrow, num(-1), equal, when(otherwise...))
	}
	room := sub(seq(asm.MemorySize, num(16), shiftLeft), global(b.end))
	return asm.Block(asm.Empty, asm.Loop(asm.Empty,
		// Half a page stays free behind the input.
		room, num(32<<10+1), below,
		when(grow(asm.MemorySize, grow(num(1), b.refuse("the input does not fit into memory")))),
		store(iovPtr, global(b.end)),
		store(iovLen, sub(room, num(32<<10))),
		num(0), num(iovPtr), num(1), num(moved), asm.Call(b.fdRead),
		when(b.refuse("stdin cannot be read")),
		transferred(), asm.I32Eqz, asm.BrIf(1),
		global(b.end), transferred(), asm.I32Add, setGlobal(b.end),
		asm.Br(0)))
}
