package sealed_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/krmsafe/krmsafe/internal/sealed"
)

// home is a folder that only this user can write to, below ones that nobody else
// can replace it in.
func home(tb testing.TB) string {
	tb.Helper()
	dir, err := filepath.EvalSymlinks(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

func config(dir string) sealed.Config {
	return sealed.Config{
		Dir: filepath.Join(dir, "entries"), KeyFile: filepath.Join(dir, "config", "key"), MaxBytes: 64 << 20, Now: time.Now,
	}
}

func open(tb testing.TB, cfg sealed.Config) *sealed.Store {
	tb.Helper()
	s, err := sealed.Open(cfg)
	if err != nil {
		tb.Fatalf("Open = %v", err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

var (
	binding = []byte("module one, version one")
	content = sealed.Content{Head: []byte("head"), Bulk: [][]byte{bytes.Repeat([]byte("machine code "), 20_000), []byte("memory")}}
)

func save(tb testing.TB, s *sealed.Store, binding []byte, content sealed.Content) {
	tb.Helper()
	if err := s.Save(binding, content); err != nil {
		tb.Fatalf("Save = %v", err)
	}
}

// file is the one entry in a store's folder.
func file(tb testing.TB, dir string) string {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "entries", "*.sealed"))
	if err != nil || len(names) != 1 {
		tb.Fatalf("the folder holds %v, want one entry (%v)", names, err)
	}
	return names[0]
}

func wantEntry(tb testing.TB, s *sealed.Store, binding []byte, want sealed.Content) {
	tb.Helper()
	e, err := s.Load(binding)
	if err != nil {
		tb.Fatalf("Load = %v", err)
	}
	defer func() { _ = e.Close() }()
	if !bytes.Equal(e.Head, want.Head) || !e.Held() {
		tb.Errorf("Head = %q (held: %v), want %q", e.Head, e.Held(), want.Head)
	}
	at := e.BulkOffset
	for _, b := range want.Bulk {
		got := make([]byte, len(b))
		if _, err := e.File.ReadAt(got, at); err != nil || !bytes.Equal(got, b) {
			tb.Errorf("the bulk at %d is not what was saved (%v)", at, err)
		}
		at += (int64(len(b)) + 0xffff) &^ 0xffff
	}
	if at-e.BulkOffset != e.BulkBytes {
		tb.Errorf("BulkBytes = %d, want %d", e.BulkBytes, at-e.BulkOffset)
	}
}

func wantDoubt(tb testing.TB, s *sealed.Store, binding []byte, reason string) {
	tb.Helper()
	e, err := s.Load(binding)
	var doubt *sealed.DoubtError
	if !errors.As(err, &doubt) || !strings.Contains(err.Error(), reason) {
		_ = e.Close()
		tb.Fatalf("Load = %v, want a DoubtError that says %q", err, reason)
	}
	if _, err := s.Load(binding); !errors.Is(err, sealed.ErrAbsent) {
		tb.Errorf("Load after a doubt = %v, want ErrAbsent", err)
	}
}

func TestSavedIsLoaded(t *testing.T) {
	dir := home(t)
	s := open(t, config(dir))
	if _, err := s.Load(binding); !errors.Is(err, sealed.ErrAbsent) {
		t.Errorf("Load of nothing = %v, want ErrAbsent", err)
	}
	save(t, s, binding, content)
	wantEntry(t, s, binding, content)
	wantEntry(t, open(t, config(dir)), binding, content)
	small := sealed.Content{Head: []byte("no bulk")}
	save(t, s, []byte("other"), small)
	wantEntry(t, s, []byte("other"), small)
	if _, err := s.Load([]byte("module one, version two")); !errors.Is(err, sealed.ErrAbsent) {
		t.Errorf("Load of another version = %v, want ErrAbsent", err)
	}
}

// change rewrites an entry's file as somebody does who can write to the folder.
func change(t *testing.T, name string, f func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, f(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Offsets in the file: the fixed part's bulk length, head length, salt and tag.
const (
	offHead = 12
	offBulk = 16
	offSalt = 24
	offTag  = 56
	offMAC  = 72
	offText = 104
)

func TestChangedEntriesAreDoubted(t *testing.T) {
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte {
			if at < 0 {
				at += len(b)
			}
			b[at] ^= 1
			return b
		}
	}
	for _, tc := range []struct {
		name, reason string
		change       func([]byte) []byte
	}{
		{"a byte of the code", "not what was written", flip(0x10000 + 5000)},
		{"the last byte", "not what was written", flip(-1)},
		{"a byte of the head", "not what was written", flip(offText + len(binding))},
		{"a byte of the binding", "not what was written", flip(offText)},
		{"the first byte between head and code", "between its parts", flip(offText + len(binding) + len(content.Head))},
		{"the last byte before the code", "between its parts", flip(0x10000 - 1)},
		{"the salt", "not what was written", flip(offSalt)},
		{"the tag of the bulk", "not what was written", flip(offTag)},
		{"the tag of all", "not what was written", flip(offMAC)},
		{"another format", "not a sealed entry", flip(7)},
		{"truncated by a byte", "bytes long", func(b []byte) []byte { return b[:len(b)-1] }},
		{"truncated in the head", "too short", func(b []byte) []byte { return b[:50] }},
		{"empty", "too short", func([]byte) []byte { return nil }},
		{"a byte more", "bytes long", func(b []byte) []byte { return append(b, 0) }},
		{"a length of 1 TiB", "length that cannot be", func(b []byte) []byte {
			binary.LittleEndian.PutUint64(b[offBulk:], 1<<40)
			return b
		}},
		{"a length of 2^64-1", "length that cannot be", func(b []byte) []byte {
			binary.LittleEndian.PutUint64(b[offBulk:], 1<<64-1)
			return b
		}},
		{"a head of 4 GiB", "length that cannot be", func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[offHead:], 1<<32-1)
			return b
		}},
		{"a head up to the end", "bytes long", func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[offHead:], uint32(len(b)-offText-len(binding)))
			return b
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := home(t)
			s := open(t, config(dir))
			save(t, s, binding, content)
			change(t, file(t, dir), tc.change)
			wantDoubt(t, s, binding, tc.reason)
			save(t, s, binding, content)
			wantEntry(t, s, binding, content)
		})
	}
}

// The code of one module, or of another version, in the place of another's.
func TestSwappedEntriesAreDoubted(t *testing.T) {
	dir := home(t)
	s := open(t, config(dir))
	save(t, s, binding, content)
	first := file(t, dir)
	other := []byte("module two, version one")
	moved := first + ".moved"
	if err := os.Rename(first, moved); err != nil {
		t.Fatal(err)
	}
	save(t, s, other, sealed.Content{Head: []byte("other"), Bulk: content.Bulk})
	second := file(t, dir)
	if err := os.Rename(moved, second); err != nil {
		t.Fatal(err)
	}
	wantDoubt(t, s, other, "not what was written")
}

func TestOtherKeyIsDoubted(t *testing.T) {
	dir := home(t)
	s := open(t, config(dir))
	save(t, s, binding, content)
	if err := os.WriteFile(config(dir).KeyFile, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	wantDoubt(t, s, binding, "another key")
}

func TestWithoutKeyNothingIsLoaded(t *testing.T) {
	dir := home(t)
	s := open(t, config(dir))
	save(t, s, binding, content)
	if err := os.Remove(config(dir).KeyFile); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(binding); !errors.Is(err, sealed.ErrAbsent) {
		t.Errorf("Load = %v, want ErrAbsent", err)
	}
	save(t, s, binding, content)
	wantEntry(t, s, binding, content)
}

func TestEntriesThatOthersReachAreDoubted(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		attack       func(t *testing.T, name string)
	}{
		{"symbolic link", "not a regular file", func(t *testing.T, name string) {
			t.Helper()
			move(t, name, name+".real")
			if err := os.Symlink(filepath.Base(name)+".real", name); err != nil {
				t.Fatal(err)
			}
		}},
		{"hard link", "has 2 names", func(t *testing.T, name string) {
			t.Helper()
			if err := os.Link(name, filepath.Join(filepath.Dir(filepath.Dir(name)), "second")); err != nil {
				t.Fatal(err)
			}
		}},
		{"mode 0777", "has mode 0777", func(t *testing.T, name string) {
			t.Helper()
			if err := os.Chmod(name, 0o777); err != nil {
				t.Fatal(err)
			}
		}},
		{"a pipe", "not a regular file", func(t *testing.T, name string) {
			t.Helper()
			move(t, name, name+".real")
			if err := unix.Mkfifo(name, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"a folder", "not a regular file", func(t *testing.T, name string) {
			t.Helper()
			move(t, name, name+".real")
			if err := os.Mkdir(name, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := home(t)
			s := open(t, config(dir))
			save(t, s, binding, content)
			tc.attack(t, file(t, dir))
			wantDoubt(t, s, binding, tc.reason)
		})
	}
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// Somebody else's files are told by their owner; here everybody else is.
func TestForeignOwnersAreRefused(t *testing.T) {
	dir := home(t)
	s := open(t, config(dir))
	save(t, s, binding, content)
	restore := sealed.SetUser(os.Geteuid() + 1)
	defer restore()
	var loose *sealed.UnsafeError
	if _, err := sealed.Open(config(dir)); !errors.As(err, &loose) || !strings.Contains(err.Error(), "belongs to user") || loose.Hint == "" {
		t.Errorf("Open = %v, want an UnsafeError about the owner", err)
	}
	if _, err := s.Load(binding); !errors.As(err, &loose) || loose.Path != config(dir).KeyFile {
		t.Errorf("Load = %v, want an UnsafeError about the key", err)
	}
	if err := s.Save(binding, content); !errors.As(err, &loose) {
		t.Errorf("Save = %v, want an UnsafeError about the key", err)
	}
}

func TestForeignEntryIsDoubted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can give a file away: TestForeignOwnersAreRefused covers the check")
		return
	}
	dir := home(t)
	s := open(t, config(dir))
	save(t, s, binding, content)
	if err := os.Chown(file(t, dir), 12345, -1); err != nil {
		t.Fatal(err)
	}
	wantDoubt(t, s, binding, "belongs to user 12345")
}
