// Package sealed keeps files in a folder that belongs to one user, such that what
// is read back is what this user's own krmsafe wrote, for the very purpose it is
// now read for, or is not read back at all. It is for content that is executed and
// that nothing else vouches for, which machine code is.
//
// It knows files, owners, keys and tags of authenticity. It does not know what the
// content is.
//
// # What is promised
//
// An entry is found under its binding: the text that says all that it depends on.
// Load gives it only if a tag over name, binding, head and bulk holds under a key
// that lies outside the folder and that only its owner can read. Whoever can write
// to the folder and not read the key can make entries disappear, and nothing else.
//
// The bulk is not copied. A read lease (fcntl(2), F_SETLEASE) is taken before its
// tag is computed and held until the entry is closed: the kernel gives it only if
// nobody has the file open for writing, and tells when somebody wants to. Where a
// file system knows no leases the bulk is copied into memory that is sealed
// against writing.
//
// # What is not protected
//
// Whoever can read the key, root among them, can make entries; so can whoever can
// change this program. A folder on a network is only as private as its server. What
// is in the folder can be read by its owner: it is not encrypted.
//
// # Why a polynomial tag
//
// The bulk is about a hundred megabytes, and its tag must cost less than reading
// it. GMAC takes 12 ms for a hundred megabytes where BLAKE3 takes 27 and SHA-256
// takes 53, and is in the standard library. Its weakness is a nonce that repeats:
// every entry has a key of its own, derived from 32 random bytes, and uses it once.
package sealed

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// Config says where entries are kept.
type Config struct {
	// Dir is the folder. It is made, for its owner alone, where it does not exist.
	Dir string
	// KeyFile is the file that holds the key, outside Dir. It is made by the first
	// Save.
	KeyFile string
	// MaxBytes is how much the folder may hold. What was not used for longest goes
	// first.
	MaxBytes int64
	// Now is a clock, for the age of entries.
	Now func() time.Time
}

// Store is a folder of sealed entries. It may be used by several goroutines, and
// the folder by several processes, at once: an entry appears by a rename, whole or
// not at all.
type Store struct {
	cfg  Config
	root *os.Root
}

// UnsafeError says that a folder or a key is not as private as it must be. Nothing
// was read from it or written to it.
type UnsafeError struct {
	Path    string
	Message string
	Hint    string
}

// Error gives path and reason.
func (e *UnsafeError) Error() string { return fmt.Sprintf("%s %s", e.Path, e.Message) }

// DoubtError says that an entry was there and is not what it should be. It has
// been removed.
type DoubtError struct {
	Name   string
	Reason string
}

// Error gives the reason.
func (e *DoubtError) Error() string { return fmt.Sprintf("entry %s %s", short(e.Name), e.Reason) }

func short(name string) string { return name[:min(len(name), 12)] }

// ErrAbsent says that there is no such entry.
var ErrAbsent = errors.New("no such entry")

// ErrUnsupported says that this system has no means to keep entries safely.
var ErrUnsupported = errors.New("sealed entries need Linux")

// Entry is what Load found. It must be closed, after the last use of File.
type Entry struct {
	// Head is the small part of the content, in memory.
	Head []byte
	// File holds the large part, BulkBytes bytes from byte BulkOffset on, which
	// is a multiple of the page size. It is open for reading only. It is nil where
	// there is no bulk.
	File       *os.File
	BulkOffset int64
	BulkBytes  int64

	leased bool
	users  *atomic.Int32 // Entries that share File
	closed atomic.Bool
}

// Share gives the same entry once more, so that what was checked once is used by
// several. Each of them must be closed; the file is when all are. Whoever uses a
// shared entry asks Held first.
func (e *Entry) Share() *Entry {
	e.users.Add(1)
	return &Entry{Head: e.Head, File: e.File, BulkOffset: e.BulkOffset, BulkBytes: e.BulkBytes, leased: e.leased, users: e.users}
}

// Close gives up the file and with it the lease, if nobody shares it any more.
func (e *Entry) Close() error {
	if e == nil || e.File == nil || e.closed.Swap(true) || e.users.Add(-1) > 0 {
		return nil
	}
	return e.File.Close()
}

// Content is what Save writes: a head that is read into memory, and a bulk, in
// parts that follow each other, each beginning at a page.
type Content struct {
	Head []byte
	Bulk [][]byte
}

// MaxBytes is how much the folder may hold.
func (s *Store) MaxBytes() int64 { return s.cfg.MaxBytes }
