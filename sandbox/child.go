package sandbox

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/krmsafe/krmsafe/internal/jail"
)

// role is the name under which children of this package are started.
const role = "sandbox"

// IsChild reports whether args, the program's argument list, are those of a
// child that a Sandbox started. See the package's documentation.
func IsChild(args []string) bool { return jail.IsChild(args, role) }

// Child is the life of such a child: it confines the process, runs one module
// that it gets from its parent, and returns the code with which main must exit
// at once. Call it first thing in main, before anything is opened.
func Child(args []string) int {
	//nolint:forbidigo // this is the child's main; its deadline is a signal
	return jail.Serve(args, role, func(in *jail.Inside) error { return serve(context.Background(), in) })
}

// serve runs one module.
func serve(ctx context.Context, in *jail.Inside) error {
	payload, err := in.Receive(kindJob, jobBytes)
	if err != nil {
		return err
	}
	j, err := decodeJob(payload)
	if err != nil {
		return err
	}
	module, err := in.Receive(kindModule, max(maxModuleBytes, maxHeadBytes))
	if err != nil {
		return err
	}
	stdin, err := in.Receive(kindInput, maxInputBytes)
	if err != nil {
		return err
	}
	if j.way == wayMapped {
		debug.SetGCPercent(-1) // a stub is small, and the process short-lived
	}
	m := newMachine(j, func(p []byte) error { return in.Send(kindStderr, p) })
	// The kernel's limit is a cliff: the collector must see it coming.
	debug.SetMemoryLimit(hostBytes(j.limits, len(module), len(stdin)) / 10 * 9)
	if len(module) <= smallModuleBytes {
		debug.SetGCPercent(smallModulePercent)
	}
	if err := m.compile(ctx, module); err != nil {
		return in.Send(kindResult, outcome{code: CodeModuleEngine, detail: firstLine(err.Error())}.encode()...)
	}
	if j.way == wayKeep {
		if err := m.handUp(in); err != nil {
			return err
		}
	}
	if j.way != wayMapped || len(module) > smallModuleBytes { // a small stub leaves nothing behind
		giveBack()
	}
	debug.SetGCPercent(-1) // see giveBack
	if err := in.Tighten(); err != nil {
		return fmt.Errorf("tightening the jail: %w", err)
	}
	if err := in.Send(kindCompiled); err != nil {
		return err
	}
	if _, err := in.Receive(kindGo, 0); err != nil {
		return err
	}
	return in.Send(kindResult, m.run(ctx, stdin).encode()...)
}

// Collecting what compiling a small module leaves behind, 4 MB at a time, takes a
// fifth of the processor time of the whole run; five times as much memory as is
// in use is little.
const (
	smallModuleBytes   = 1 << 20
	smallModulePercent = 400
)

// worthGivingBack is how much memory decoding and compiling may leave behind
// while the guest runs. To give it back costs some milliseconds.
const worthGivingBack = 48 << 20

// giveBack gives back what compiling has left behind, as it would add to the guest's
// memory to the end: there are no collections after it, since what the host
// allocates while the guest runs is little, and collecting it would interrupt machine
// code that cannot be interrupted.
func giveBack() {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	if s.HeapSys-s.HeapReleased > worthGivingBack {
		debug.FreeOSMemory()
	}
}

// handUp gives the compiled code to the parent, before a single instruction of it
// has run. An empty frame says that there is none to keep.
func (m *machine) handUp(in *jail.Inside) error {
	kept := m.kept
	m.kept = nil
	if kept == nil {
		return in.Send(kindCode)
	}
	var e jail.Encoder
	e.Bytes(kept.head())
	zeros := make([]byte, filePageBytes)
	pad := func(b []byte) []byte { return zeros[:wholePages(int64(len(b)))-int64(len(b))] }
	return in.Send(kindCode, e.Payload(), kept.code, pad(kept.code), kept.image, pad(kept.image))
}
