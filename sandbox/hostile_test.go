package sandbox_test

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/internal/testkit/hostile"
	"github.com/krmsafe/krmsafe/sandbox"
)

// tight are the limits of the hostile suite.
func tight() sandbox.Limits {
	return sandbox.Limits{
		MemoryPages: 512, TableElements: 10_000, CallDepth: 1900, Fuel: 1 << 50, Timeout: slow * 5 * time.Second,
		CompileTimeout: slow * 4 * time.Second, CompileBytes: slow * 256 << 20, OutputBytes: 4 << 20, StderrBytes: 64 << 10,
	}
}

// ceiling is the memory that a run may take at most: what the limits add up to,
// and what an idle child and the engine's stack need.
func ceiling(l sandbox.Limits, module int) int64 {
	return int64(l.MemoryPages)<<16 + l.CompileBytes + l.OutputBytes + l.StderrBytes + 16*int64(l.TableElements) + 3*int64(module) + 300<<20
}

// TestHostileModules carries out every known attack and sees each end as it must:
// with its own reason, within the time limit and a second, under the memory
// ceiling, without output, and with this process unharmed.
func TestHostileModules(t *testing.T) {
	for _, c := range hostile.Cases() {
		t.Run(c.Class+"/"+c.Name, func(t *testing.T) {
			module := c.Module()
			m, code := inspectHostile(t, module)
			if m == nil {
				wantCode(t, c, code)
				return
			}
			l := tight()
			if c.Limits != nil {
				c.Limits(&l)
			}
			engines := []sandbox.Engine{sandbox.EngineCompiler, sandbox.EngineInterpreter}
			if slow > 1 {
				engines = engines[:1] // the race detector looks at this process, not at the child's engine
			}
			for _, engine := range engines {
				begin := time.Now()
				r, err := newSandbox(t, sandbox.Config{Engine: engine}).Run(t.Context(), m, nil, l)
				took := time.Since(begin)
				if err != nil {
					t.Fatalf("Run on the %s = %v", engine, err)
				}
				if r.Stop != nil {
					code = r.Stop.Code
					checkMessage(t, r.Stop)
				}
				t.Logf("%s: %q in %v with %d MiB: %v", engine, code, took, r.Usage.PeakBytes>>20, r.Stop)
				wantCode(t, c, code)
				if code != "" && code != sandbox.CodeGuestExit && len(r.Stdout) > 0 {
					t.Errorf("%d bytes of output beside %s", len(r.Stdout), code)
				}
				if took > l.Timeout+time.Second {
					t.Errorf("it took %v on the %s, the limit is %v", took, engine, l.Timeout)
				}
				if most := ceiling(l, len(module)); r.Usage.PeakBytes > most {
					t.Errorf("it took %d bytes on the %s, the ceiling is %d", r.Usage.PeakBytes, engine, most)
				}
				code = ""
			}
		})
	}
}

// inspectHostile inspects a module and sees that refusing it costs little.
func inspectHostile(t *testing.T, module []byte) (*sandbox.Module, string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := sandbox.Inspect(module)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > uint64(32<<20+16*len(module)) {
		t.Errorf("inspecting %d bytes allocated %d", len(module), took)
	}
	var refused *sandbox.ModuleError
	if err != nil && !errors.As(err, &refused) {
		t.Fatalf("Inspect = %v, want a ModuleError", err)
	}
	if err != nil {
		checkText(t, refused.Message+refused.Hint)
		return nil, refused.Code
	}
	return m, ""
}

func wantCode(t *testing.T, c hostile.Case, code string) {
	t.Helper()
	ok := slices.ContainsFunc(c.Want, func(want string) bool {
		return code == want || strings.HasSuffix(want, ".") && strings.HasPrefix(code, want)
	})
	if !ok {
		t.Errorf("it ended with %q, want one of %q", code, c.Want)
	}
}

// checkMessage sees that a message is one short line without the module's words
// in the raw.
func checkMessage(t *testing.T, s *sandbox.Stop) {
	t.Helper()
	if s.Message == "" {
		t.Errorf("%s has no message", s.Code)
	}
	checkText(t, s.Message+s.Hint)
}

func checkText(t *testing.T, text string) {
	t.Helper()
	if len(text) > 1000 || strings.ContainsAny(text, "\n\r\x1b") {
		t.Errorf("message is long or not one line: %.2000q", text)
	}
}

// A compile that runs out of memory says so, and not that it took too long.
func TestCompileMemoryIsBounded(t *testing.T) {
	for _, c := range hostile.Cases() {
		if c.Name != "more to compile than there is memory for" {
			continue
		}
		l := tight()
		c.Limits(&l)
		l.Timeout, l.CompileTimeout = time.Minute, time.Minute
		r := run(t, sandbox.Config{Engine: sandbox.EngineInterpreter}, c.Module(), "", l)
		wantStop(t, r, sandbox.CodeLimitCompile)
		if r.Stop != nil && !strings.Contains(r.Stop.Message, "bytes of memory") {
			t.Errorf("Message = %q, want the memory named", r.Stop.Message)
		}
		return
	}
	t.Fatal("the hostile suite has no such case")
}
