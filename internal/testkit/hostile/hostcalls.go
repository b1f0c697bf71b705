package hostile

import (
	"fmt"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// hostCalls misuse the functions that the engine offers. A call may answer with
// an error number, which ends well here, or trap; it must not do anything.
func hostCalls() []Case {
	fine := []string{"", sandbox.CodeGuestTrap}
	var out []Case
	add := func(name string, module func() []byte, want ...string) {
		if want == nil {
			want = fine
		}
		out = append(out, Case{Name: name, Class: HostCalls, Module: module, Want: want, Limits: fuel(200_000_000)})
	}
	args := func(values ...int32) []byte {
		var b []byte
		for _, v := range values {
			b = append(b, asm.I32Const(v)...)
		}
		return b
	}
	const all = -1 // 2^32-1
	add("a sleep of an hour", func() []byte { return poll(false) }, "")
	add("a poll of 2^28 subscriptions", wasi("poll_oneoff", i32x4, args(0, 0, 1<<28, 0), false))
	add("a poll of all numbers", wasi("poll_oneoff", i32x4, args(0, 0, all, 0), false))
	add("a write of 2^29 vectors", wasi("fd_write", i32x4, args(1, 0, 1<<29, 8), false))
	add("a write of all numbers", wasi("fd_write", i32x4, args(1, all, all, all), false))
	add("a read of 2^29 vectors", wasi("fd_read", i32x4, args(0, 0, 1<<29, 8), false))
	add("random numbers over all memory", wasi("random_get", i32x2, args(0, all), false))
	add("arguments beyond the memory", wasi("args_get", i32x2, args(all, all), false))
	add("variables beyond the memory", wasi("environ_get", i32x2, args(all, all), false))
	add("a path beyond the memory", wasi("path_unlink_file", i32x3, args(3, all, all), false))
	add("a folder's name beyond the memory", wasi("fd_prestat_dir_name", i32x3, args(3, 0, all), false))
	add("a descriptor that is renumbered for ever", wasi("fd_renumber", i32x2, args(3, 1<<30), true), sandbox.CodeLimitFuel, sandbox.CodeGuestTrap, sandbox.CodeLimitMemory)
	add("a descriptor renumbered to the highest", renumber, "", sandbox.CodeGuestTrap, sandbox.CodeLimitMemory)
	add("a descriptor put on another", wasi("fd_renumber", i32x2, args(1, 0), false))
	add("an allocation in a file", wasi("fd_allocate", asm.Types{asm.I32, asm.I64, asm.I64}, asm.Code(asm.I32Const(1), asm.I64Const(0), asm.I64Const(1<<62)), false))
	add("a signal to itself", wasi("proc_raise", i32x1, args(9), false))
	add("accepting a connection", wasi("sock_accept", i32x3, args(3, 0, 0), false))
	add("closing all streams", func() []byte {
		m := &asm.Module{}
		f := m.WASI("fd_close", i32x1, i32x1)
		m.ExportFunc("_start", m.Func(nil, nil, nil, args(0), asm.Call(f), asm.Drop, args(1), asm.Call(f), asm.Drop, args(2), asm.Call(f), asm.Drop))
		return m.Bytes()
	}, "")
	for _, path := range []string{"/etc/passwd", "etc/passwd", "../../etc/passwd", "/proc/self/mem", "proc/self/exe", "/dev/stdin", "dev/null", "./", "a/../b/", "CON", "C:\\x", ""} {
		add(fmt.Sprintf("opening %q", path), open(path, 0), "")
		add(fmt.Sprintf("creating %q", path), open(path, 1), "")
	}
	out = append(out, Case{Name: "opening for ever", Class: HostCalls, Module: openLoop, Want: []string{sandbox.CodeLimitFuel}, Limits: fuel(20_000_000)})
	for _, fd := range []int32{1, 2} {
		want := map[int32]string{1: sandbox.CodeLimitOutput, 2: sandbox.CodeLimitStderr}[fd]
		out = append(out, Case{Name: fmt.Sprintf("a flood on descriptor %d", fd), Class: HostCalls, Module: func() []byte { return asm.Flood(fd) }, Want: []string{want}})
	}
	return out
}

// open is a command that exits with 42 if it can open a path beneath descriptor
// 3, with the flags of path_open, and well if it cannot.
func open(path string, flags int32) func() []byte {
	return func() []byte {
		m := &asm.Module{}
		f := m.WASI("path_open", asm.Types{asm.I32, asm.I32, asm.I32, asm.I32, asm.I32, asm.I64, asm.I64, asm.I32, asm.I32}, i32x1)
		exit := m.WASI("proc_exit", i32x1, nil)
		m.Memory(1, -1)
		m.Data(16, []byte(path))
		call := asm.Code(asm.I32Const(3), asm.I32Const(0), asm.I32Const(16), asm.I32Const(int32(len(path))), asm.I32Const(flags), //nolint:gosec // short paths
			asm.I64Const(2), asm.I64Const(0), asm.I32Const(0), asm.I32Const(0), asm.Call(f))
		found := asm.If(asm.Empty, asm.Return)
		m.ExportFunc("_start", m.Func(nil, nil, nil, call, found, asm.I32Const(42), asm.Call(exit)))
		return m.Bytes()
	}
}

// renumber opens the root and gives its descriptor the highest number there is:
// a table of descriptors would have to grow to it.
func renumber() []byte {
	m := &asm.Module{}
	f := m.WASI("path_open", asm.Types{asm.I32, asm.I32, asm.I32, asm.I32, asm.I32, asm.I64, asm.I64, asm.I32, asm.I32}, i32x1)
	again := m.WASI("fd_renumber", i32x2, i32x1)
	m.Memory(1, -1)
	m.Data(16, []byte("."))
	m.ExportFunc("_start", m.Func(nil, nil, nil,
		asm.I32Const(3), asm.I32Const(0), asm.I32Const(16), asm.I32Const(1), asm.I32Const(2),
		asm.I64Const(2), asm.I64Const(0), asm.I32Const(0), asm.I32Const(0), asm.Call(f), asm.Drop,
		asm.I32Const(0), asm.I32Load, asm.I32Const(1<<31-1), asm.Call(again), asm.Drop))
	return m.Bytes()
}

func openLoop() []byte {
	m := &asm.Module{}
	f := m.WASI("path_open", asm.Types{asm.I32, asm.I32, asm.I32, asm.I32, asm.I32, asm.I64, asm.I64, asm.I32, asm.I32}, i32x1)
	m.Memory(1, -1)
	m.Data(16, []byte("."))
	m.ExportFunc("_start", m.Func(nil, nil, nil, asm.Loop(asm.Empty,
		asm.I32Const(3), asm.I32Const(0), asm.I32Const(16), asm.I32Const(1), asm.I32Const(0),
		asm.I64Const(2), asm.I64Const(0), asm.I32Const(0), asm.I32Const(0), asm.Call(f), asm.Drop, asm.Br(0))))
	return m.Bytes()
}

// deceptions end in a way that looks like another, or put words where messages
// are made.
func deceptions() []Case {
	var out []Case
	for _, code := range []uint32{1, 255, 256, 0x80000000, 0xefffffff, 0xffffffff} {
		out = append(out, Case{
			Name: fmt.Sprintf("an exit with %#x", code), Class: Deception, Module: func() []byte { return asm.Exit(code) }, Want: []string{sandbox.CodeGuestExit},
		})
	}
	return append(
		out,
		Case{Name: "an exit with 0 from the start function", Class: Deception, Want: []string{""}, Module: exitAtStart(0)},
		Case{Name: "an exit like a deadline from the start function", Class: Deception, Want: []string{sandbox.CodeGuestExit}, Module: exitAtStart(0xefffffff - 1<<32)},
		Case{Name: "a trap in a function with a hostile name", Class: Deception, Want: []string{sandbox.CodeGuestTrap}, Module: func() []byte {
			m := &asm.Module{}
			m.ExportFunc("_start", m.Func(nil, nil, nil, asm.Unreachable))
			m.Custom("name", functionName(Name))
			return m.Bytes()
		}},
		Case{Name: "a function name of eight megabytes", Class: Deception, Want: []string{sandbox.CodeGuestTrap}, Module: func() []byte {
			m := &asm.Module{}
			m.ExportFunc("_start", m.Func(nil, nil, nil, asm.Unreachable))
			m.Custom("name", functionName(string(make([]byte, 8<<20))))
			return m.Bytes()
		}},
		Case{Name: "an exported function with a hostile name", Class: Deception, Want: []string{sandbox.CodeGuestTrap}, Module: func() []byte {
			m := &asm.Module{}
			f := m.Func(nil, nil, nil, asm.Unreachable)
			m.ExportFunc(Name, f)
			m.ExportFunc("_start", f)
			return m.Bytes()
		}},
		Case{Name: "counters under the names of the meter", Class: Deception, Want: []string{sandbox.CodeLimitFuel}, Limits: fuel(1_000_000), Module: func() []byte {
			m := &asm.Module{}
			for _, name := range []string{"krmsafe.fuel", "krmsafe.depth", "krmsafe.start", "krmsafe.fuel'"} {
				m.Export(name, wasm.KindGlobal, m.Global(asm.I64, true, asm.I64Const(1<<61)))
			}
			m.ExportFunc("_start", m.Func(nil, nil, nil, asm.Loop(asm.Empty, asm.I64Const(1<<61), asm.Op(wasm.OpGlobalSet, 0), asm.Br(0))))
			return m.Bytes()
		}},
		Case{Name: "setting the meter's counter by its index", Class: Deception, Want: []string{"module.invalid."}, Module: func() []byte {
			m := &asm.Module{}
			m.ExportFunc("_start", m.Func(nil, nil, nil, asm.I64Const(1<<61), asm.Op(wasm.OpGlobalSet, 0)))
			return m.Bytes()
		}},
	)
}

// Name is a name that ends a line and gives an order to a build server.
const Name = "x\n::add-mask::\x1b[2J##[error]"

func exitAtStart(code int64) func() []byte {
	return func() []byte {
		m := &asm.Module{}
		exit := m.WASI("proc_exit", i32x1, nil)
		m.ExportFunc("_start", m.Func(nil, nil, nil))
		m.Start(m.Func(nil, nil, nil, asm.I32Const(int32(code)), asm.Call(exit))) //nolint:gosec // the low 32 bits
		return m.Bytes()
	}
}

// functionName is the contents of a name section that names function 0.
func functionName(name string) []byte {
	sub := wasm.AppendName([]byte{1, 0}, name)
	return append(wasm.AppendU32([]byte{1}, uint32(len(sub))), sub...) //nolint:gosec // some megabytes
}

// linking imports what there is not, and exports what is no command.
func linking() []Case {
	importing := func(module, name string) func() []byte {
		return func() []byte {
			m := &asm.Module{}
			m.ImportFunc(module, name, nil, nil)
			m.ExportFunc("_start", m.Func(nil, nil, nil))
			return m.Bytes()
		}
	}
	imports := []string{sandbox.CodeModuleImport}
	return []Case{
		{Name: "an import from elsewhere", Class: Linking, Module: importing("env", "system"), Want: imports},
		{Name: "an import from WASI's draft", Class: Linking, Module: importing("wasi_unstable", "fd_write"), Want: imports},
		{Name: "an import that WASI does not have", Class: Linking, Module: importing("wasi_snapshot_preview1", "sock_connect"), Want: imports},
		{Name: "an import with a hostile name", Class: Linking, Module: importing(Name, Name), Want: imports},
		{Name: "an import of the wrong type", Class: Linking, Module: importing("wasi_snapshot_preview1", "fd_write"), Want: []string{sandbox.CodeModuleEngine}},
		{Name: "an imported memory", Class: Linking, Want: imports, Module: func() []byte {
			m := &asm.Module{}
			m.ImportMemory("wasi_snapshot_preview1", "memory", 1, -1)
			m.ExportFunc("_start", m.Func(nil, nil, nil))
			return m.Bytes()
		}},
		{Name: "an imported table", Class: Linking, Want: imports, Module: func() []byte {
			m := &asm.Module{}
			m.ImportTable("env", "table", asm.FuncRef, 1, -1)
			m.ExportFunc("_start", m.Func(nil, nil, nil))
			return m.Bytes()
		}},
		{Name: "an imported global", Class: Linking, Want: imports, Module: func() []byte {
			m := &asm.Module{}
			m.ImportGlobal("krmsafe", "fuel", asm.I64, true)
			m.ExportFunc("_start", m.Func(nil, nil, nil))
			return m.Bytes()
		}},
		{Name: "no entry point", Class: Linking, Want: []string{sandbox.CodeModuleEntry}, Module: func() []byte { return wasm.AppendHeader(nil) }},
		{Name: "an entry point with parameters", Class: Linking, Want: []string{sandbox.CodeModuleEntry}, Module: func() []byte {
			m := &asm.Module{}
			m.ExportFunc("_start", m.Func(i32x1, nil, nil))
			return m.Bytes()
		}},
		{Name: "an entry point that is a memory", Class: Linking, Want: []string{sandbox.CodeModuleEntry}, Module: func() []byte {
			m := &asm.Module{}
			m.Export("_start", wasm.KindMemory, m.Memory(1, -1))
			return m.Bytes()
		}},
	}
}
