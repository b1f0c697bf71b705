package sandbox

import (
	"errors"
	"math"

	"github.com/tetratelabs/wazero/experimental"

	"github.com/krmsafe/krmsafe/internal/jail"
)

// memory gives the one instance its linear memory: reserved once at the size it
// may reach, so that growing copies nothing and pages cost when written.
type memory struct {
	reserved []byte
	size     uint64
	failed   bool

	imageBytes, imageOffset int64 // of what it holds at first, in the child's file
}

// Allocate reserves at most limit bytes, which the engine has clamped.
func (m *memory) Allocate(_, limit uint64) experimental.LinearMemory {
	if m.reserved != nil || limit > math.MaxInt {
		m.failed = true
		panic(errNoMemory)
	}
	if limit == 0 {
		limit = 65536 // the engine takes the address of an empty memory too
	}
	b, err := jail.Reserve(int(limit))
	if err == nil && m.imageBytes > 0 {
		err = m.mapImage(b)
	}
	if err != nil {
		m.failed = true
		panic(errNoMemory)
	}
	m.reserved = b
	return m
}

// mapImage puts the initial content at the memory's beginning. The engine gives a
// memory at least what the module declares, which the image fits into.
func (m *memory) mapImage(reserved []byte) error {
	if m.imageBytes > int64(len(reserved)) {
		return errNoMemory
	}
	return jail.MapMemory(reserved[:m.imageBytes], m.imageOffset)
}

var errNoMemory = errors.New("no memory")

// Reallocate gives the first size bytes of what is reserved.
func (m *memory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.reserved)) {
		return nil
	}
	m.size = max(m.size, size)
	return m.reserved[:size]
}

// Free keeps the memory: the process ends soon.
func (m *memory) Free() {}

// pages is the memory's size at its largest, as it never shrinks.
func (m *memory) pages() uint32 { return uint32(m.size / 65536) } //nolint:gosec // G115: at most 65536
