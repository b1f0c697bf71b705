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
