package sandbox

import (
	"errors"
	"fmt"
	"io"

	"github.com/krmsafe/krmsafe/internal/bulk"
)

// MaxModuleBytes is the size up to which Inspect takes a module, 64 MiB.
const MaxModuleBytes = maxModuleBytes

// ErrModuleSize says that a module is larger than MaxModuleBytes.
var ErrModuleSize = errors.New("the module is larger than 64 MiB: strip it or split the function")

// ReadModule reads a module from r, which ends with it. size is how many bytes
// somebody said it has, or negative where nobody did: more than MaxModuleBytes is
// ErrModuleSize before a byte is read, and else it decides nothing but how memory
// is taken. No more than one byte beyond MaxModuleBytes is read. Reading a file so,
// with its size, takes less processor time than os.ReadFile, as the memory is made
// for that. It may be called concurrently.
func ReadModule(r io.Reader, size int64) ([]byte, error) {
	if size > maxModuleBytes {
		return nil, ErrModuleSize
	}
	const first = 512 << 10
	b := make([]byte, 0, first)
	if size >= first {
		b = bulk.Make(int(size) + 1)[:0]
	}
	for {
		if len(b) == cap(b) {
			b = append(bulk.Make(min(2*cap(b), maxModuleBytes+1))[:0], b...)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case len(b) > maxModuleBytes:
			return nil, ErrModuleSize
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, fmt.Errorf("reading a module: %w", err)
		}
	}
}
