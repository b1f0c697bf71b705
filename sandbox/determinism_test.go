package sandbox_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// world is a command that writes its first page to stdout after it has filled it
// with all that a host tells: arguments, variables, clocks, random numbers.
func world() []byte {
	m := &asm.Module{}
	one := func(name string, params asm.Types, args ...[]byte) []byte {
		f := m.WASI(name, params, asm.Types{asm.I32})
		return asm.Code(asm.Code(args...), asm.Call(f), asm.Drop)
	}
	c := asm.I32Const
	i32 := asm.I32
	code := [][]byte{
		one("args_sizes_get", asm.Types{i32, i32}, c(16), c(20)),
		one("args_get", asm.Types{i32, i32}, c(24), c(64)),
		one("environ_sizes_get", asm.Types{i32, i32}, c(128), c(132)),
		one("environ_get", asm.Types{i32, i32}, c(140), c(256)),
		one("clock_res_get", asm.Types{i32, i32}, c(0), c(1024)),
		one("clock_time_get", asm.Types{i32, asm.I64, i32}, c(0), asm.I64Const(0), c(1032)),
		one("random_get", asm.Types{i32, i32}, c(2048), c(256)),
		one("fd_filestat_get", asm.Types{i32, i32}, c(0), c(2400)),
		one("fd_filestat_get", asm.Types{i32, i32}, c(3), c(2500)),
	}
	write := m.WASI("fd_write", asm.Types{i32, i32, i32, i32}, asm.Types{i32})
	m.Export("memory", wasm.KindMemory, m.Memory(1, -1))
	code = append(code, c(0), c(16), asm.I32Store, c(4), c(4080), asm.I32Store, c(1), c(0), c(1), c(8), asm.Call(write), asm.Drop)
	m.ExportFunc("_start", m.Func(nil, nil, nil, code...))
	return m.Bytes()
}

// SR-25: two runs are the same to the byte and to the unit of fuel, on both
// engines.
func TestRunsAreDeterministic(t *testing.T) {
	for _, tc := range []struct {
		name   string
		module []byte
		stdin  string
	}{
		{"all that a host tells", world(), ""},
		{"identity", asm.Cat(), string(bytes.Repeat([]byte("apiVersion: v1\n"), 10_000))},
		{"a memory that grows", asm.GrowForever(), ""},
		{"out of fuel", asm.Spin(), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var first *sandbox.Result
			for _, engine := range []sandbox.Engine{sandbox.EngineCompiler, sandbox.EngineInterpreter, sandbox.EngineCompiler} {
				l := ample()
				l.Fuel = 1_000_000
				l.Timeout *= slow
				r := run(t, sandbox.Config{Engine: engine}, tc.module, tc.stdin, l)
				if r.Usage.Fuel == 0 || r.Usage.Fuel > l.Fuel {
					t.Errorf("Fuel = %d of %d", r.Usage.Fuel, l.Fuel)
				}
				if first == nil {
					first = r
					continue
				}
				type same struct {
					Stop           *sandbox.Stop
					Exit           uint32
					Stdout, Stderr string
					Pages          uint32
					Fuel           uint64
				}
				pick := func(r *sandbox.Result) same {
					return same{r.Stop, r.ExitCode, string(r.Stdout), string(r.Stderr), r.Usage.MemoryPages, r.Usage.Fuel}
				}
				if diff := cmp.Diff(pick(first), pick(r)); diff != "" {
					t.Errorf("%s differs from %s:\n%s", r.Engine, first.Engine, diff)
				}
			}
		})
	}
}

// The host's environment, arguments, clock and random numbers do not reach the
// module.
func TestWorldIsConstant(t *testing.T) {
	t.Setenv("KRMSAFE_SECRET", "hunter2")
	out := run(t, sandbox.Config{}, world(), "", ample()).Stdout
	for _, want := range []string{"krm-function\x00", "LOG_TO_STDERR=true\x00STRUCTURED_RESULTS=true\x00"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the module sees no %q", want)
		}
	}
	for _, not := range []string{"hunter2", "PATH=", "HOME=", "GODEBUG"} {
		if bytes.Contains(out, []byte(not)) {
			t.Errorf("the module sees %q", not)
		}
	}
	if bytes.Count(out, []byte("=")) != 2 {
		t.Errorf("the module sees %d variables, want 2", bytes.Count(out, []byte("=")))
	}
}

// Each grant lets in what it names and nothing else.
func TestGrants(t *testing.T) {
	const clock, random = 1032 - 16, 2048 - 16 // offsets in the output
	closed := run(t, sandbox.Config{}, world(), "", ample()).Stdout
	for _, tc := range []struct {
		name          string
		grants        sandbox.Grants
		clock, random bool
	}{
		{"clock", sandbox.Grants{Clock: true}, true, false},
		{"random", sandbox.Grants{Random: true}, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			open := run(t, sandbox.Config{Grants: tc.grants}, world(), "", ample()).Stdout
			if got := !bytes.Equal(open[clock:clock+8], closed[clock:clock+8]); got != tc.clock {
				t.Errorf("the clock changed: %v, want %v", got, tc.clock)
			}
			if got := !bytes.Equal(open[random:random+256], closed[random:random+256]); got != tc.random {
				t.Errorf("the random numbers changed: %v, want %v", got, tc.random)
			}
		})
	}
}

// opener opens a path with the flags of path_open and exits with the error
// number, or reads a byte from it, or writes one to it.
func opener(path string, flags int32, use string) []byte {
	m := &asm.Module{}
	i32, c := asm.I32, asm.I32Const
	open := m.WASI("path_open", asm.Types{i32, i32, i32, i32, i32, asm.I64, asm.I64, i32, i32}, asm.Types{i32})
	four := asm.Types{i32, i32, i32, i32}
	read, write := m.WASI("fd_read", four, asm.Types{i32}), m.WASI("fd_write", four, asm.Types{i32})
	exit := m.WASI("proc_exit", asm.Types{i32}, nil)
	m.Memory(1, -1)
	m.Data(64, []byte(path))
	m.Data(0, []byte{32, 0, 0, 0, 1, 0, 0, 0}) // one vector of one byte at 32
	code := asm.Code(c(3), c(0), c(64), c(int32(len(path))), c(flags), asm.I64Const(0x42), asm.I64Const(0), c(0), c(16), asm.Call(open),
		asm.Tee(0), asm.If(asm.Empty, asm.Get(0), asm.Call(exit)))
	fd := asm.Code(c(16), asm.I32Load)
	switch use {
	case "read":
		code = asm.Code(code, fd, c(0), c(1), c(20), asm.Call(read), asm.Call(exit))
		code = asm.Code(code[:len(code)-len(asm.Call(exit))], asm.Drop, c(1), c(0), c(1), c(20), asm.Call(write), asm.Call(exit))
	case "write":
		code = asm.Code(code, c(32), c('x'), asm.I32Store, fd, c(0), c(1), c(20), asm.Call(write), asm.Call(exit))
	}
	m.ExportFunc("_start", m.Func(nil, nil, asm.Types{i32}, code))
	return m.Bytes()
}

// WASI's error numbers (preview 1, errno).
const (
	errnoIsDir = 31
	errnoNoEnt = 44
	errnoPerm  = 63
	errnoROFS  = 69
)

// Opening a path answers as an empty read-only root does, and nothing of the
// machine is there.
func TestRootIsEmpty(t *testing.T) {
	for _, tc := range []struct {
		name, path string
		flags      int32
		want       uint32
	}{
		{"a file", "etc/passwd", 0, errnoNoEnt},
		{"an absolute path", "/etc/passwd", 0, errnoPerm}, // a C library takes the slash off
		{"a path that climbs", "../etc/passwd", 0, errnoPerm},
		{"a new file", "new", 1, errnoROFS},
		{"a stream that is not granted", "dev/stdin", 0, errnoNoEnt},
		{"the root, to write", ".", 2, errnoIsDir},
		{"the executable", "proc/self/exe", 0, errnoNoEnt},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := run(t, sandbox.Config{}, opener(tc.path, tc.flags, ""), "", ample())
			if r.ExitCode != tc.want {
				t.Errorf("path_open(%q) = %d, want %d", tc.path, r.ExitCode, tc.want)
			}
		})
	}
}

// With the grant the streams have paths, and only they.
func TestStdioPaths(t *testing.T) {
	cfg := sandbox.Config{Grants: sandbox.Grants{StdioPaths: true}}
	if r := run(t, cfg, opener("dev/stdin", 0, "read"), "A", ample()); string(r.Stdout) != "A" {
		t.Errorf("reading dev/stdin gave %q with %v, want A", r.Stdout, r.Stop)
	}
	if r := run(t, cfg, opener("dev/stdout", 0, "write"), "", ample()); string(r.Stdout) != "x" {
		t.Errorf("writing dev/stdout gave %q with %v, want x", r.Stdout, r.Stop)
	}
	if r := run(t, cfg, opener("dev/stderr", 0, "write"), "", ample()); string(r.Stderr) != "x" {
		t.Errorf("writing dev/stderr gave %q with %v, want x", r.Stderr, r.Stop)
	}
	if r := run(t, cfg, opener("dev/null", 0, ""), "", ample()); r.ExitCode != errnoNoEnt {
		t.Errorf("path_open(dev/null) = %d, want %d", r.ExitCode, errnoNoEnt)
	}
}
