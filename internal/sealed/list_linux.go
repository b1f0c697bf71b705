package sealed

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Info is one entry as it lies in the folder.
type Info struct {
	Name  string
	Bytes int64
	Used  time.Time
	// Binding is what the entry was made for, if Err is nil.
	Binding []byte
	// Err says why the entry cannot be used.
	Err error
}

// Close gives up the folder.
func (s *Store) Close() error { return s.root.Close() }

// List looks at every entry, newest use first, and checks head and binding of each,
// with deep the bulk too. What cannot be used is removed if it is no entry of this
// key, and listed with the reason.
func (s *Store) List(deep bool) ([]Info, error) {
	k, err := s.readKey()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	files, err := s.files()
	if err != nil {
		return nil, err
	}
	slices.Reverse(files)
	var out []Info
	for _, f := range files {
		if !strings.HasSuffix(f.Name, suffix) {
			continue
		}
		switch {
		case k == nil:
			f.Err = &DoubtError{Name: f.Name, Reason: "was sealed with a key that is gone"}
		case deep:
			var entry *Entry
			entry, f.Binding, f.Err = s.read(k, f.Name)
			_ = entry.Close()
		default:
			f.Binding, f.Err = s.peek(f.Name)
		}
		if !errors.Is(f.Err, ErrAbsent) {
			out = append(out, f)
		}
	}
	return out, nil
}

// peek reads an entry's binding without any check of who wrote it: for lists.
func (s *Store) peek(name string) ([]byte, error) {
	f, size, err := s.openEntry(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, fixedBytes)
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, &DoubtError{Name: name, Reason: "is too short"}
	}
	part, err := parseFixed(head, size)
	if err != nil {
		return nil, &DoubtError{Name: name, Reason: err.Error()}
	}
	binding := make([]byte, part.binding)
	if _, err := f.ReadAt(binding, fixedBytes); err != nil {
		return nil, &DoubtError{Name: name, Reason: "is too short"}
	}
	return binding, nil
}

// files lists what is in the folder, oldest use first.
func (s *Store) files() ([]Info, error) {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("listing the cache: %w", err)
	}
	var out []Info
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // another process removed it
		}
		out = append(out, Info{Name: e.Name(), Bytes: info.Size(), Used: info.ModTime()})
	}
	slices.SortFunc(out, func(a, b Info) int { return cmp.Or(a.Used.Compare(b.Used), cmp.Compare(a.Name, b.Name)) })
	return out, nil
}

// Pruned is what Prune removed.
type Pruned struct {
	Files int
	Bytes int64
}

// Prune removes what a killed process has left half written, and then what was not
// used for longest until the rest has at most maxBytes bytes.
func (s *Store) Prune(maxBytes int64) (Pruned, error) {
	s.collectKeys()
	files, err := s.files()
	if err != nil {
		return Pruned{}, err
	}
	var total int64
	for _, f := range files {
		total += f.Bytes
	}
	var gone Pruned
	for _, f := range files {
		remove := s.root.Remove
		if strings.HasSuffix(f.Name, temporary) {
			remove = func(name string) error { return collect(s.root, name) }
		} else if total <= maxBytes {
			continue
		}
		if remove(f.Name) == nil {
			total -= f.Bytes
			gone.Files++
			gone.Bytes += f.Bytes
		}
	}
	return gone, nil
}

// collect removes a half-written file unless some process holds the lock on it. The
// lock is held meanwhile, so that nobody goes on to write to what is removed.
func collect(dir *os.Root, name string) error {
	f, err := dir.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	return dir.Remove(name)
}

// Remove removes one entry, if it is there.
func (s *Store) Remove(name string) error {
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing an entry: %w", err)
	}
	return nil
}

// Discard removes the entry of a binding, if it is there.
func (s *Store) Discard(binding []byte) error { return s.Remove(nameOf(binding)) }

// Has reports whether there is a file for a binding, whatever it holds.
func (s *Store) Has(binding []byte) bool {
	_, err := s.root.Lstat(nameOf(binding))
	return err == nil
}
