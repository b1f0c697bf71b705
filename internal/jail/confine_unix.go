//go:build unix && (!linux || !(amd64 || arm64))

package jail

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

const rootDir = "/"

func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// peakBytes is unknown here.
func peakBytes(int) int64 { return 0 }

// lower sets what this system has; memory beyond the guest's stays unbounded.
func lower(b Bounds, _ idleUse, _ Level) error {
	for _, l := range []struct {
		resource int
		limit    unix.Rlimit
	}{
		{unix.RLIMIT_CORE, unix.Rlimit{}},
		{unix.RLIMIT_CPU, unix.Rlimit{Cur: b.CPUSeconds, Max: b.CPUSeconds}},
	} {
		if err := unix.Setrlimit(l.resource, &l.limit); err != nil {
			return fmt.Errorf("rlimit %d: %w", l.resource, err)
		}
	}
	return nil
}
