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
	dir := filepath.Dir(s.cfg.KeyFile)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the cache's key: %w", err)
	}
	var fresh key
	if _, err := rand.Read(fresh[:]); err != nil {
		return nil, fmt.Errorf("making the cache's key: %w", err)
	}
	f, err := os.CreateTemp(dir, filepath.Base(s.cfg.KeyFile)+".*.tmp") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("making the cache's key: %w", err)
	}
	_, err = f.Write(fresh[:])
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = unix.Renameat2(unix.AT_FDCWD, f.Name(), unix.AT_FDCWD, s.cfg.KeyFile, unix.RENAME_NOREPLACE)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the cache's key: %w", err)
	}
	return s.readKey()
}

// Writable gives the reason why nothing can be kept, if there is one: the key is made
// if it does not exist.
func (s *Store) Writable() error {
	_, err := s.makeKey()
	return err
}
