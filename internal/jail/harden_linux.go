//go:build linux && (amd64 || arm64)

package jail

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// Harden makes this process, the parent, leave no core dump and lets no other
// process of the same user trace it or read its memory: it may hold credentials
// and what it verifies. It cannot be undone by accident: children start afresh.
//
// What was open when the process began, beside its standard streams, is not handed
// on to whatever it starts, as far as the kernel lets it. A jailed child closes such descriptors too, but cannot
// tell all kinds from those of its own runtime, and is refused then.
func Harden() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("making the process undumpable: %w", err)
	}
	if err := unix.Prlimit(0, unix.RLIMIT_CORE, &unix.Rlimit{}, nil); err != nil {
		return fmt.Errorf("forbidding core dumps: %w", err)
	}
	keepFromChildren()
	return nil
}

// keepFromChildren closes what is open beside the standard streams when another
// program begins. What it cannot is left to the child, which is refused if it cannot
// close it either.
func keepFromChildren() {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) != nil {
		keepEachFromChildren() // a kernel before 5.11, or a container's filter that is older than the call
	}
}

// keepEachFromChildren does so for one descriptor after the other.
func keepEachFromChildren() {
	open, err := listProc("/proc/self/fd")
	if err != nil {
		return
	}
	for _, fd := range open {
		if fd > 2 {
			_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC) // one is the folder's own, and gone
		}
	}
}
