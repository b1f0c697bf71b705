// Package child makes a sandbox's child of this process before most of the
// program is initialised. It knows the hook of package sandbox and nothing else.
//
// # Why this happens in an initialisation
//
// krmsafe links Rego, Sigstore, registries and what they bring: their packages
// compile expressions and register types for several milliseconds before main
// begins, in a process that is about to run one module and end. Go initialises
// the packages of a program in order of import path, each as soon as all that it
// imports is initialised (language specification, "Program initialization").
// This package imports the sandbox alone, so its turn comes before theirs, and
// the process never returns from it. That costs the child a third less, and no
// code of a dependency that it does not need has run in it.
//
// Nothing rests on that order but speed: whenever its turn comes, it comes before
// main, for any main that imports it. A second executable for the child, carried
// inside this one, would have to be written to memory at each start, which takes
// as long as is saved, and kept from differing from its parent.
package child

import (
	"os"

	"github.com/krmsafe/krmsafe/sandbox"
)

//nolint:gochecknoinits // see above
func init() {
	if !sandbox.IsChild(os.Args) {
		return
	}
	// Initialisations are bound to the process's first thread; the child's work is not.
	code := make(chan int)
	go func() { code <- sandbox.Child(os.Args) }()
	os.Exit(<-code)
}
