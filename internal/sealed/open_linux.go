package sealed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// ids are what tests put in the place of the user's id.
var euid = os.Geteuid

// Open opens the store. A folder that somebody else could write to, now or by
// putting another in its place, is an *UnsafeError.
func Open(cfg Config) (*Store, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	keyFile, err := filepath.Abs(cfg.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	cfg.Dir, cfg.KeyFile = dir, keyFile
	if inside, err := filepath.Rel(dir, keyFile); err != nil || filepath.IsLocal(inside) {
		return nil, unsafe(keyFile, "is inside of the folder that it protects", "keep the key elsewhere")
	}
	if cfg.MaxBytes <= 0 || cfg.Now == nil {
		return nil, errors.New("opening the cache: neither its size nor its clock may be left out")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	if err := private(dir, true); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	before, err := os.Lstat(dir)
	opened, openedErr := root.Stat(".")
	if err = errors.Join(err, openedErr); err == nil && !os.SameFile(before, opened) {
		err = unsafe(dir, "was replaced while it was opened", hintFolder)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &Store{cfg: cfg, root: root}, nil
}

const hintFolder = "make it a folder of your own with mode 0700 below folders that nobody else can write to, or name another"

func unsafe(path, message, hint string) *UnsafeError {
	return &UnsafeError{Path: path, Message: message, Hint: hint}
}

// private checks that path and every folder above it can be changed by nobody but
// this user and root, and that none of them is a symbolic link.
func private(path string, dir bool) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", path, err)
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return unsafe(path, "is a symbolic link", "name the folder itself")
	case dir && !info.IsDir():
		return unsafe(path, "is not a folder", hintFolder)
	case owner(info) != euid():
		return unsafe(path, fmt.Sprintf("belongs to user %d, and you are %d", owner(info), euid()), hintFolder)
	case info.Mode().Perm()&0o077 != 0:
		return unsafe(path, fmt.Sprintf("has mode %04o: others can look into it", info.Mode().Perm()), "chmod go= "+path)
	}
	for at := filepath.Dir(path); ; at = filepath.Dir(at) {
		if err := trustedParent(at); err != nil {
			return err
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// trustedParent checks a folder above: root's or this user's, and written to by
// nobody else, but for a sticky one, in which nobody can replace what is another's.
func trustedParent(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", path, err)
	}
	switch who := owner(info); {
	case info.Mode()&fs.ModeSymlink != 0:
		return unsafe(path, "is a symbolic link", "name the folder by its real path")
	case who != 0 && who != euid():
		return unsafe(path, fmt.Sprintf("belongs to user %d, who could replace what is in it", who), hintFolder)
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return unsafe(path, fmt.Sprintf("has mode %04o: others could replace what is in it", info.Mode().Perm()), hintFolder)
	}
	return nil
}

func owner(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

func links(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink) //nolint:unconvert // 32 bits on arm64
	}
	return 0
}

// ours checks an open file: regular, this user's alone, and reachable under one
// name only, so that nobody changes it under another.
func ours(info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return errors.New("is not a regular file")
	case owner(info) != euid():
		return fmt.Errorf("belongs to user %d", owner(info))
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("has mode %04o", info.Mode().Perm())
	case links(info) != 1:
		return fmt.Errorf("has %d names", links(info))
	}
	return nil
}

// lease takes a read lease, and reports whether the file's content now stays what
// it is until the lease is broken, of which held tells.
func lease(f *os.File) bool {
	_, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	return err == nil
}

// Held reports whether the bulk is still what it was when Load checked it: nobody
// has asked for the right to write to it since.
func (e *Entry) Held() bool {
	if e.File == nil || !e.leased {
		return true // in memory, which is sealed
	}
	kind, err := unix.FcntlInt(e.File.Fd(), unix.F_GETLEASE, 0)
	return err == nil && kind == unix.F_RDLCK
}
