//go:build linux

package jail

// Skip makes a child leave a layer out and claim that it holds, as one that was
// taken over could. It exists
// in test binaries only, like the rest of this file.
func Skip(layer string) { skipped[layer] = true }

// Lack makes a child leave a layer out and say so, as on a kernel without it.
func Lack(layer string) { lacking[layer] = true }

// KeepEachFromChildren is what Harden does where there is no close_range(2).
var KeepEachFromChildren = keepEachFromChildren

// Lock takes on all of Landlock, whose parts cannot be had alone.
func Lock() error {
	abi, err := landlockABI()
	if err != nil {
		return err
	}
	return landlockAll(abi)
}

// AllowAll installs a filter that allows everything, as a container's runtime
// installs one of its own before a program starts.
func AllowAll() error {
	if err := noNewPrivs(); err != nil {
		return err
	}
	prog, err := assemble(nil, allow)
	if err != nil {
		return err
	}
	return install(prog)
}
