package pipeline_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
	"github.com/krmsafe/krmsafe/internal/testkit/stamp"
	"github.com/krmsafe/krmsafe/sandbox"
	"github.com/krmsafe/krmsafe/verify"
)

// rivals are a shop where a less trusted team publishes the same module in dev/fn, and
// beside it machine code of another module that its signed archive calls the code of
// this one.
type rivals struct {
	*shop
	prod, dev verify.Rule
	devRef    string
}

func newRivals(t *testing.T) *rivals {
	t.Helper()
	s := newShop(t, stamp.Module())
	r := &rivals{shop: s, devRef: s.registry.Host + "/dev/fn:v1"}
	r.prod = verify.Rule{Name: "prod", Match: []string{s.registry.Host + "/acme/**"}, Authorities: authorities(s.author)}
	r.dev = verify.Rule{Name: "dev", Match: []string{s.registry.Host + "/dev/**"}, Authorities: authorities(s.farm), CompiledCode: authorities(s.farm)}
	blobs := layout.Blobs{}
	function := blobs.CNCF(stamp.Module(), nil)
	bundle, err := s.farm.SignBundle(function.Digest, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.registry.Put("dev/fn", blobs, function.Named("v1"), blobs.Bundle(function, bundle))
	maker := s.machine(t, "1")
	s.pushTo(t, "dev/fn", maker.cache.CodeKey(s.module), s.planted(t), s.farm)
	return r
}

// planted is an archive that says it holds the code of the shop's module, and holds that
// of another one.
func (s *shop) planted(t *testing.T) []byte {
	t.Helper()
	other := newShop(t, asm.Cat())
	maker := other.machine(t, "1")
	other.run(t, maker)
	var archive, out bytes.Buffer
	if n, err := maker.cache.Export(&archive, nil); n != 1 || err != nil {
		t.Fatalf("Export = %d, %v", n, err)
	}
	r, w := tar.NewReader(&archive), tar.NewWriter(&out)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		data = bytes.ReplaceAll(data, []byte(other.module), []byte(s.module))
		if err := w.WriteHeader(&tar.Header{Name: h.Name, Mode: 0o400, Size: int64(len(data)), Format: tar.FormatPAX}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Code that one rule's people vouched for runs under that rule alone: not for another
// rule that names nobody, not for one that names others, and not under a trust policy
// that knows no compiled code, whether the process is the same or another.
func TestCodeVouchedForUnderOneRuleRunsUnderNoOther(t *testing.T) {
	stranger, err := sigstore.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	s := newRivals(t)
	want := s.run(t, s.machine(t, "1"))
	others := s.prod
	others.CompiledCode = authorities(stranger)
	noMore := s.dev
	noMore.CompiledCode = nil
	const refuses = careful + `
reasons contains {"id": "code.imported", "message": "compile here", "remedy": ""} if input.runtime.compiledCode != "none"
`
	for _, tc := range []struct {
		name  string
		ref   string
		rules []verify.Rule // nil is the very process that took the code
	}{
		{"in the same process", s.ref, nil},
		{"in another process", s.ref, []verify.Rule{s.prod, s.dev}},
		{"without any compiledCode", s.ref, []verify.Rule{s.prod}},
		{"where others are named", s.ref, []verify.Rule{others, s.dev}},
		{"after the name is taken out", s.devRef, []verify.Rule{s.prod, noMore}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := privateDir(t)
			m := s.process(t, dir, "1", setup{}, s.prod, s.dev)
			if r := s.runRef(t, m, s.devRef); !r.Run.Cached || !warned(r, "cache.imported") || r.Run.Fuel == want.Run.Fuel {
				t.Fatalf("the attack is none: cached is %v, it burned %d, warnings are %+v", r.Run.Cached, r.Run.Fuel, r.Warnings)
			}
			if tc.rules != nil {
				// A policy that is told of any code refuses, so what it is told is seen too.
				m = s.process(t, dir, "1", setup{rego: refuses}, tc.rules...)
			}
			r := s.runRef(t, m, tc.ref)
			if r.Run.Cached || r.Run.Fuel != want.Run.Fuel {
				t.Errorf("cached is %v, it burned %d, want %d of code that was made here", r.Run.Cached, r.Run.Fuel, want.Run.Fuel)
			}
		})
	}
}

// A policy that wants no imported code is told of it where it would run, and only there.
func TestPolicyIsToldOfTheCodeThatWouldRun(t *testing.T) {
	const refuses = careful + `
reasons contains {"id": "code.imported", "message": "compile here", "remedy": ""} if input.runtime.compiledCode == "imported"
`
	s := newRivals(t)
	m := s.process(t, privateDir(t), "1", setup{rego: refuses}, s.prod, s.dev)
	if r := s.judge(t, m, s.devRef); r.Outcome.OK || r.Outcome.Code != "policy.denied" {
		t.Errorf("dev/fn ended with %+v, want policy.denied", r.Outcome)
	}
	for range 2 { // compiled here, and then from the cache
		s.run(t, m)
	}
	if r := s.runRef(t, m, s.devRef); !r.Run.Cached {
		t.Error("dev/fn did not take the code that was made here")
	}
}

// Code that was made here stays: imported code neither replaces it nor comes before it.
func TestImportedCodeDoesNotReplaceLocalCode(t *testing.T) {
	s := newRivals(t)
	m := s.process(t, privateDir(t), "1", setup{}, s.prod, s.dev)
	want := s.run(t, m)
	if got, err := m.cache.Import(bytes.NewReader(s.planted(t)), nil); err != nil || got.Kept != 1 {
		t.Fatalf("Import = %+v, %v", got, err)
	}
	for _, ref := range []string{s.ref, s.devRef} {
		if r := s.runRef(t, m, ref); !r.Run.Cached || r.Run.Fuel != want.Run.Fuel {
			t.Errorf("%s: cached is %v, it burned %d, want %d", ref, r.Run.Cached, r.Run.Fuel, want.Run.Fuel)
		}
	}
}

// What somebody else compiled is not published again as if it had been made here.
func TestImportedCodeIsNotExported(t *testing.T) {
	s := newShop(t, stamp.Module())
	s.publish(t, s.machine(t, "1"), s.farm)
	m := s.machine(t, "1", s.farm)
	if r := s.run(t, m); !warned(r, "cache.imported") {
		t.Fatalf("warnings are %+v", r.Warnings)
	}
	for _, modules := range [][]string{nil, {s.module}} {
		var archive bytes.Buffer
		if n, err := m.cache.Export(&archive, modules); n != 0 || err != nil {
			t.Errorf("Export = %d, %v, want none", n, err)
		}
	}
}

// Whatever was done to an entry, the run says so once, even though the policy is told of
// the code before the run, and where the policy refuses the function all the same.
func TestTamperedCodeIsToldByThePipeline(t *testing.T) {
	change := func(f func([]byte) []byte) func(*testing.T, string, string) {
		return func(t *testing.T, _, entry string) {
			t.Helper()
			data, err := os.ReadFile(entry)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(entry, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(entry, f(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	flip := func(at int) func(*testing.T, string, string) {
		return change(func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 1; return b })
	}
	s := newShop(t, stamp.Module())
	rule := verify.Rule{Name: "ours", Match: []string{"**"}, Authorities: authorities(s.author)}
	for _, tc := range []struct {
		name   string
		attack func(t *testing.T, dir, entry string)
	}{
		{"byte 30", flip(30)},
		{"byte 200", flip(200)},
		{"the last byte", flip(-1)},
		{"cut to nothing", change(func([]byte) []byte { return nil })},
		{"cut short", change(func(b []byte) []byte { return b[:len(b)/2] })},
		{"a hard link", func(t *testing.T, dir, entry string) {
			t.Helper()
			if err := os.Link(entry, filepath.Join(dir, "elsewhere")); err != nil {
				t.Fatal(err)
			}
		}},
		{"mode 0644", func(t *testing.T, _, entry string) {
			t.Helper()
			if err := os.Chmod(entry, 0o644); err != nil { // #nosec G302 -- the attack
				t.Fatal(err)
			}
		}},
		{"another key", func(t *testing.T, dir, _ string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, "config", "key"), []byte(strings.Repeat("k", 32)), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, with := range []setup{{}, {rego: careful + "reasons contains {\"id\": \"no\", \"message\": \"no\", \"remedy\": \"\"}\n"}} {
				dir := privateDir(t)
				want := s.run(t, s.process(t, dir, "1", setup{}, rule))
				tc.attack(t, dir, codeEntry(t, dir))
				r := s.judge(t, s.process(t, dir, "1", with, rule), s.ref)
				if r.Outcome.OK != (with.rego == "") {
					t.Fatalf("it ended with %+v", r.Outcome)
				}
				if r.Run != nil && (r.Run.Cached || r.Run.Fuel != want.Run.Fuel) {
					t.Errorf("cached is %v, it burned %d, want %d", r.Run.Cached, r.Run.Fuel, want.Run.Fuel)
				}
				if n := told(r, sandbox.CodeCacheDiscarded); n != 1 {
					t.Errorf("refused is %v: told %d times: %+v", with.rego != "", n, r.Warnings)
				}
			}
		})
	}
}

func told(r *pipeline.Report, id string) (n int) {
	for _, w := range r.Warnings {
		if w.ID == id && !strings.HasPrefix(w.Message, "what the cache knew ") { // facts have a note of their own
			n++
		}
	}
	return n
}

// codeEntry is the largest file that a machine keeps: the code of its one module.
func codeEntry(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "code", "*.sealed"))
	if err != nil || len(names) == 0 {
		t.Fatalf("the cache holds %v, %v", names, err)
	}
	largest, size := "", int64(-1)
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.Size() > size {
			largest, size = name, info.Size()
		}
	}
	return largest
}
