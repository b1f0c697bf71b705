// Package pace sets how often Go's collector works in a process that is over soon. It knows the collector's two
// settings and nothing of what the process does.
//
// Most runs of krmsafe end before they have allocated a few dozen megabytes. What the collector does in them is
// wasted, and is a tenth of their processor time: it marks all that package initialisations left behind, and takes
// the threads that do it from sleep.
package pace

import (
	"runtime"
	"runtime/debug"
)

// minimum is the heap at which Go's collector begins its first cycle for each percent of GOGC (package runtime/debug,
// SetGCPercent: 4 MiB at 100).
const minimum = 4 << 20 / 100

// Begin holds the collector back until the heap has grown to first bytes; from then on a cycle begins whenever the
// heap has grown by percent of what the one before it found alive. Neither moves a limit that debug.SetMemoryLimit
// set: near that the collector works however little has been allocated. It is for main, once.
func Begin(first int64, percent int) {
	held := int(first / minimum)
	if held <= percent {
		debug.SetGCPercent(percent)
		return
	}
	debug.SetGCPercent(held)
	// The first cycle finds the mark dead, whoever allocated what led to it.
	runtime.AddCleanup(new(mark), func(percent int) { debug.SetGCPercent(percent) }, percent)
}

// mark is too large for Go to let it share its memory, and its fate, with other small values.
type mark [64]byte
