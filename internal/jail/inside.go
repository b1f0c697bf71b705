package jail

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

const (
	childName = "krmsafe-jail" // argv[0] of every child
	helloMax  = 64 << 10

	fileArg = "file" // the last argument of a child that was given Config.File
	fileFD  = 3      // as which it has it
)

// IsChild reports whether args, a process's argument list, are those of a child
// that Start made for role.
func IsChild(args []string, role string) bool {
	if len(args) == 4 && args[3] == fileArg {
		args = args[:3]
	}
	if len(args) != 3 || args[0] != childName || args[1] != role {
		return false
	}
	_, err := ParseLevel(args[2])
	return err == nil
}

// Inside is the child's end of its pipes. It is not safe for concurrent use.
type Inside struct {
	in    io.Reader
	out   io.Writer
	level Level
	idle  idleUse
}

// Serve is the whole life of a child: it confines the process, reports to the
// parent, runs work and gives the exit code with which the process must now end.
// Call it only where IsChild holds, before anything else in main.
func Serve(args []string, role string, work func(*Inside) error) int {
	if !IsChild(args, role) {
		return exitMisuse
	}
	debug.SetTraceback("none")
	level, _ := ParseLevel(args[2])
	in := &Inside{level: level, in: fdFile(0), out: fdFile(1)}
	// What is set for one thread, and handed on by it, must not be asked of another.
	runtime.LockOSThread()
	report, idle := confine(level, len(args) == 4)
	runtime.UnlockOSThread()
	in.idle = idle
	if err := in.hello(report); err != nil {
		return exitNoParent
	}
	if err := in.bound(); err != nil {
		return exitNoParent
	}
	if err := work(in); err != nil {
		complain(err)
		return exitWork
	}
	// The parent ends a child that is done, after it has seen what it used.
	_, _ = io.Copy(io.Discard, in.in)
	return 0
}

// Exit codes of a child, for the parent's messages only.
const (
	exitMisuse   = 64
	exitNoParent = 65
	exitWork     = 66
)

// complain writes one line to the child's standard error, which the parent
// keeps for its own messages.
func complain(err error) {
	_, _ = fmt.Fprintf(fdFile(2), "%v\n", err)
}

// Receive reads the next frame, which must be of this kind and at most limit
// bytes long.
func (in *Inside) Receive(kind Kind, limit int64) ([]byte, error) {
	_, n, err := readHead(in.in, Allowed{kind: limit})
	if err != nil {
		return nil, err
	}
	payload := make([]byte, n) // the parent is trusted to send what it announces
	if _, err := io.ReadFull(in.in, payload); err != nil {
		return nil, cutFrame(kind, err)
	}
	return payload, nil
}

// Send writes one frame to the parent, its payload in parts.
func (in *Inside) Send(kind Kind, parts ...[]byte) error {
	return WriteFrame(in.out, kind, parts...)
}

// Tighten takes away executable memory and further filters for good, on every
// thread. Call it when all machine code is made. Where the level asks for no
// seccomp it does nothing.
func (in *Inside) Tighten() error {
	if in.level == NoneUnsafe {
		return nil
	}
	return tighten()
}

func (in *Inside) hello(r childReport) error {
	var e Encoder
	e.U32(protocolVersion)
	e.U32(uint32(r.landlockABI)) //nolint:gosec // G115: the ABI is a small number
	e.U32(uint32(len(r.layers))) //nolint:gosec // G115: there are eleven layers
	for _, l := range r.layers {
		e.String(l.Layer)
		e.Bool(l.Held)
		e.String(l.Detail)
	}
	return in.Send(kindHello, e.Payload())
}

const protocolVersion = 1

func (in *Inside) bound() error {
	payload, err := in.Receive(kindBounds, 64)
	if err != nil {
		return err
	}
	d := NewDecoder(payload)
	b := Bounds{MemoryBytes: int64(d.U64()), CPUSeconds: d.U64()} //nolint:gosec // G115: checked by the parent
	if err := d.Close(); err != nil {
		return err
	}
	if err := lower(b, in.idle, in.level); err != nil {
		complain(err)
		return err
	}
	return in.Send(kindBound)
}

// childReport is what a child says of itself.
type childReport struct {
	landlockABI int
	layers      []LayerState
}

func parseHello(payload []byte) (childReport, error) {
	d := NewDecoder(payload)
	if v := d.U32(); v != protocolVersion {
		return childReport{}, &FrameError{fmt.Sprintf("protocol version %d, want %d", v, protocolVersion)}
	}
	r := childReport{landlockABI: int(d.U32())}
	n := d.U32()
	if n > uint32(len(Layers())) { //nolint:gosec // G115: eleven
		return childReport{}, &FrameError{fmt.Sprintf("%d layers", n)}
	}
	for range n {
		r.layers = append(r.layers, LayerState{Layer: d.String(64), Held: d.Bool(), Detail: d.String(512)})
	}
	if err := d.Close(); err != nil {
		return childReport{}, &FrameError{err.Error()}
	}
	return r, nil
}

// Platform names the system a child runs on, as Report.Platform does.
func Platform() string { return runtime.GOOS + "/" + runtime.GOARCH }
