package policy

import "runtime"

// ample gives the calling goroutine at once the stack that parsing, compiling
// and evaluating take in the end. They recurse so deeply that a new goroutine
// would double its stack four times, and copy all frames each time: a fifth of
// what an admission takes.
//
//go:noinline
func ample() {
	var room [60 << 10]byte
	runtime.KeepAlive(&room)
}
