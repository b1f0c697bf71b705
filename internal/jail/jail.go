// Package jail runs a piece of this program in a child process that has given
// up everything a process can give up, and lets the parent make sure of it
// before the child sees a foreign byte.
//
// It knows processes, pipes, resource limits, Landlock and seccomp. It does not
// know WebAssembly, Rego or what the child works on: a role is a name, and the
// role's code exchanges frames with its parent over two pipes.
//
// # How a child comes up
//
// The parent starts its own executable again with a fixed argument list, a
// constant environment, "/" as working directory and three pipes. The child
// gives up, in this order: stray descriptors, root and capabilities, the way
// back to privileges, core dumps and tracing, life without its parent,
// resources, the file system, TCP and foreign processes (Landlock), and every
// system call that Go's runtime does not need (seccomp). It tries what must
// fail and reports. The parent believes only what the kernel says too: it reads
// /proc/PID/status of every thread, and sends nothing until all of it holds.
// Bound then lowers memory and CPU time, and Tighten, called by the role once it
// has no more machine code to make, takes away executable memory for good.
//
// # What it does not do
//
// It does not hide the CPU's side channels, it does not bound the machine's page
// cache or scheduler, and it relies on the kernel. No namespaces are used, as an
// ordinary container forbids them. Without Linux there is only a separate
// process under the limits the system has: see Level.
package jail

import (
	"fmt"
	"slices"
)

// Level says how much of the jail must hold before a child is used. The zero
// Level is Full.
type Level uint8

const (
	// Full requires every layer. It is the default, and refuses where the
	// system lacks one, so on anything but Linux 6.12 or later.
	Full Level = iota
	// PartialUnsafe requires all that the system has: on Linux every layer but
	// Landlock's, elsewhere a separate process with a constant environment. It
	// is right on a kernel without Landlock, for modules that are trusted not to
	// have an exploit for the engine.
	PartialUnsafe
	// NoneUnsafe asks for a separate process only, which can be killed and whose
	// memory is bounded where the system can do that. It is right for debugging.
	NoneUnsafe
)

// String gives the level's name as it appears in reports and on command lines.
func (l Level) String() string {
	switch l {
	case Full:
		return "full"
	case PartialUnsafe:
		return "partial"
	case NoneUnsafe:
		return "none"
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// ParseLevel reads a level's name: full, partial or none.
func ParseLevel(s string) (Level, error) {
	for _, l := range []Level{Full, PartialUnsafe, NoneUnsafe} {
		if s == l.String() {
			return l, nil
		}
	}
	return Full, fmt.Errorf("unknown jail level %q: want full, partial or none", s)
}

// Names of the layers, as they appear in a Report.
const (
	LayerDescriptors   = "descriptors"    // nothing inherited but three pipes
	LayerUser          = "user"           // not root, in any of its ids
	LayerCapabilities  = "capabilities"   // no capability in any set that counts
	LayerNoNewPrivs    = "no_new_privs"   // no exec can gain privileges
	LayerUndumpable    = "undumpable"     // no core dump, no tracing by the same user
	LayerParentDeath   = "parent_death"   // dies with its parent
	LayerRlimits       = "rlimits"        // no core, no file growth, no new descriptors
	LayerLandlockFS    = "landlock_fs"    // no path can be opened
	LayerLandlockNet   = "landlock_net"   // no TCP port can be bound or reached
	LayerLandlockScope = "landlock_scope" // no signal and no abstract socket out
	LayerSeccomp       = "seccomp"        // only the system calls Go's runtime needs
)

// Layers lists every layer in the order in which a child takes them on.
func Layers() []string {
	return []string{
		LayerDescriptors, LayerUser, LayerCapabilities, LayerNoNewPrivs, LayerUndumpable, LayerParentDeath,
		LayerLandlockFS, LayerLandlockNet, LayerLandlockScope, LayerRlimits, LayerSeccomp,
	}
}

// LayerState is one layer as it was found in one child.
type LayerState struct {
	Layer string `json:"layer"`
	Held  bool   `json:"held"`
	// Detail says why a layer does not hold; it is empty where it does.
	Detail string `json:"detail,omitempty"`
}

// Report says what confines one child. Its JSON form is part of krmsafe's report.
type Report struct {
	Level       string       `json:"level"`
	Platform    string       `json:"platform"`
	LandlockABI int          `json:"landlockABI"`
	Layers      []LayerState `json:"layers"`
}

// Missing lists the layers that do not hold, in order.
func (r Report) Missing() []string {
	var missing []string
	for _, l := range r.Layers {
		if !l.Held {
			missing = append(missing, l.Layer)
		}
	}
	return missing
}

// Complete reports whether every layer holds.
func (r Report) Complete() bool { return len(r.Layers) > 0 && len(r.Missing()) == 0 }

// IncompleteError says that a child was not confined as its level demands; no
// byte was sent to it.
type IncompleteError struct {
	Level   Level
	Missing []LayerState
}

// Error names the layers that do not hold.
func (e *IncompleteError) Error() string {
	s := "jail incomplete, nothing was sent to it:"
	for i, l := range e.Missing {
		if i > 0 {
			s += ","
		}
		s += " " + l.Layer
		if l.Detail != "" {
			s += " (" + l.Detail + ")"
		}
	}
	return s
}

// required reports whether a layer must hold at a level on this system.
func required(level Level, layer string) bool {
	switch level {
	case Full:
		return true
	case PartialUnsafe:
		return slices.Contains(platformLayers, layer)
	default:
		return false
	}
}
