//go:build linux && (amd64 || arm64)

package jail

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// Harden makes this process, the parent, leave no core dump and lets no other
// process of the same user trace it or read its memory: it may hold credentials
// and what it verifies. It cannot be undone by accident: children start afresh.
//
// What was open when the process began, beside its standard streams, is not handed
// on to whatever it starts. A jailed child closes such descriptors too, but cannot
// tell all kinds from those of its own runtime, and is refused then.
func Harden() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("making the process undumpable: %w", err)
	}
	if err := unix.Prlimit(0, unix.RLIMIT_CORE, &unix.Rlimit{}, nil); err != nil {
		return fmt.Errorf("forbidding core dumps: %w", err)
	}
	// A kernel before 5.11 cannot, and leaves it to the child.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("keeping descriptors from children: %w", err)
	}
	return nil
}
