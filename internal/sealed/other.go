//go:build !linux

package sealed

import "time"

// Info is one entry as it lies in the folder.
type Info struct {
	Name    string
	Bytes   int64
	Used    time.Time
	Binding []byte
	Err     error
}

// Pruned is what Prune removed.
type Pruned struct {
	Files int
	Bytes int64
}

// Open fails: nothing here holds a file's content still.
func Open(Config) (*Store, error) { return nil, ErrUnsupported }

// Close does nothing.
func (s *Store) Close() error { return nil }

// Load finds nothing.
func (s *Store) Load([]byte) (*Entry, error) { return nil, ErrAbsent }

// Save keeps nothing.
func (s *Store) Save([]byte, Content) error { return ErrUnsupported }

// List lists nothing.
func (s *Store) List(bool) ([]Info, error) { return nil, nil }

// Prune removes nothing.
func (s *Store) Prune(int64) (Pruned, error) { return Pruned{}, nil }

// Remove removes nothing.
func (s *Store) Remove(string) error { return nil }

// Held is true.
func (e *Entry) Held() bool { return true }

// Discard removes nothing.
func (s *Store) Discard([]byte) error { return nil }

// Writable fails.
func (s *Store) Writable() error { return ErrUnsupported }

// Has is false.
func (s *Store) Has([]byte) bool { return false }

// Head finds nothing.
func (s *Store) Head([]byte) ([]byte, error) { return nil, ErrAbsent }
