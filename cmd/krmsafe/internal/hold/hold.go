// Package hold keeps Go's collector from working while the program's packages are
// initialised. It knows one setting of the runtime and nothing else.
//
// Rego, Sigstore and what they bring allocate three megabytes of tables and compiled
// expressions before main begins, which is what makes the collector begin, too: it
// marks all of that, finds nothing to give back, and takes two milliseconds of each
// run's processor time for it.
//
// # Why by linkname
//
// Packages are initialised in order of import path, each as soon as all that it
// imports is (language specification, "Program initialization"). runtime/debug, whose
// SetGCPercent this is, imports so much that its turn comes after nearly all that is
// to be held back, and with it the turn of whoever imports it. This package imports
// nothing, so it comes first. The name that it reaches for is the one under which the
// runtime hands this function to runtime/debug; a Go that hands it over under another
// one does not link the program, and none links it to something else.
//
// # Who lets go
//
// main does, and each jailed child: package pace, or the setting of its own that a
// child begins with.
package hold

import _ "unsafe" // for go:linkname

//go:linkname setGCPercent runtime/debug.setGCPercent
func setGCPercent(percent int32) (before int32)

//nolint:gochecknoinits // see above
func init() {
	const percent = 2400 // of 4 MiB, at which GOGC=100 begins: 96 MiB, as main holds it
	setGCPercent(percent)
}
