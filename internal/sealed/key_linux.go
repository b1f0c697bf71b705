package sealed

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// readKey reads the key; fs.ErrNotExist is in the error where there is none.
func (s *Store) readKey() (*key, error) {
	f, err := os.OpenFile(s.cfg.KeyFile, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, unsafe(s.cfg.KeyFile, "is a symbolic link", hintKey)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the cache's key: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the cache's key: %w", err)
	}
	if err := ours(info); err != nil {
		return nil, unsafe(s.cfg.KeyFile, err.Error(), hintKey)
	}
	if err := private(s.cfg.KeyFile, false); err != nil {
		return nil, err
	}
	var k key
	if _, err := io.ReadFull(f, k[:]); err != nil || info.Size() != keyBytes {
		return nil, unsafe(s.cfg.KeyFile, fmt.Sprintf("is %d bytes long, a key is %d", info.Size(), keyBytes), hintKey)
	}
	return &k, nil
}

const hintKey = "remove it: a new one is made, and what is in the cache is compiled again"

// makeKey makes the key if it does not exist, and reads it: of two processes that
// make one at once, both get the first.
func (s *Store) makeKey() (*key, error) {
	k, err := s.readKey()
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if err := os.MkdirAll(filepath.Dir(s.cfg.KeyFile), 0o700); err != nil {
		return nil, fmt.Errorf("making the cache's key: %w", err)
	}
	for range 100 {
		// Another process may collect the file before it is locked.
		if err = s.writeKey(); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the cache's key: %w", err)
	}
	return s.readKey()
}

// keyPattern is the names of keys that are being made.
func (s *Store) keyPattern() string { return filepath.Base(s.cfg.KeyFile) + ".*" + temporary }

// writeKey makes a key under a name of its own, which it holds a lock on until it has
// been renamed.
func (s *Store) writeKey() error {
	var fresh key
	if _, err := rand.Read(fresh[:]); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(s.cfg.KeyFile), s.keyPattern()) // mode 0600
	if err != nil {
		return err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fs.ErrNotExist // it is being collected
	}
	if err == nil {
		_, err = f.Write(fresh[:])
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = unix.Renameat2(unix.AT_FDCWD, f.Name(), unix.AT_FDCWD, s.cfg.KeyFile, unix.RENAME_NOREPLACE)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return errors.Join(err, f.Close())
}

// collectKeys removes what processes that were killed while they made a key have left.
func (s *Store) collectKeys() {
	dir, err := os.OpenRoot(filepath.Dir(s.cfg.KeyFile))
	if err != nil {
		return
	}
	defer func() { _ = dir.Close() }()
	names, _ := fs.Glob(dir.FS(), s.keyPattern())
	for _, name := range names {
		_ = collect(dir, name)
	}
}

// Writable gives the reason why nothing can be kept, if there is one: the key is made
// if it does not exist.
func (s *Store) Writable() error {
	_, err := s.makeKey()
	return err
}
