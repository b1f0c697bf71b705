// Package policychild makes a policy's child of this process before the rest of
// the program is initialised: see package child beside this one for why and how.
// Package policy stands late in the order, so that this saves a twentieth where
// that saves a third; it is a package of its own as that one must not wait for it.
package policychild

import (
	"os"

	"github.com/krmsafe/krmsafe/policy"
)

//nolint:gochecknoinits // see package child
func init() {
	if !policy.IsChild(os.Args) {
		return
	}
	code := make(chan int)
	go func() { code <- policy.Child(os.Args) }()
	os.Exit(<-code)
}
