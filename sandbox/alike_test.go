package sandbox_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/sandbox"
)

// compiled is a program that a compiler made, and what it is fed.
type compiled struct {
	name   string
	module []byte
	large  bool // EngineAuto interprets it
	stdin  string
	hard   string // keeps an interpreter busy for longer than compiling takes
}

// compilers gives a program of each of the compilers that functions come from.
// testdata/alike has the sources, and README.md how C and Rust are compiled.
func compilers(t *testing.T) []compiled {
	t.Helper()
	in := "kind: ConfigMap\nname: b\nname: a 12\nwork\nname: b\n\n\t# \u00e9\n"
	read := func(name string) []byte { return readFile(t, filepath.Join("testdata", "alike", name)) }
	return []compiled{
		{"Go", goModule(t, "alike/go"), true, in, strings.Repeat("work\n", 13)},
		{"Rust", read("rust.wasm"), false, in, ""},
		{"C", read("c.wasm"), false, in, ""},
	}
}

// unhurried are limits that no state of the cache comes near to on a busy machine.
func unhurried() sandbox.Limits {
	l := ample()
	l.MemoryPages, l.TableElements, l.CompileBytes = 2048, 100_000, slow*512<<20
	l.Timeout, l.CompileTimeout = slow*400*time.Second, slow*100*time.Second
	return l
}

// A run is the same to the byte and to the unit of fuel however it came to its machine
// code, and without any: for what Go, Rust and C compile to, whether it ends or runs
// out of fuel halfway.
func TestRunsAreAlikeInEveryState(t *testing.T) {
	for _, p := range compilers(t) {
		t.Run(p.name, func(t *testing.T) {
			l := unhurried()
			whole := run(t, sandbox.Config{Engine: sandbox.EngineInterpreter}, p.module, p.stdin, l)
			if whole.Stop != nil || whole.Usage.Fuel < 1000 || !bytes.Contains(whole.Stdout, []byte("\n")) {
				t.Fatalf("it ends with %+v after %d units and %q", whole.Stop, whole.Usage.Fuel, whole.Stdout)
			}
			t.Run("to its end", func(t *testing.T) { everyState(t, p, whole, l) })
			l.Fuel = whole.Usage.Fuel / 2
			half := run(t, sandbox.Config{Engine: sandbox.EngineInterpreter}, p.module, p.stdin, l)
			wantStop(t, half, sandbox.CodeLimitFuel)
			t.Run("half of its fuel", func(t *testing.T) { everyState(t, p, half, l) })
		})
	}
}

// everyState runs p in all other states and compares it with how the interpreter ran it.
func everyState(t *testing.T, p compiled, interpreted *sandbox.Result, l sandbox.Limits) {
	t.Helper()
	want := pick(interpreted)
	auto := sandbox.EngineCompiler
	if p.large {
		auto = sandbox.EngineInterpreter
	}
	same := func(state string, r *sandbox.Result, engine sandbox.Engine, cached bool, notes ...string) {
		t.Helper()
		if diff := cmp.Diff(want, pick(r)); diff != "" {
			t.Errorf("%s differs from the interpreter:\n%s", state, diff)
		}
		if r.Engine != engine || r.Cached != cached {
			t.Errorf("%s: on the %s, cached is %v, want the %s and %v", state, r.Engine, r.Cached, engine, cached)
		}
		var got []string
		for _, n := range r.Notes {
			got = append(got, n.Code)
		}
		if diff := cmp.Diff(notes, got); diff != "" {
			t.Errorf("%s: the notes differ:\n%s", state, diff)
		}
	}
	compiler := sandbox.EngineCompiler
	same("compiled", run(t, sandbox.Config{Engine: compiler}, p.module, p.stdin, l), compiler, false)
	same("without a cache", run(t, sandbox.Config{}, p.module, p.stdin, l), auto, false)

	dir := cacheDir(t)
	c := openCache(t, dir, nil)
	same("filling", once(t, c, p.module, p.stdin, l), compiler, false)
	same("from the cache", once(t, c, p.module, p.stdin, l), compiler, true)
	same("from what this process has loaded", once(t, c, p.module, p.stdin, l), compiler, true)
	same("in a child that waited", expected(t, c, p, l), compiler, true)
	same("from the cache that another filled", once(t, openCache(t, dir, nil), p.module, p.stdin, l), compiler, true)
	imported(t, c, p, l, func(state string, r *sandbox.Result) { same(state, r, compiler, true) })

	name := codeEntry(t, dir)
	data := readFile(t, name)
	data[len(data)-1] ^= 1
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o400); err != nil {
		t.Fatal(err)
	}
	same("after an entry was discarded", once(t, openCache(t, dir, nil), p.module, p.stdin, l), compiler, false, sandbox.CodeCacheDiscarded)
	same("after it was made again", once(t, openCache(t, dir, nil), p.module, p.stdin, l), compiler, true)

	dir = cacheDir(t)
	seen := func(cfg *sandbox.CacheConfig) { cfg.Fill = sandbox.FillSeen }
	same("seen first", once(t, openCache(t, dir, seen), p.module, p.stdin, l), auto, false)
	same("seen again", once(t, openCache(t, dir, seen), p.module, p.stdin, l), compiler, !p.large)
	same("seen often", once(t, openCache(t, dir, seen), p.module, p.stdin, l), compiler, true)
}

// expected runs p in a child that was started with its code.
func expected(t *testing.T, c *sandbox.Cache, p compiled, l sandbox.Limits) *sandbox.Result {
	t.Helper()
	s := newSandbox(t, sandbox.Config{Cache: c})
	m, err := s.Inspect(p.module)
	if err != nil {
		t.Fatal(err)
	}
	s.Expect(t.Context(), m, "")
	r, err := s.Run(t.Context(), m, []byte(p.stdin), l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// imported runs p from code that another cache made: taken by hand, and on somebody's word.
func imported(t *testing.T, maker *sandbox.Cache, p compiled, l sandbox.Limits, same func(state string, r *sandbox.Result)) {
	t.Helper()
	var archive bytes.Buffer
	if n, err := maker.Export(&archive, nil); n != 1 || err != nil {
		t.Fatalf("Export = %d, %v", n, err)
	}
	for _, voucher := range []string{"", "somebody"} {
		c := openCache(t, cacheDir(t), nil)
		s := newSandbox(t, sandbox.Config{Cache: c})
		m, err := s.Inspect(p.module)
		if err == nil && voucher != "" {
			err = s.ImportCode(bytes.NewReader(archive.Bytes()), m, voucher)
		} else if err == nil {
			_, err = c.Import(bytes.NewReader(archive.Bytes()), nil)
		}
		if err != nil {
			t.Fatalf("importing: %v", err)
		}
		r, err := s.Do(t.Context(), sandbox.Job{Module: m, Stdin: []byte(p.stdin), Limits: l, Voucher: voucher})
		if err != nil {
			t.Fatalf("Do = %v", err)
		}
		same("imported for "+voucher, r)
	}
}

// What the interpreter is given up for is the same as what was compiled in the first
// place, and as what comes from the cache that it fills. That a run on EngineAuto ends
// on the compiler shows that it was given up: on an input of such a size it is chosen.
func TestGivingUpTheInterpreterIsNotSeen(t *testing.T) {
	l := unhurried()
	for _, p := range compilers(t) {
		if p.hard == "" {
			continue // EngineAuto compiles it
		}
		want := pick(run(t, sandbox.Config{Engine: sandbox.EngineCompiler}, p.module, p.hard, l))
		c := openCache(t, cacheDir(t), func(cfg *sandbox.CacheConfig) { cfg.Fill = sandbox.FillSeen })
		for _, state := range []struct {
			name   string
			r      *sandbox.Result
			cached bool
		}{
			{"without a cache", run(t, sandbox.Config{}, p.module, p.hard, l), false},
			{"filling", once(t, c, p.module, p.hard, l), false},
			{"from the cache", once(t, c, p.module, p.hard, l), true},
		} {
			if diff := cmp.Diff(want, pick(state.r)); diff != "" {
				t.Errorf("%s, %s differs:\n%s", p.name, state.name, diff)
			}
			if state.r.Engine != sandbox.EngineCompiler || state.r.Cached != state.cached || state.r.Stop != nil {
				t.Errorf("%s, %s: %+v on the %s, cached is %v", p.name, state.name, state.r.Stop, state.r.Engine, state.r.Cached)
			}
		}
	}
}
