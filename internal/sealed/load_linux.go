package sealed

import (
	"bytes"
	"crypto/hmac"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Load gives the entry of a binding. ErrAbsent says that there is none; a
// *DoubtError that there was one which is not what it should be, and is gone now;
// an *UnsafeError that the key is not private.
func (s *Store) Load(binding []byte) (*Entry, error) {
	k, err := s.readKey()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrAbsent
	}
	if err != nil {
		return nil, err
	}
	name := nameOf(binding)
	entry, found, err := s.read(k, name)
	if err == nil && !bytes.Equal(found, binding) {
		_ = entry.Close()
		err = s.doubt(name, "was made for something else")
	}
	if err != nil {
		return nil, err
	}
	now := s.cfg.Now()
	_ = s.root.Chtimes(name, now, now) // it was used
	return entry, nil
}

// doubt removes an entry.
func (s *Store) doubt(name, reason string) error {
	_ = s.root.Remove(name)
	return &DoubtError{Name: name, Reason: reason}
}

// read reads and checks the entry of a name, and gives its binding.
func (s *Store) read(k *key, name string) (entry *Entry, binding []byte, err error) {
	f, size, err := s.openEntry(name)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if f != nil && (err != nil || entry.File != f) {
			_ = f.Close()
		}
	}()
	leased := lease(f)
	part, binding, small, err := s.readHead(k, name, f, size)
	if err != nil {
		return nil, nil, err
	}
	entry = &Entry{Head: small, BulkOffset: part.bulkOffset(), BulkBytes: int64(part.bulk), leased: leased, users: new(atomic.Int32)} //nolint:gosec // G115: bounded
	entry.users.Store(1)
	if part.bulk == 0 {
		return entry, binding, nil
	}
	if entry.File = f; !leased {
		if entry.File, err = copyBulk(f, part); err != nil {
			return nil, nil, fmt.Errorf("copying an entry into memory: %w", err)
		}
		entry.BulkOffset = 0
	}
	ok, err := entry.check(k, part)
	if err == nil && !ok {
		err = s.doubt(name, "is not what was written")
	}
	if err != nil {
		if entry.File != f {
			_ = entry.File.Close()
		}
		return nil, nil, err
	}
	return entry, binding, nil
}

// readHead reads and checks everything but the bulk, whose tag is among it. The zeros
// between are in no tag, so that they are zeros is looked at.
func (s *Store) readHead(k *key, name string, f *os.File, size int64) (part fixed, binding, small []byte, err error) {
	head := make([]byte, fixedBytes)
	if _, err := io.ReadFull(f, head); err != nil {
		return fixed{}, nil, nil, s.doubt(name, "is too short")
	}
	if part, err = parseFixed(head, size); err != nil {
		return fixed{}, nil, nil, s.doubt(name, err.Error())
	}
	small = make([]byte, int(part.binding)+int(part.head))
	if _, err := io.ReadFull(f, small); err != nil {
		return fixed{}, nil, nil, s.doubt(name, "is too short")
	}
	binding, small = small[:part.binding:part.binding], small[part.binding:]
	if !hmac.Equal(head[offMAC:], k.mac(name, head[:offMAC], binding, small)) {
		return fixed{}, nil, nil, s.doubt(name, "is not what was written, or was written with another key")
	}
	if part.bulk > 0 {
		padding := make([]byte, part.bulkOffset()-part.small()) // less than a page
		if _, err := io.ReadFull(f, padding); err != nil {
			return fixed{}, nil, nil, s.doubt(name, "is too short")
		}
		if slices.ContainsFunc(padding, func(b byte) bool { return b != 0 }) {
			return fixed{}, nil, nil, s.doubt(name, "is not what was written: it has something between its parts")
		}
	}
	return part, binding, small, nil
}

// Head gives the head of an entry without looking at its bulk. Errors: as Load's.
func (s *Store) Head(binding []byte) ([]byte, error) {
	k, err := s.readKey()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrAbsent
	}
	if err != nil {
		return nil, err
	}
	name := nameOf(binding)
	f, size, err := s.openEntry(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	_, found, head, err := s.readHead(k, name, f, size)
	if err == nil && !bytes.Equal(found, binding) {
		err = s.doubt(name, "was made for something else")
	}
	return head, err
}

// openEntry opens an entry's file, which must be a regular file of this user alone.
// One that another process replaces meanwhile is opened again.
func (s *Store) openEntry(name string) (*os.File, int64, error) {
	for range 100 {
		before, err := s.root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, 0, ErrAbsent
		}
		if err != nil {
			return nil, 0, fmt.Errorf("reading an entry: %w", err)
		}
		if links(before) == 0 {
			continue // it was removed just now
		}
		if err := ours(before); err != nil {
			return nil, 0, s.doubt(name, err.Error())
		}
		f, err := s.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, 0, ErrAbsent
		}
		if err != nil {
			return nil, 0, fmt.Errorf("reading an entry: %w", err)
		}
		info, err := f.Stat()
		if err == nil && os.SameFile(before, info) && links(info) > 0 { // without a name it was removed just now
			if err = ours(info); err == nil {
				return f, info.Size(), nil
			}
			err = s.doubt(name, err.Error())
		}
		_ = f.Close()
		if err != nil {
			return nil, 0, err
		}
	}
	return nil, 0, ErrAbsent
}

// check computes the bulk's tag over what the file holds now and, by lease or
// seal, goes on to hold.
func (e *Entry) check(k *key, part fixed) (bool, error) {
	bulk, err := unix.Mmap(int(e.File.Fd()), e.BulkOffset, int(e.BulkBytes), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return false, fmt.Errorf("reading an entry: %w", err)
	}
	defer func() { _ = unix.Munmap(bulk) }()
	tag, err := k.bulkTag(part.salt, bulk)
	if err != nil {
		return false, err
	}
	return hmac.Equal(tag[:], part.tag[:]) && e.Held(), nil
}

// copyBulk copies a bulk into memory that nobody can write to any more.
func copyBulk(f *os.File, part fixed) (*os.File, error) {
	fd, err := unix.MemfdCreate("krmsafe", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	memory := os.NewFile(uintptr(fd), "sealed entry")
	_, err = io.Copy(memory, io.NewSectionReader(f, part.bulkOffset(), int64(part.bulk))) //nolint:gosec // G115: bounded
	if err == nil {
		_, err = unix.FcntlInt(memory.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	var info os.FileInfo
	if err == nil {
		info, err = memory.Stat()
	}
	if err == nil && info.Size() != int64(part.bulk) { //nolint:gosec // G115: bounded
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, errors.Join(err, memory.Close())
	}
	return memory, nil
}
