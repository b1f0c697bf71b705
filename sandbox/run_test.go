package sandbox_test

import (
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// ample is more than any module here needs.
func ample() sandbox.Limits {
	return sandbox.Limits{
		MemoryPages: 256, TableElements: 1000, CallDepth: 10000, Fuel: 1 << 40, Timeout: 20 * time.Second,
		CompileTimeout: 10 * time.Second, CompileBytes: 256 << 20, OutputBytes: 1 << 20, StderrBytes: 64 << 10,
	}
}

func inspect(tb testing.TB, module []byte) *sandbox.Module {
	tb.Helper()
	m, err := sandbox.Inspect(module)
	if err != nil {
		tb.Fatalf("Inspect: %v", err)
	}
	return m
}

func newSandbox(tb testing.TB, cfg sandbox.Config) *sandbox.Sandbox {
	tb.Helper()
	s, err := sandbox.New(cfg)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func run(tb testing.TB, cfg sandbox.Config, module []byte, stdin string, l sandbox.Limits) *sandbox.Result {
	tb.Helper()
	r, err := newSandbox(tb, cfg).Run(tb.Context(), inspect(tb, module), []byte(stdin), l)
	if err != nil {
		tb.Fatalf("Run: %v", err)
	}
	return r
}

func wantStop(tb testing.TB, r *sandbox.Result, code string) {
	tb.Helper()
	got := "none"
	if r.Stop != nil {
		got = r.Stop.Code + ": " + r.Stop.Message
	}
	if (r.Stop == nil && code != "") || (r.Stop != nil && r.Stop.Code != code) {
		tb.Errorf("Stop = %s, want %q", got, code)
	}
}

func TestRunEcho(t *testing.T) {
	for _, engine := range []sandbox.Engine{sandbox.EngineCompiler, sandbox.EngineInterpreter} {
		t.Run(string(engine), func(t *testing.T) {
			r := run(t, sandbox.Config{Engine: engine}, asm.Cat(), "hello", ample())
			wantStop(t, r, "")
			if string(r.Stdout) != "hello" || r.Engine != engine || !r.Jail.Complete() {
				t.Errorf("Run = %q on %s in %v, want hello in a complete jail", r.Stdout, r.Engine, r.Jail.Missing())
			}
			t.Log(r.Usage, r.Jail)
		})
	}
}

func TestRunStops(t *testing.T) {
	for _, tc := range []struct {
		name, code string
		module     []byte
		limits     func(*sandbox.Limits)
	}{
		{"exit", sandbox.CodeGuestExit, asm.Exit(3), nil},
		{"exit like a deadline", sandbox.CodeGuestExit, asm.Exit(0xefffffff), nil},
		{"exit like a cancellation", sandbox.CodeGuestExit, asm.Exit(0xffffffff), nil},
		{"trap", sandbox.CodeGuestTrap, asm.Trap(), nil},
		{"endless loop", sandbox.CodeLimitTime, asm.Spin(), func(l *sandbox.Limits) { l.Timeout = time.Second }},
		{"endless loop by fuel", sandbox.CodeLimitFuel, asm.Spin(), func(l *sandbox.Limits) { l.Fuel = 1e6 }},
		{"flood", sandbox.CodeLimitOutput, asm.Flood(1), nil},
		{"flood of errors", sandbox.CodeLimitStderr, asm.Flood(2), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := ample()
			if tc.limits != nil {
				tc.limits(&l)
			}
			wantStop(t, run(t, sandbox.Config{}, tc.module, "", l), tc.code)
		})
	}
}

// speak writes text to a stream, an empty text after it, and then does the rest.
func speak(fd int32, text string, rest ...[]byte) []byte {
	m := &asm.Module{}
	four := asm.Types{asm.I32, asm.I32, asm.I32, asm.I32}
	write := m.WASI("fd_write", four, asm.Types{asm.I32})
	m.Memory(1, -1)
	m.Data(0, []byte{32, 0, 0, 0, byte(len(text)), 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0})
	m.Data(32, []byte(text))
	say := func(vector int32) []byte {
		return asm.Code(asm.I32Const(fd), asm.I32Const(vector), asm.I32Const(1), asm.I32Const(24), asm.Call(write), asm.Drop)
	}
	m.ExportFunc("_start", m.Func(nil, nil, nil, say(0), say(8), asm.Code(rest...)))
	return m.Bytes()
}

// What a module had to say is known however it ends; what it had written is not
// passed on unless it ends by itself.
func TestStderrIsKept(t *testing.T) {
	spin := asm.Loop(asm.Empty, asm.Br(0))
	for _, tc := range []struct {
		name, code string
		rest       []byte
		limits     func(*sandbox.Limits)
	}{
		{"ends well", "", nil, nil},
		{"traps", sandbox.CodeGuestTrap, asm.Unreachable, nil},
		{"runs out of time", sandbox.CodeLimitTime, spin, func(l *sandbox.Limits) { l.Timeout = slow * 1500 * time.Millisecond }},
		{"runs out of fuel", sandbox.CodeLimitFuel, spin, func(l *sandbox.Limits) { l.Fuel = 100_000 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := ample()
			if tc.limits != nil {
				tc.limits(&l)
			}
			r := run(t, sandbox.Config{}, speak(2, "why", tc.rest), "", l)
			wantStop(t, r, tc.code)
			if string(r.Stderr) != "why" {
				t.Errorf("Stderr = %q, want why", r.Stderr)
			}
			r = run(t, sandbox.Config{}, speak(1, "part", tc.rest), "", l)
			if want := map[bool]string{true: "part", false: ""}[tc.code == ""]; string(r.Stdout) != want {
				t.Errorf("Stdout = %q after %s, want %q", r.Stdout, tc.code, want)
			}
		})
	}
}
