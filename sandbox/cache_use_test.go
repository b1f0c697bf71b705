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
	"github.com/krmsafe/krmsafe/internal/wasm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// FillNever writes nothing, and FillSeen compiles nothing that is large before it has
// seen it twice.
func TestFill(t *testing.T) {
	dir := cacheDir(t)
	never := func(c *sandbox.CacheConfig) { c.Fill = sandbox.FillNever }
	for range 2 {
		if r := once(t, openCache(t, dir, never), asm.Cat(), "hello", ample()); r.Cached {
			t.Error("something was kept though nothing may be")
		}
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "code")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	large, l := bulky(600), ample()
	l.CompileTimeout, l.Timeout = time.Minute, time.Minute*4
	auto := func(c *sandbox.CacheConfig) { c.Fill = sandbox.FillSeen }
	for i, want := range []struct {
		engine sandbox.Engine
		cached bool
	}{{sandbox.EngineInterpreter, false}, {sandbox.EngineCompiler, false}, {sandbox.EngineCompiler, true}} {
		r := once(t, openCache(t, dir, auto), large, "", l)
		if r.Engine != want.engine || r.Cached != want.cached {
			t.Errorf("run %d: engine %s, cached is %v, want %s, %v", i+1, r.Engine, r.Cached, want.engine, want.cached)
		}
	}
}

// Limits that leave no time to compile a module keep it from the cache, and whoever asked
// for it is told, and what helps. What helps does: code that was made under other limits.
func TestFillSaysWhyNothingIsKept(t *testing.T) {
	large, dir := bulky(3600), cacheDir(t)
	tight, roomy := unhurried(), unhurried()
	tight.CompileTimeout = 5 * time.Second // it may need three and a half, twice
	for _, tc := range []struct {
		name string
		cfg  func(*sandbox.CacheConfig)
		l    sandbox.Limits
		hint string
	}{
		{"no time", nil, tight, "limits.compileTimeout of 7s"},
		{"no time, and not asked for", func(c *sandbox.CacheConfig) { c.Fill = sandbox.FillSeen }, tight, ""},
		{"no room", func(c *sandbox.CacheConfig) { c.MaxBytes = 4 << 20 }, roomy, "--compile-cache-size"},
	} {
		for range 2 {
			r := once(t, openCache(t, dir, tc.cfg), large, "", tc.l)
			if r.Engine != sandbox.EngineInterpreter || r.Cached || r.Stop != nil {
				t.Errorf("%s: engine %s, cached is %v, %+v", tc.name, r.Engine, r.Cached, r.Stop)
			}
			if told := len(r.Notes) == 1 && r.Notes[0].Code == sandbox.CodeCacheUnkept && strings.Contains(r.Notes[0].Hint, tc.hint); told != (tc.hint != "") {
				t.Errorf("%s: notes are %+v, want %q", tc.name, r.Notes, tc.hint)
			}
		}
	}
	if r := once(t, openCache(t, dir, nil), large, "", roomy); r.Engine != sandbox.EngineCompiler || len(r.Notes) > 0 {
		t.Errorf("with time: engine %s, notes are %+v", r.Engine, r.Notes)
	}
	if r := once(t, openCache(t, dir, nil), large, "", tight); !r.Cached || len(r.Notes) > 0 {
		t.Errorf("afterwards: cached is %v, notes are %+v", r.Cached, r.Notes)
	}
}

// bulky is a command with more code than is compiled for one run, 900 bytes in each of
// its functions.
func bulky(functions int) []byte {
	m := &asm.Module{}
	m.Export("memory", 2, m.Memory(1, -1))
	body := make([][]byte, 0, 1000)
	for range 300 {
		body = append(body, asm.I32Const(1), asm.Drop)
	}
	for range functions {
		m.Func(nil, nil, nil, body...)
	}
	m.ExportFunc("_start", m.Func(nil, nil, nil))
	return m.Bytes()
}

// A module that works hard on a small input is compiled after all, and nobody sees a
// difference; without time to compile it is interpreted to the end of its limits.
func TestHardWorkIsCompiled(t *testing.T) {
	m := &asm.Module{}
	m.Export("memory", 2, m.Memory(1, -1))
	body := make([][]byte, 0, 1000)
	for range 300 {
		body = append(body, asm.I32Const(1), asm.Drop)
	}
	for range 600 {
		m.Func(nil, nil, nil, body...)
	}
	m.ExportFunc("_start", m.Func(nil, nil, asm.Types{asm.I32},
		asm.I32Const(150_000_000), asm.Tee(0), asm.Drop, asm.Loop(asm.Empty, asm.Get(0), asm.I32Const(1), asm.I32Sub, asm.Tee(0), asm.Op(wasm.OpBrIf, 0))))
	module := m.Bytes()
	inspected, err := sandbox.Inspect(module)
	if err != nil {
		t.Fatal(err)
	}
	limits := ample()
	limits.Fuel = 1 << 40
	compiled, err := newSandbox(t, sandbox.Config{Engine: sandbox.EngineCompiler}).Run(t.Context(), inspected, nil, limits)
	if err != nil {
		t.Fatal(err)
	}
	auto, err := newSandbox(t, sandbox.Config{}).Run(t.Context(), inspected, nil, limits)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pick(compiled), pick(auto)); diff != "" || auto.Stop != nil || auto.Engine != sandbox.EngineCompiler {
		t.Errorf("engine %s, and the runs differ:\n%s", auto.Engine, diff)
	}
	c := openCache(t, cacheDir(t), func(cfg *sandbox.CacheConfig) { cfg.Fill = sandbox.FillSeen })
	if first, second := once(t, c, module, "", limits), once(t, c, module, "", limits); first.Stop != nil || !second.Cached {
		t.Errorf("what was compiled after all was not kept: %+v, Cached = %v", first.Stop, second.Cached)
	}
}

// The engine's cache can still be replaced: without it everything would run, slowly.
func TestEngineCacheIsTaken(t *testing.T) {
	c := openCache(t, cacheDir(t), nil)
	once(t, c, asm.Cat(), "hello", ample())
	if r := once(t, c, asm.Cat(), "hello", ample()); !r.Cached {
		t.Fatal("the engine no longer takes its compiled code from where it did: see engineCache")
	}
}

func TestExpectedModuleIsUsed(t *testing.T) {
	c := openCache(t, cacheDir(t), nil)
	once(t, c, asm.Cat(), "hello", ample())
	s := newSandbox(t, sandbox.Config{Cache: c})
	m, err := s.Inspect(asm.Cat())
	if err != nil {
		t.Fatal(err)
	}
	s.Ahead(t.Context())
	if _, err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Expect(t.Context(), m, "")
	s.Expect(t.Context(), inspect(t, world()), "")
	for _, in := range []string{"one", "two"} {
		r, err := s.Run(t.Context(), m, []byte(in), ample())
		if err != nil || string(r.Stdout) != in || !r.Cached {
			t.Errorf("Run = %+v, %v, want %s from the cache", r, err, in)
		}
	}
	r, err := s.Do(t.Context(), sandbox.Job{Module: m, Stdin: []byte("three"), Limits: ample(), Engine: sandbox.EngineInterpreter})
	if err != nil || string(r.Stdout) != "three" || r.Cached {
		t.Errorf("Do on the interpreter = %+v, %v, want three without the cache", r, err)
	}
}

// What is found while a child is started ahead is told by the run.
func TestExpectedDoubtIsTold(t *testing.T) {
	dir := cacheDir(t)
	once(t, openCache(t, dir, nil), asm.Cat(), "hello", ample())
	if err := os.Chmod(codeEntry(t, dir), 0o777); err != nil {
		t.Fatal(err)
	}
	s := newSandbox(t, sandbox.Config{Cache: openCache(t, dir, nil)})
	m := inspect(t, asm.Cat())
	s.Expect(t.Context(), m, "")
	r, err := s.Run(t.Context(), m, []byte("hello"), ample())
	if err != nil || string(r.Stdout) != "hello" || r.Cached || len(r.Notes) != 1 || r.Notes[0].Code != sandbox.CodeCacheDiscarded {
		t.Errorf("Run = %+v, %v, want one note", r, err)
	}
}

// Code that was made elsewhere is told apart from code that was made here, and a job
// that wants none of it gets none.
func TestImportedCodeIsToldApart(t *testing.T) {
	maker := openCache(t, cacheDir(t), nil)
	once(t, maker, asm.Cat(), "hello", ample())
	var archive bytes.Buffer
	if n, err := maker.Export(&archive, nil); n != 1 || err != nil {
		t.Fatalf("Export = %d, %v", n, err)
	}
	c := openCache(t, cacheDir(t), nil)
	s, m := newSandbox(t, sandbox.Config{Cache: c}), inspect(t, asm.Cat())
	if got := s.CodeOrigin(m, ""); got != sandbox.CodeNone {
		t.Errorf("CodeOrigin of nothing = %s", got)
	}
	if got, err := c.Import(bytes.NewReader(archive.Bytes()), nil); err != nil || got.Kept != 1 {
		t.Fatalf("Import = %+v, %v", got, err)
	}
	if got := s.CodeOrigin(m, ""); got != sandbox.CodeImported {
		t.Errorf("CodeOrigin = %s, want imported", got)
	}
	for _, local := range []bool{false, true} {
		s.Expect(t.Context(), m, "")
		r, err := s.Do(t.Context(), sandbox.Job{Module: m, Stdin: []byte("hello"), Limits: ample(), LocalCode: local})
		if err != nil || string(r.Stdout) != "hello" || r.Cached == local {
			t.Errorf("Do with LocalCode %v = %+v, %v", local, r, err)
		}
	}
	if got := s.CodeOrigin(m, ""); got != sandbox.CodeLocal {
		t.Errorf("CodeOrigin = %s, want local, which comes first", got)
	}
}

// An archive is bounded, strict and only code.
func TestCrookedArchivesAreRefused(t *testing.T) {
	maker := openCache(t, cacheDir(t), nil)
	once(t, maker, asm.Cat(), "hello", ample())
	var archive bytes.Buffer
	if _, err := maker.Export(&archive, nil); err != nil {
		t.Fatal(err)
	}
	c := openCache(t, cacheDir(t), nil)
	for name, data := range map[string][]byte{
		"cut short":        archive.Bytes()[:archive.Len()/2],
		"no archive":       []byte("#!/bin/sh"),
		"of other content": bytes.Replace(archive.Bytes(), []byte(`"kind":"code"`), []byte(`"kind":"evil"`), 1),
		"named otherwise":  bytes.Replace(archive.Bytes(), []byte("0/binding.json"), []byte("0/bindinX.json"), 1),
	} {
		got, err := c.Import(bytes.NewReader(data), nil)
		if err == nil && got.Kept > 0 {
			t.Errorf("%s: Import = %+v, want nothing kept", name, got)
		}
	}
	if _, err := c.Import(bytes.NewReader(archive.Bytes()), []string{"sha256:" + strings.Repeat("0", 64)}); err == nil {
		t.Error("Import of a module that was not asked for = nil, want an error")
	}
}

// nonBlocking is O_NONBLOCK on Linux, which alone keeps compiled code.
const nonBlocking = 0x800

// What a process has loaded it goes on to use, whatever becomes of the entry, until
// somebody asks to write to it: then the seal is looked at again.
func TestLoadedCodeIsHeld(t *testing.T) {
	dir := cacheDir(t)
	want := pick(once(t, openCache(t, dir, nil), asm.Cat(), "hello", ample()))
	c := openCache(t, dir, nil)
	run := func(step string) {
		t.Helper()
		r := once(t, c, asm.Cat(), "hello", ample())
		if diff := cmp.Diff(want, pick(r)); diff != "" || !r.Cached {
			t.Errorf("%s: Cached = %v, and the run differs:\n%s", step, r.Cached, diff)
		}
	}
	run("loaded")
	name := codeEntry(t, dir)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	aside := filepath.Join(dir, "aside")
	if err := os.Rename(name, aside); err != nil {
		t.Fatal(err)
	}
	run("moved away")
	if err := os.Rename(aside, name); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		t.Fatal(err)
	}
	// The open for writing waits until the lease is given up, or fails at once: both
	// break it.
	f, err := os.OpenFile(name, os.O_WRONLY|nonBlocking, 0)
	if err == nil {
		_ = f.Close()
	}
	run("asked for")
	data[1<<16+40] ^= 0xff
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o400); err != nil {
		t.Fatal(err)
	}
	fresh := once(t, openCache(t, dir, nil), asm.Cat(), "hello", ample())
	if fresh.Cached || len(fresh.Notes) == 0 {
		t.Errorf("another process took what was written: %+v", fresh.Notes)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}
