package sandbox_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// Sizes of a cache that holds all that the processes of a test fill it with, and of
// one that holds half of that, without the largest.
const (
	roomyCache   = 16 << 20
	crowdedCache = 600 << 10
)

// shelf is the modules that processes fill a cache with, and their input.
func shelf() map[string][]byte {
	all := map[string][]byte{"cat": asm.Cat(), "world": world(), "laid out": laidOut(false), "passive": laidOut(true), "deep": deep()}
	for _, name := range []string{"c", "rust"} {
		module, err := os.ReadFile(filepath.Join("testdata", "alike", name+".wasm"))
		if err != nil {
			panic(err)
		}
		all[name] = module
	}
	return all
}

const shelfInput = "kind: ConfigMap\nname: b a 12\nwork\n"

// ran is what a process says of a run.
type ran struct {
	Seen   seen
	Stdout []byte // of Seen, which as a text would have to be UTF-8
	Cached bool
	Notes  []sandbox.Note
	Err    string
}

// fillCache is a process that runs the modules it is told to on a cache of the given
// size, with a Cache of its own for each as krmsafe has, and says how it went. Told to
// "hold N" it stops for good, and says so, when the cache looks at the clock for the
// Nth time from then on: before what was written whole gets its name, and after a seal
// has been checked.
func fillCache(dir, size string) int {
	bytes, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return 2
	}
	hold, modules, out := 0, shelf(), json.NewEncoder(os.Stdout)
	cfg := sandbox.CacheConfig{
		Dir: filepath.Join(dir, "code"), KeyFile: filepath.Join(dir, "key"), MaxBytes: bytes, Fill: sandbox.FillAlways, Build: "test",
		Now: func() time.Time {
			if hold--; hold == 0 {
				_ = out.Encode(ran{Err: "held"})
				select {}
			}
			return time.Now()
		},
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if n, ok := strings.CutPrefix(in.Text(), "hold "); ok {
			hold, _ = strconv.Atoi(n)
			continue
		}
		var said ran
		if r, err := runOnce(cfg, modules[in.Text()]); err != nil {
			said.Err = err.Error()
		} else {
			said = ran{pick(r), r.Stdout, r.Cached, r.Notes, ""}
			said.Seen.Stdout = ""
		}
		if out.Encode(said) != nil {
			return 1
		}
	}
	return 0
}

func runOnce(cfg sandbox.CacheConfig, module []byte) (r *sandbox.Result, err error) {
	c, err := sandbox.OpenCache(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	s, err := sandbox.New(sandbox.Config{Cache: c})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	m, err := s.Inspect(module)
	if err != nil {
		return nil, err
	}
	return s.Run(context.Background(), m, []byte(shelfInput), unhurried())
}

// A worker is such a process.
type worker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func startWorkers(t *testing.T, dir string, size int64, n int) []*worker {
	t.Helper()
	all := make([]*worker, n)
	for i := range all {
		w := &worker{cmd: exec.Command(os.Args[0], "fill-cache", dir, fmt.Sprint(size))}
		w.cmd.Stderr = os.Stderr
		in, err := w.cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = in.Close()
			_ = w.cmd.Wait()
		})
		w.in, w.out, all[i] = in, json.NewDecoder(out), w
	}
	return all
}

func (w *worker) tell(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(w.in, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (w *worker) hear(t *testing.T) ran {
	t.Helper()
	var said ran
	if err := w.out.Decode(&said); err != nil {
		t.Fatalf("a process that fills the cache said nothing: %v", err)
	}
	said.Seen.Stdout = string(said.Stdout)
	return said
}

// references are the runs of the shelf's modules without a cache.
func references(t *testing.T) map[string]seen {
	t.Helper()
	all := map[string]seen{}
	for name, module := range shelf() {
		r, err := newSandbox(t, sandbox.Config{Engine: sandbox.EngineCompiler}).Run(t.Context(), inspect(t, module), []byte(shelfInput), unhurried())
		if err != nil {
			t.Fatal(err)
		}
		all[name] = pick(r)
	}
	return all
}

// wantRun checks that a process ran a module as it is run without a cache, and found
// nothing in the cache that was not what it should be.
func wantRun(t *testing.T, name string, said ran, want seen) {
	t.Helper()
	if diff := cmp.Diff(want, said.Seen); diff != "" || said.Err != "" || len(said.Notes) > 0 {
		t.Errorf("%s: %s %v, and the run differs:\n%s", name, said.Err, said.Notes, diff)
	}
}

// wantWhole checks that every entry holds, that no more is kept than may be, and that
// nothing else lies in the folder.
func wantWhole(t *testing.T, dir string, size int64) (entries int) {
	t.Helper()
	c := openCache(t, dir, nil)
	list, err := c.List(true)
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, e := range list {
		total += e.Bytes
		if e.Problem != "" || !e.Usable {
			t.Errorf("an entry is of no use: %+v", e)
		}
	}
	files, err := fs.Glob(os.DirFS(dir), "code/*")
	if err != nil || len(files) != len(list) || total > size {
		t.Errorf("%d entries of %d bytes in %v, want %d files of at most %d bytes", len(list), total, files, len(list), size)
	}
	return len(list)
}

// Four processes fill one cache at once, again and again: each time with one module
// that all of them run, and each with others in another order. Every run of every
// process is what it is without a cache, and what is left holds.
func TestProcessesFillOneCache(t *testing.T) {
	want := references(t)
	for _, tc := range []struct {
		name string
		size int64
	}{{"with room for all", roomyCache}, {"with room for half", crowdedCache}} {
		t.Run(tc.name, func(t *testing.T) {
			dir, cached := cacheDir(t), 0
			names, all := []string{"cat", "world", "laid out", "passive", "deep", "c", "rust"}, startWorkers(t, dir, tc.size, 4)
			for round := range 3 {
				var told [4][]string
				for i, w := range all {
					told[i] = append(told[i], names[round]) // the same at once
					for j := range names {
						told[i] = append(told[i], names[(j*(i+1)+round)%len(names)]) // in orders of their own, as 7 is a prime
					}
					for _, name := range told[i] {
						w.tell(t, name)
					}
				}
				for i, w := range all {
					for _, name := range told[i] {
						said := w.hear(t)
						wantRun(t, name, said, want[name])
						if said.Cached {
							cached++
						}
					}
				}
				if n := wantWhole(t, dir, tc.size); n < 4 {
					t.Errorf("%d entries are left", n)
				}
				if _, _, err := openCache(t, dir, nil).Prune(0); err != nil { // to be filled again
					t.Fatal(err)
				}
			}
			t.Logf("%d of %d runs were from the cache", cached, 3*4*8)
			if cached == 0 {
				t.Error("no process has used what it or another one kept")
			}
		})
	}
}

// A process is killed when what it has made is written and has no name yet, and others
// fill the same cache meanwhile; or when it has taken an entry that the others use. No
// half entry is ever taken, and what it left is gone when the others are done.
func TestProcessKilledWhileItFills(t *testing.T) {
	want, dir := references(t), cacheDir(t)
	others := startWorkers(t, dir, roomyCache, 2)
	halves := 0
	for _, tc := range []struct {
		point string
		calls int  // of the cache's clock
		warm  bool // the module was run before
	}{{"the facts are written", 1, false}, {"the code is written", 2, false}, {"the facts are taken", 1, true}, {"the code is taken", 2, true}} {
		for _, name := range []string{"cat", "rust"} {
			c := openCache(t, dir, nil)
			if _, _, err := c.Prune(0); err != nil {
				t.Fatal(err)
			}
			if tc.warm {
				others[0].tell(t, name)
				wantRun(t, name, others[0].hear(t), want[name])
			}
			victim := startWorkers(t, dir, roomyCache, 1)[0]
			victim.tell(t, fmt.Sprint("hold ", tc.calls))
			victim.tell(t, name)
			for _, w := range others {
				w.tell(t, "deep")
			}
			if said := victim.hear(t); said.Err != "held" {
				t.Fatalf("%s, %s: the process was not held: %+v", tc.point, name, said)
			}
			if half, _ := filepath.Glob(filepath.Join(dir, "code", "*.tmp")); len(half) > 0 {
				halves++
			}
			if err := victim.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = victim.cmd.Wait()
			for _, w := range others {
				wantRun(t, "deep", w.hear(t), want["deep"])
				w.tell(t, name)
			}
			cached := 0
			for _, w := range others {
				said := w.hear(t)
				wantRun(t, name, said, want[name])
				if said.Cached {
					cached++
				}
			}
			if tc.warm && cached != len(others) {
				t.Errorf("%s, %s: %d processes have lost the code", tc.point, name, len(others)-cached)
			}
			if said := finalRun(t, others[1], name); !said.Cached {
				t.Errorf("%s, %s: it is not in the cache afterwards", tc.point, name)
			}
			if _, _, err := c.Prune(roomyCache); err != nil {
				t.Fatal(err)
			}
			wantWhole(t, dir, roomyCache)
		}
	}
	if halves < 4 {
		t.Errorf("processes were killed with half an entry written %d times, want 4 at least", halves)
	}
}

func finalRun(t *testing.T, w *worker, name string) ran {
	t.Helper()
	w.tell(t, name)
	return w.hear(t)
}
