//go:build linux && (amd64 || arm64)

package jail

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Harden makes this process, the parent, leave no core dump and lets no other
// process of the same user trace it or read its memory: it may hold credentials
// and what it verifies. It cannot be undone by accident: children start afresh.
func Harden() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("making the process undumpable: %w", err)
	}
	if err := unix.Prlimit(0, unix.RLIMIT_CORE, &unix.Rlimit{}, nil); err != nil {
		return fmt.Errorf("forbidding core dumps: %w", err)
	}
	return nil
}
