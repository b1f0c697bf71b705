package bulk

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of a huge page where the kernel has the common ones; another
// size only makes the advice cover less or be refused.
const hugePage = 2 << 20

// advise asks for huge pages for what lies wholly within b. It is advice: memory
// that the kernel does not give it for is as it was.
func advise(b []byte) {
	at := uintptr(unsafe.Pointer(&b[0])) //nolint:gosec // G103: huge pages begin at their multiples
	skip := int(-at & (hugePage - 1))
	if whole := (len(b) - skip) &^ (hugePage - 1); whole > 0 {
		_ = unix.Madvise(b[skip:skip+whole], unix.MADV_HUGEPAGE)
	}
}
