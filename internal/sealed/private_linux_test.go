package sealed_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/krmsafe/krmsafe/internal/sealed"
)

func TestUnsafeFoldersAreRefused(t *testing.T) {
	chmod := func(mode os.FileMode, at ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Chmod(filepath.Join(append([]string{dir}, at...)...), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tc := range []struct {
		name, reason string
		attack       func(t *testing.T, dir string)
	}{
		{"mode 0777", "mode 0777", chmod(0o777, "entries")},
		{"mode 0750", "mode 0750", chmod(0o750, "entries")},
		{"a parent that others write to", "could replace what is in it", chmod(0o777)},
		{"a symbolic link", "is a symbolic link", func(t *testing.T, dir string) {
			t.Helper()
			move(t, filepath.Join(dir, "entries"), filepath.Join(dir, "real"))
			if err := os.Symlink("real", filepath.Join(dir, "entries")); err != nil {
				t.Fatal(err)
			}
		}},
		{"a file", "not a directory", func(t *testing.T, dir string) {
			t.Helper()
			move(t, filepath.Join(dir, "entries"), filepath.Join(dir, "real"))
			if err := os.WriteFile(filepath.Join(dir, "entries"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := home(t)
			save(t, open(t, config(dir)), binding, content)
			tc.attack(t, dir)
			if _, err := sealed.Open(config(dir)); err == nil || !strings.Contains(err.Error(), tc.reason) {
				t.Errorf("Open = %v, want a refusal that says %q", err, tc.reason)
			}
			_ = os.Chmod(dir, 0o700)
		})
	}
	t.Run("a link above", func(t *testing.T) {
		dir := home(t)
		if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		var loose *sealed.UnsafeError
		if _, err := sealed.Open(config(filepath.Join(dir, "link"))); !errors.As(err, &loose) {
			t.Errorf("Open = %v, want an UnsafeError", err)
		}
	})
	t.Run("the key inside", func(t *testing.T) {
		cfg := config(home(t))
		cfg.KeyFile = filepath.Join(cfg.Dir, "key")
		var loose *sealed.UnsafeError
		if _, err := sealed.Open(cfg); !errors.As(err, &loose) {
			t.Errorf("Open = %v, want an UnsafeError", err)
		}
	})
}

func TestUnsafeKeysAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		attack       func(t *testing.T, key string)
	}{
		{"mode 0644", "mode 0644", func(_ *testing.T, key string) { _ = os.Chmod(key, 0o644) }},
		{"too short", "31 bytes", func(_ *testing.T, key string) { _ = os.Truncate(key, 31) }},
		{"too long", "33 bytes", func(_ *testing.T, key string) { _ = os.Truncate(key, 33) }},
		{"hard link", "2 names", func(_ *testing.T, key string) { _ = os.Link(key, key+"2") }},
		{"symbolic link", "symbolic link", func(_ *testing.T, key string) {
			_ = os.Rename(key, key+"2")
			_ = os.Symlink(key+"2", key)
		}},
		{"in a folder that others write to", "could replace", func(_ *testing.T, key string) { _ = os.Chmod(filepath.Dir(key), 0o777) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := home(t)
			s := open(t, config(dir))
			save(t, s, binding, content)
			tc.attack(t, config(dir).KeyFile)
			var loose *sealed.UnsafeError
			if _, err := s.Load(binding); !errors.As(err, &loose) || !strings.Contains(err.Error(), tc.reason) || loose.Hint == "" {
				t.Errorf("Load = %v, want an UnsafeError that says %q", err, tc.reason)
			}
			if err := s.Save([]byte("more"), content); !errors.As(err, &loose) {
				t.Errorf("Save = %v, want an UnsafeError", err)
			}
		})
	}
}

// Somebody opens an entry to write to it while it is in use: the kernel makes them
// wait, and the entry says so.
func TestWriterIsNoticed(t *testing.T) {
	dir := home(t)
	s := open(t, config(dir))
	save(t, s, binding, content)
	if err := os.Chmod(file(t, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := s.Load(binding)
	if err != nil {
		t.Fatalf("Load = %v", err)
	}
	defer func() { _ = e.Close() }()
	fd, err := unix.Open(file(t, dir), unix.O_WRONLY|unix.O_NONBLOCK, 0)
	if !errors.Is(err, unix.EWOULDBLOCK) {
		_ = unix.Close(fd)
		t.Errorf("opening it for writing = %v, want a wait", err)
	}
	if e.Held() {
		t.Error("Held() = true though somebody asks to write")
	}
}

// Somebody who has an entry open for writing already gets to change the file, and not
// what was loaded.
func TestEarlierWriterChangesNothing(t *testing.T) {
	dir := home(t)
	s := open(t, config(dir))
	save(t, s, binding, content)
	if err := os.Chmod(file(t, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(file(t, dir), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	e, err := s.Load(binding)
	if err != nil {
		t.Fatalf("Load = %v", err)
	}
	defer func() { _ = e.Close() }()
	if _, err := w.WriteAt([]byte("evil"), 1<<16); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 12)
	if _, err := e.File.ReadAt(got, e.BulkOffset); err != nil || string(got) != "machine code" {
		t.Errorf("the loaded code reads %q (%v)", got, err)
	}
	if _, err := e.File.WriteAt([]byte("evil"), e.BulkOffset); err == nil {
		t.Error("the loaded code can be written to")
	}
	if !e.Held() {
		t.Error("Held() = false for a sealed copy")
	}
	wantDoubt(t, s, binding, "not what was written")
}

// Many processes that fill one folder at once, and one key, leave whole entries.
func TestConcurrentFilling(t *testing.T) {
	dir := home(t)
	var group sync.WaitGroup
	for range 8 {
		s := open(t, config(dir))
		group.Go(func() {
			for range 5 {
				if err := s.Save(binding, content); err != nil {
					t.Errorf("Save = %v", err)
				}
				e, err := s.Load(binding)
				if err != nil {
					t.Errorf("Load = %v", err)
				}
				_ = e.Close()
			}
		})
	}
	group.Wait()
	wantEntry(t, open(t, config(dir)), binding, content)
	if left, _ := filepath.Glob(filepath.Join(dir, "entries", "*.tmp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What was not used for longest goes first, and never what is being written.
func TestCollection(t *testing.T) {
	dir := home(t)
	now := time.Unix(1_000_000, 0)
	cfg := config(dir)
	cfg.MaxBytes = 1 << 20
	cfg.Now = func() time.Time { now = now.Add(time.Second); return now }
	s := open(t, cfg)
	part := sealed.Content{Head: []byte("x"), Bulk: [][]byte{make([]byte, 256<<10)}}
	for _, name := range []string{"a", "b", "c"} {
		save(t, s, []byte(name), part)
	}
	wantEntry(t, s, []byte("a"), part) // used again
	save(t, s, []byte("d"), part)
	if _, err := s.Load([]byte("b")); !errors.Is(err, sealed.ErrAbsent) {
		t.Errorf("Load(b) = %v, want ErrAbsent", err)
	}
	for _, name := range []string{"a", "c", "d"} {
		wantEntry(t, s, []byte(name), part)
	}
	if err := s.Save([]byte("too large"), sealed.Content{Bulk: [][]byte{make([]byte, 600<<10)}}); err != nil {
		t.Errorf("Save of what is too large = %v", err)
	}
	if _, err := s.Load([]byte("too large")); !errors.Is(err, sealed.ErrAbsent) {
		t.Errorf("Load of what is too large = %v, want ErrAbsent", err)
	}
	gone, err := s.Prune(0)
	if err != nil || gone.Files != 3 {
		t.Errorf("Prune = %+v, %v, want three files", gone, err)
	}
}

func TestList(t *testing.T) {
	dir := home(t)
	s := open(t, config(dir))
	save(t, s, binding, content)
	for _, deep := range []bool{false, true} {
		list, err := s.List(deep)
		if err != nil || len(list) != 1 || !bytes.Equal(list[0].Binding, binding) || list[0].Err != nil {
			t.Errorf("List(%v) = %+v, %v", deep, list, err)
		}
	}
	change(t, file(t, dir), func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	list, err := s.List(true)
	var doubt *sealed.DoubtError
	if err != nil || len(list) != 1 || !errors.As(list[0].Err, &doubt) {
		t.Errorf("List of a changed entry = %+v, %v, want a doubt", list, err)
	}
	if list, err := s.List(true); err != nil || len(list) != 0 {
		t.Errorf("List = %+v, %v, want nothing left", list, err)
	}
}
