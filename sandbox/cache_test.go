package sandbox_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// cacheDir is a folder that only this user can write to, with all folders above it.
// The system's temporary folder is sticky, which is as good.
func cacheDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openCache(t *testing.T, dir string, change func(*sandbox.CacheConfig)) *sandbox.Cache {
	t.Helper()
	cfg := sandbox.CacheConfig{
		Dir: filepath.Join(dir, "code"), KeyFile: filepath.Join(dir, "key"), MaxBytes: 1 << 30,
		Fill: sandbox.FillAlways, Build: "test", Now: time.Now,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := sandbox.OpenCache(cfg)
	if err != nil {
		t.Fatalf("OpenCache = %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// once runs a module with a cache as one process does that runs nothing else.
func once(t *testing.T, c *sandbox.Cache, module []byte, stdin string, l sandbox.Limits) *sandbox.Result {
	t.Helper()
	s := newSandbox(t, sandbox.Config{Cache: c})
	m, err := s.Inspect(module)
	if err != nil {
		t.Fatalf("Inspect = %v", err)
	}
	r, err := s.Run(t.Context(), m, []byte(stdin), l)
	if err != nil {
		t.Fatalf("Run = %v", err)
	}
	return r
}

// seen is all that a run may differ in that nobody must see a difference in.
type seen struct {
	Stop           *sandbox.Stop
	Exit           uint32
	Stdout, Stderr string
	Pages          uint32
	Fuel           uint64
}

func pick(r *sandbox.Result) seen {
	return seen{r.Stop, r.ExitCode, string(r.Stdout), string(r.Stderr), r.Usage.MemoryPages, r.Usage.Fuel}
}

// laidOut is a command whose memory holds data in overlapping segments, and that
// writes its first page.
func laidOut(passive bool) []byte {
	m := &asm.Module{}
	write := m.WASI("fd_write", asm.Types{asm.I32, asm.I32, asm.I32, asm.I32}, asm.Types{asm.I32})
	m.Export("memory", 2, m.Memory(2, -1))
	m.Data(100, []byte("first, and second"))
	m.Data(107, []byte("AND"))
	m.Data(70_000, bytes.Repeat([]byte("far"), 100))
	if passive {
		m.PassiveData([]byte("held back"))
	}
	c := asm.I32Const
	code := [][]byte{c(0), c(100), asm.I32Store, c(4), c(70_000), asm.I32Store, c(1), c(0), c(1), c(8), asm.Call(write), asm.Drop}
	m.ExportFunc("_start", m.Func(nil, nil, nil, code...))
	return m.Bytes()
}

// Outputs, limits and fuel are the same on both engines, without a cache, filling
// one, from one, and from one that another Sandbox filled.
func TestCacheStatesAreAlike(t *testing.T) {
	for _, tc := range []struct {
		name   string
		module []byte
		stdin  string
		limits func(*sandbox.Limits)
	}{
		{"all that a host tells", world(), "", nil},
		{"identity", asm.Cat(), strings.Repeat("apiVersion: v1\n", 10_000), nil},
		{"data", laidOut(false), "", nil},
		{"data that code may name", laidOut(true), "", nil},
		{"a memory that grows", asm.GrowForever(), "", nil},
		{"out of fuel", asm.Spin(), "", nil},
		{"out of memory", asm.GrowForever(), "", func(l *sandbox.Limits) { l.MemoryPages = 3 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := ample()
			l.Fuel = 1_000_000
			l.Timeout *= slow
			if tc.limits != nil {
				tc.limits(&l)
			}
			want := pick(run(t, sandbox.Config{Engine: sandbox.EngineInterpreter}, tc.module, tc.stdin, l))
			same := func(state string, r *sandbox.Result, cached bool) {
				t.Helper()
				if diff := cmp.Diff(want, pick(r)); diff != "" {
					t.Errorf("%s differs from the interpreter:\n%s", state, diff)
				}
				if r.Cached != cached || len(r.Notes) > 0 {
					t.Errorf("%s: cached is %v, notes are %v", state, r.Cached, r.Notes)
				}
			}
			same("compiled", run(t, sandbox.Config{Engine: sandbox.EngineCompiler}, tc.module, tc.stdin, l), false)
			dir := cacheDir(t)
			c := openCache(t, dir, nil)
			same("filling", once(t, c, tc.module, tc.stdin, l), false)
			same("warm", once(t, c, tc.module, tc.stdin, l), true)
			same("warm again", once(t, openCache(t, dir, nil), tc.module, tc.stdin, l), true)
		})
	}
}
