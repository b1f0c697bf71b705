package jail

import (
	"syscall"
)

// rootDir is empty, the parent's own: Windows has no folder that is always there.
const rootDir = ""

func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{HideWindow: true} }

// peakBytes is unknown here.
func peakBytes(int) int64 { return 0 }

// lower has nothing to set: only the parent's clock and the engine's own memory
// limit hold.
func lower(Bounds, idleUse, Level) error { return nil }
