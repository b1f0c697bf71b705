// Package hold keeps Go's collector from working while most of the program's packages
// are initialised. It knows one setting of the runtime and nothing else.
//
// Rego, Sigstore and what they bring allocate three megabytes of tables and compiled
// expressions before main begins, which is about what makes the collector begin, too:
// it marks all of that, finds nothing to give back, and takes two milliseconds of the
// processor time of every other run for it.
//
// # Why in an initialisation
//
// As for package version: see there. runtime/debug, whose setting this is, is
// initialised when a quarter of those three megabytes is there. Nothing rests on that
// order but speed.
//
// # Who lets go
//
// main does, and each jailed child: package pace, or a setting of its own that a child
// begins with.
package hold

import "runtime/debug"

//nolint:gochecknoinits // see above
func init() {
	const percent = 600 // of 4 MiB, at which GOGC=100 begins: 24 MiB, as main holds it
	debug.SetGCPercent(percent)
}
