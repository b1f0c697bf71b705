//go:build unix

package jail

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Reserve maps size bytes of zeroed private memory without touching any of it:
// what is never written costs nothing, and the block never moves. It stays
// mapped until the process ends.
func Reserve(size int) ([]byte, error) {
	if size <= 0 {
		return nil, fmt.Errorf("reserving %d bytes of memory", size)
	}
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserving %d bytes of memory: %w", size, err)
	}
	return b, nil
}
