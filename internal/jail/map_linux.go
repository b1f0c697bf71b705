//go:build linux && (amd64 || arm64)

package jail

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// canMap tells whether a child can be given a file to map.
const canMap = true

// MapCode puts what Config.File holds from offset in the place of dst, which must
// begin at a page and lie in a mapping of its own, without copying it and to be
// read only. What follows dst in its last page is replaced too. It is called in
// the child. The pages are mapped as they are read, many at a time: to ask for all
// of them at once (MAP_POPULATE) is slower, as the kernel then takes them singly.
func MapCode(dst []byte, offset int64) error {
	return mapOver(dst, offset, unix.PROT_READ, 0)
}

// Forget takes what MapCode has mapped out of memory until it is read again.
func Forget(code []byte) {
	if len(code) > 0 {
		_ = unix.Madvise(code, unix.MADV_DONTNEED) // a mapping that stays is right too
	}
}

// MapMemory is MapCode for memory that is written to: what is written stays in
// this process.
func MapMemory(dst []byte, offset int64) error {
	return mapOver(dst, offset, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_NORESERVE)
}

func mapOver(dst []byte, offset int64, prot, flags uintptr) error {
	page := uintptr(os.Getpagesize())
	if len(dst) == 0 || offset < 0 || uintptr(offset)%page != 0 {
		return fmt.Errorf("mapping %d bytes of a file from byte %d: pages are %d bytes", len(dst), offset, page)
	}
	addr := uintptr(unsafe.Pointer(&dst[0])) //nolint:gosec // G103: mmap takes an address
	if addr%page != 0 {
		return errors.New("mapping a file: the place for it does not begin at a page")
	}
	length := (uintptr(len(dst)) + page - 1) &^ (page - 1)
	got, _, errno := unix.Syscall6(unix.SYS_MMAP, addr, length, prot, unix.MAP_PRIVATE|unix.MAP_FIXED|flags, fileFD, uintptr(offset))
	if errno != 0 {
		return fmt.Errorf("mapping %d bytes of a file: %w", len(dst), errno)
	}
	if got != addr {
		return errors.New("mapping a file: the kernel chose another place")
	}
	return nil
}
