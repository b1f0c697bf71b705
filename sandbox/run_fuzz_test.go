package sandbox_test

import (
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/testkit/hostile"
	"github.com/krmsafe/krmsafe/sandbox"
)

// Whatever the inspector accepts runs, ends, and ends alike on both engines: no
// module crashes the engine, makes a call that the jail forbids, or is accepted
// here and refused there.
func FuzzRun(f *testing.F) {
	for _, c := range hostile.Cases() {
		if m := c.Module(); len(m) < 4096 {
			f.Add(m)
		}
	}
	f.Add(asm.Cat())
	f.Add(world())
	s, err := sandbox.New(sandbox.Config{})
	if err != nil {
		f.Fatal(err)
	}
	l := sandbox.Limits{
		MemoryPages: 64, TableElements: 1000, CallDepth: 100, Fuel: 1_000_000, Timeout: slow * 10 * time.Second,
		CompileTimeout: slow * 9 * time.Second, CompileBytes: 256 << 20, OutputBytes: 1 << 20, StderrBytes: 64 << 10,
	}
	f.Fuzz(func(t *testing.T, module []byte) {
		m, err := sandbox.Inspect(module)
		if err != nil {
			return
		}
		var first *sandbox.Result
		for _, engine := range []sandbox.Engine{sandbox.EngineCompiler, sandbox.EngineInterpreter} {
			r, err := s.Do(t.Context(), sandbox.Job{Module: m, Stdin: []byte("x"), Limits: l, Engine: engine})
			if err != nil {
				t.Fatal(err)
			}
			code := ""
			if r.Stop != nil {
				code = r.Stop.Code
			}
			switch code {
			case sandbox.CodeGuestCrash, sandbox.CodeJailViolation, sandbox.CodeLimitTime, sandbox.CodeLimitStack:
				t.Fatalf("on the %s: %s", engine, r.Stop.Message)
			}
			if first == nil {
				first = r
				continue
			}
			if was := first.Stop; (was == nil) != (r.Stop == nil) || was != nil && was.Code != code ||
				first.Usage.Fuel != r.Usage.Fuel || first.Usage.MemoryPages != r.Usage.MemoryPages {
				t.Fatalf("the compiler ended with %+v and %+v, the interpreter with %+v and %+v", was, first.Usage, r.Stop, r.Usage)
			}
		}
	})
}
