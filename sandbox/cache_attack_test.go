package sandbox_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/testkit/hostile"
	"github.com/krmsafe/krmsafe/sandbox"
)

// codeEntry is the file that holds the one module's code, which is larger than what
// is known of it.
func codeEntry(t *testing.T, dir string) string {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(dir, "code", "*.sealed"))
	largest, size := "", int64(0)
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.Size() > size {
			largest, size = name, info.Size()
		}
	}
	if size < 1<<16 {
		t.Fatalf("the cache holds %v, want a module's code", names)
	}
	return largest
}

// Whatever is done to the cache's folder, a module runs as it always does: with a note
// where something was found, and never from what was put there.
func TestAttackedCacheIsCompiledAgain(t *testing.T) {
	code := func(change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			name := codeEntry(t, dir)
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(name, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, change(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tc := range []struct {
		name   string
		note   string // a part of what is told, or empty
		attack func(t *testing.T, dir string)
	}{
		{"nothing", "", nil},
		{"a byte of the code, its checksum left alone", "not what was written", code(func(b []byte) []byte { b[1<<16+40] ^= 0xff; return b })},
		{"every byte of the code", "not what was written", code(func(b []byte) []byte {
			for i := 1 << 16; i < len(b); i++ {
				b[i] = 0xcc // int3
			}
			return b
		})},
		{"cut short", "bytes long", code(func(b []byte) []byte { return b[:len(b)/2] })},
		{"a symbolic link", "not a regular file", func(t *testing.T, dir string) {
			t.Helper()
			name := codeEntry(t, dir)
			if err := os.Rename(name, filepath.Join(dir, "elsewhere")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(dir, "elsewhere"), name); err != nil {
				t.Fatal(err)
			}
		}},
		{"a hard link", "2 names", func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Link(codeEntry(t, dir), filepath.Join(dir, "elsewhere")); err != nil {
				t.Fatal(err)
			}
		}},
		{"another key", "another key", func(t *testing.T, dir string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, "key"), []byte(strings.Repeat("k", 32)), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"a key that others read", "has mode 0644", func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Chmod(filepath.Join(dir, "key"), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := cacheDir(t)
			want := pick(once(t, openCache(t, dir, nil), asm.Cat(), "hello", ample()))
			if tc.attack != nil {
				tc.attack(t, dir)
			}
			r := once(t, openCache(t, dir, nil), asm.Cat(), "hello", ample())
			if diff := cmp.Diff(want, pick(r)); diff != "" {
				t.Errorf("the run differs:\n%s", diff)
			}
			if r.Cached != (tc.attack == nil) {
				t.Errorf("Cached = %v", r.Cached)
			}
			told := slices.ContainsFunc(r.Notes, func(n sandbox.Note) bool { return n.Hint != "" && strings.Contains(n.Message, tc.note) })
			if told != (tc.note != "") {
				t.Errorf("Notes = %+v, want one that says %q", r.Notes, tc.note)
			}
		})
	}
}

// What the cache knew of a module is what a policy would judge: a change of it is told,
// whatever was done, and the module is looked into again.
func TestAttackedFactsAreToldAndFoundAgain(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"a byte": func(b []byte) []byte { b[len(b)-20] ^= 1; return b },
		"cut":    func(b []byte) []byte { return b[:len(b)-1] },
		"longer": func(b []byte) []byte { return append(b, 'x') },
		"empty":  func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := cacheDir(t)
			want := pick(once(t, openCache(t, dir, nil), asm.Cat(), "hello", ample()))
			names, _ := filepath.Glob(filepath.Join(dir, "code", "*.sealed"))
			code, changed := codeEntry(t, dir), 0
			for _, entry := range names {
				if entry == code {
					continue
				}
				changed++
				if err := os.Chmod(entry, 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(entry, change(readFile(t, entry)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if changed != 1 {
				t.Fatalf("the cache holds %v, want code and facts", names)
			}
			r := once(t, openCache(t, dir, nil), asm.Cat(), "hello", ample())
			if diff := cmp.Diff(want, pick(r)); diff != "" {
				t.Errorf("the run differs:\n%s", diff)
			}
			if len(r.Notes) != 1 || r.Notes[0].Code != sandbox.CodeCacheDiscarded || !strings.Contains(r.Notes[0].Message, "knew of the module") {
				t.Errorf("Notes = %+v, want one that the facts were discarded", r.Notes)
			}
			if again := once(t, openCache(t, dir, nil), asm.Cat(), "hello", ample()); len(again.Notes) != 0 {
				t.Errorf("it is told again: %+v", again.Notes)
			}
		})
	}
}

// One module's code in the place of another's.
func TestSwappedModulesAreCompiledAgain(t *testing.T) {
	dir := cacheDir(t)
	once(t, openCache(t, dir, nil), asm.Cat(), "hello", ample())
	cat := codeEntry(t, dir)
	held, err := os.ReadFile(cat)
	if err != nil {
		t.Fatal(err)
	}
	other := cacheDir(t)
	if err := os.WriteFile(filepath.Join(other, "key"), readFile(t, filepath.Join(dir, "key")), 0o600); err != nil {
		t.Fatal(err)
	}
	want := pick(once(t, openCache(t, other, nil), world(), "", ample()))
	name := codeEntry(t, other)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, held, 0o600); err != nil {
		t.Fatal(err)
	}
	r := once(t, openCache(t, other, nil), world(), "", ample())
	if diff := cmp.Diff(want, pick(r)); diff != "" || r.Cached || len(r.Notes) != 1 {
		t.Errorf("cached is %v, notes are %+v, and it differs:\n%s", r.Cached, r.Notes, diff)
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Another version of the program does not take the code, and does not throw it away.
func TestOtherBuildsKeepApart(t *testing.T) {
	dir := cacheDir(t)
	newer := func(c *sandbox.CacheConfig) { c.Build = "newer" }
	once(t, openCache(t, dir, nil), asm.Cat(), "hello", ample())
	if r := once(t, openCache(t, dir, newer), asm.Cat(), "hello", ample()); r.Cached || len(r.Notes) > 0 {
		t.Errorf("another build: cached is %v, notes are %+v", r.Cached, r.Notes)
	}
	for _, change := range []func(*sandbox.CacheConfig){nil, newer} {
		if r := once(t, openCache(t, dir, change), asm.Cat(), "hello", ample()); !r.Cached {
			t.Error("a build does not find its own code again")
		}
	}
}

// Code that was made under generous limits is held to tight ones.
func TestLimitsHoldForCachedCode(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		module     []byte
		stdin      string
		lower      func(*sandbox.Limits)
	}{
		{"fuel", sandbox.CodeLimitFuel, asm.Cat(), strings.Repeat("x", 100_000), func(l *sandbox.Limits) { l.Fuel = 100 }},
		{"memory", sandbox.CodeLimitMemory, laidOut(false), "", func(l *sandbox.Limits) { l.MemoryPages = 1 }},
		{"output", sandbox.CodeLimitOutput, asm.Cat(), strings.Repeat("x", 100_000), func(l *sandbox.Limits) { l.OutputBytes = 1000 }},
		{"depth", sandbox.CodeLimitDepth, deep(), "", func(l *sandbox.Limits) { l.CallDepth = 10 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := openCache(t, cacheDir(t), nil)
			if r := once(t, c, tc.module, tc.stdin, ample()); r.Stop != nil || r.Cached {
				t.Fatalf("the first run: %+v, cached is %v", r.Stop, r.Cached)
			}
			if r := once(t, c, tc.module, tc.stdin, ample()); r.Stop != nil || !r.Cached {
				t.Errorf("the second run: %+v, cached is %v", r.Stop, r.Cached)
			}
			l := ample()
			tc.lower(&l)
			wantStop(t, once(t, c, tc.module, tc.stdin, l), tc.want)
		})
	}
}

// deep is a command that nests a hundred calls.
func deep() []byte {
	m := &asm.Module{}
	m.Export("memory", 2, m.Memory(1, -1))
	f := m.Func(nil, nil, nil)
	for range 100 {
		f = m.Func(nil, nil, nil, asm.Call(f))
	}
	m.ExportFunc("_start", f)
	return m.Bytes()
}

// The hostile suite ends with the same reasons when the code comes from the cache.
func TestHostileModulesWarm(t *testing.T) {
	for _, c := range hostile.Cases() {
		t.Run(c.Class+"/"+c.Name, func(t *testing.T) {
			module := c.Module()
			if _, err := sandbox.Inspect(module); err != nil {
				return // TestHostileModules looks at why
			}
			l := tight()
			if c.Limits != nil {
				c.Limits(&l)
			}
			cache := openCache(t, cacheDir(t), nil)
			first := once(t, cache, module, "", l)
			begin := time.Now()
			r := once(t, cache, module, "", l)
			took := time.Since(begin)
			code := ""
			if r.Stop != nil {
				code = r.Stop.Code
				checkMessage(t, r.Stop)
			}
			t.Logf("%q in %v, cached is %v", code, took, r.Cached)
			wantCode(t, c, code)
			if r.Cached && first.Stop != nil && r.Stop != nil && first.Stop.Code == r.Stop.Code && first.Usage.Fuel != r.Usage.Fuel {
				t.Errorf("Fuel = %d, and %d the first time", r.Usage.Fuel, first.Usage.Fuel)
			}
			if took > l.Timeout+2*time.Second {
				t.Errorf("it took %v, the limit is %v", took, l.Timeout)
			}
			if most := ceiling(l, len(module)); r.Cached && r.Usage.PeakBytes > most {
				t.Errorf("it took %d bytes, the ceiling is %d", r.Usage.PeakBytes, most)
			}
		})
	}
}

// Runs side by side that fill one cache, as two processes do, and then use it.
func TestCacheIsFilledConcurrently(t *testing.T) {
	dir := cacheDir(t)
	want := pick(run(t, sandbox.Config{Engine: sandbox.EngineCompiler}, asm.Cat(), "hello", ample()))
	var group sync.WaitGroup
	for range 4 {
		c := openCache(t, dir, nil)
		group.Go(func() {
			for range 2 {
				if diff := cmp.Diff(want, pick(once(t, c, asm.Cat(), "hello", ample()))); diff != "" {
					t.Errorf("a run differs:\n%s", diff)
				}
			}
		})
	}
	group.Wait()
	if r := once(t, openCache(t, dir, nil), asm.Cat(), "hello", ample()); !r.Cached || len(r.Notes) > 0 {
		t.Errorf("afterwards: cached is %v, notes are %+v", r.Cached, r.Notes)
	}
}
