package jail

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Reserve maps size bytes of zeroed private memory without touching any of it.
// The block never moves and stays mapped until the process ends.
func Reserve(size int) ([]byte, error) {
	if size <= 0 {
		return nil, fmt.Errorf("reserving %d bytes of memory", size)
	}
	p, err := windows.VirtualAlloc(0, uintptr(size), windows.MEM_RESERVE|windows.MEM_COMMIT, windows.PAGE_READWRITE)
	if err != nil {
		return nil, fmt.Errorf("reserving %d bytes of memory: %w", size, err)
	}
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&p))), size), nil
}
