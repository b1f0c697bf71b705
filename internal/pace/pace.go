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
	"runtime/metrics"
)

// minimum is the heap at which Go's collector begins its first cycle for each percent of GOGC (package runtime/debug,
// SetGCPercent: 4 MiB at 100).
const minimum = 4 << 20 / 100

// Begin holds the collector back until the heap has grown to first bytes; from then on a cycle begins whenever the
// heap has grown by percent of what the one before it found alive. Neither moves a limit that debug.SetMemoryLimit
// set: near that the collector works however little has been allocated. It is for main, once.
func Begin(first int64, percent int) {
	debug.SetGCPercent(-1) // which waits for a cycle that is under way, and for what it finds
	held := first / minimum
	if live := alive(); live > 0 { // a percentage is of that, once there was a cycle
		held = min(held, max(first-live, 0)*100/live)
	}
	if held <= int64(percent) {
		debug.SetGCPercent(percent)
		return
	}
	debug.SetGCPercent(int(held))
	// The first cycle finds the mark dead, whoever allocated what led to it.
	runtime.AddCleanup(new(mark), func(percent int) { debug.SetGCPercent(percent) }, percent)
}

// alive is what the last cycle found alive, in bytes; 0 if there was none.
func alive() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(sample[0].Value.Uint64()) //nolint:gosec // G115: a heap is smaller
}

// mark is too large for Go to let it share its memory, and its fate, with other small values.
type mark [64]byte
