package main_test

import (
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// emit MODULE.wasm PIECE… builds a function that writes the pieces to standard
// output and ends well. A piece is a file, STDIN for all that the function
// reads, or EXIT=N to end there with an exit code, TRAP to end there otherwise.
func emit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: emit MODULE.wasm FILE|STDIN|EXIT=N|TRAP…")
	}
	var pieces []piece
	for _, arg := range args[1:] {
		switch {
		case arg == "STDIN":
			pieces = append(pieces, piece{stdin: true})
		case arg == "TRAP":
			pieces = append(pieces, piece{trap: true})
		case len(arg) > 5 && arg[:5] == "EXIT=":
			code, err := strconv.ParseUint(arg[5:], 10, 32)
			ts.Check(err)
			pieces = append(pieces, piece{exit: true, code: uint32(code)})
		default:
			text, err := os.ReadFile(ts.MkAbs(arg))
			ts.Check(err)
			pieces = append(pieces, piece{text: text})
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), emitter(pieces), 0o600))
}

// piece is one thing that an emitter does.
type piece struct {
	text  []byte
	stdin bool
	trap  bool
	exit  bool
	code  uint32
}

// Where an emitter keeps what passes through it.
const (
	emitBuffer = 64
	emitRoom   = 65536 - emitBuffer
	emitTexts  = 65536
)

// emitter is a function that does one piece after the other.
func emitter(pieces []piece) []byte {
	m := &asm.Module{}
	four := asm.Types{asm.I32, asm.I32, asm.I32, asm.I32}
	write := m.WASI("fd_write", four, asm.Types{asm.I32})
	read := m.WASI("fd_read", four, asm.Types{asm.I32})
	exit := m.WASI("proc_exit", asm.Types{asm.I32}, nil)
	var body [][]byte
	var texts []byte
	for _, p := range pieces {
		switch {
		case p.stdin:
			body = append(body, pass(read, write, 1))
		case p.trap:
			body = append(body, asm.Unreachable)
		case p.exit:
			body = append(body, asm.I32Const(int32(p.code)), asm.Call(exit))
		default:
			body = append(body, put(write, emitTexts+len(texts), len(p.text)))
			texts = append(texts, p.text...)
		}
	}
	m.Export("memory", wasm.KindMemory, m.Memory(uint32(2+len(texts)/65536), -1))
	m.ExportFunc("_start", m.Func(nil, nil, nil, body...))
	m.Data(emitTexts, texts)
	return m.Bytes()
}

// teller returns what it was given, and writes it to standard error as well.
func teller() []byte {
	m := &asm.Module{}
	four := asm.Types{asm.I32, asm.I32, asm.I32, asm.I32}
	write := m.WASI("fd_write", four, asm.Types{asm.I32})
	read := m.WASI("fd_read", four, asm.Types{asm.I32})
	m.Export("memory", wasm.KindMemory, m.Memory(1, -1))
	m.ExportFunc("_start", m.Func(nil, nil, nil, pass(read, write, 1, 2)))
	return m.Bytes()
}

// put writes bytes of memory to standard output.
func put(write uint32, at, length int) []byte {
	return asm.Code(
		asm.I32Const(0), asm.I32Const(int32(at)), asm.I32Store,
		asm.I32Const(4), asm.I32Const(int32(length)), asm.I32Store,
		asm.I32Const(1), asm.I32Const(0), asm.I32Const(1), asm.I32Const(8), asm.Call(write), asm.Drop)
}

// pass writes what it reads until there is no more.
func pass(read, write uint32, to ...int32) []byte {
	var writes [][]byte
	for _, fd := range to {
		writes = append(writes, asm.Code(asm.I32Const(fd), asm.I32Const(0), asm.I32Const(1), asm.I32Const(16), asm.Call(write), asm.Drop))
	}
	return asm.Block(asm.Empty, asm.Loop(asm.Empty,
		asm.I32Const(0), asm.I32Const(emitBuffer), asm.I32Store,
		asm.I32Const(4), asm.I32Const(emitRoom), asm.I32Store,
		asm.I32Const(0), asm.I32Const(0), asm.I32Const(1), asm.I32Const(8), asm.Call(read), asm.Drop,
		asm.I32Const(8), asm.I32Load, asm.I32Eqz, asm.BrIf(1),
		asm.I32Const(4), asm.I32Const(8), asm.I32Load, asm.I32Store,
		asm.Code(writes...),
		asm.Br(0)))
}

// escape FILE replaces \xNN, \uNNNN, \r and \n in a file by what they stand for,
// so that a script may hold bytes that a text file cannot.
func escape(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: escape FILE")
	}
	text, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	var out []byte
	for rest := string(text); rest != ""; {
		if rest[0] != '\\' || rest[1] == '"' {
			out, rest = append(out, rest[0]), rest[1:]
			continue
		}
		r, isText, tail, err := strconv.UnquoteChar(rest, 0)
		ts.Check(err)
		if isText {
			out = append(out, string(r)...)
		} else {
			out = append(out, byte(r))
		}
		rest = tail
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), out, 0o600))
}

// repeat FILE N TEXT writes a text N times to the end of a file, \n in it being
// a new line.
func repeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: repeat FILE N TEXT")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	text, err := strconv.Unquote(`"` + args[2] + `"`)
	ts.Check(err)
	file, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	ts.Check(err)
	for range n {
		_, err := file.WriteString(text)
		ts.Check(err)
	}
	ts.Check(file.Close())
}
