package jail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says which child to start.
type Config struct {
	// Role is the name that the child's main passes to Serve.
	Role string
	// Level is what must hold before the child is used.
	Level Level
	// File is read-only content that the child may map into its memory, by
	// MapCode and MapMemory, and do nothing else with; nil gives it none. Whoever
	// starts the child vouches for the content and keeps it from changing while
	// the child lives. The caller may close its own descriptor once Start has
	// returned. It is for Linux: elsewhere Start refuses it.
	File *os.File
}

// Bounds lower what a child may use, once it is known. Both must be positive.
type Bounds struct {
	// MemoryBytes is the private memory the child may use beyond what it has
	// when idle.
	MemoryBytes int64
	// CPUSeconds is the processor time after which the kernel kills the child,
	// whether or not its parent still lives.
	CPUSeconds uint64
}

// Exit says how a child ended.
type Exit struct {
	// Code is the exit code, or -1 if a signal ended the child.
	Code int
	// Signal is the name of the signal that ended it, or empty.
	Signal string
	// BadSystemCall tells that seccomp ended it.
	BadSystemCall bool
	// OutOfMemory tells that Go's runtime ended it for want of memory.
	OutOfMemory bool
	// Stderr is the start of what it wrote to standard error: the runtime's
	// last words, not a guest's. It may hold anything and must be quoted.
	Stderr string
	// CPU is the processor time it used.
	CPU time.Duration
	// PeakBytes is its largest resident set up to Kill, or 0 where the system
	// does not tell or the child ended before it could be asked.
	PeakBytes int64
}

// Child is a confined process, seen from its parent. Its methods may not be
// called concurrently, save Kill.
type Child struct {
	cmd    *exec.Cmd
	level  Level
	before parentState // of the thread that started it
	report Report
	in     *os.File // its standard input
	out    *os.File // its standard output
	stderr *tail
	done   chan struct{} // closed when the process has been waited for
	kill   sync.Once
	peak   atomic.Int64
}

const (
	stderrMax = 64 << 10
	// startWait is far more than a child needs to come up on a busy machine.
	startWait = 10 * time.Second
)

// ErrNoHook means that the program's main does not call the hook that makes a
// child of it.
var ErrNoHook = errors.New("the child process did not come up as one")

// Start starts a child and returns once it is confined as cfg.Level demands, as
// both the child and the kernel say. A child that is not is killed, and the
// error is an *IncompleteError; a program whose main does not call Serve yields
// ErrNoHook. When ctx ends before that, the child is killed. The child dies when
// this process does; Kill ends it sooner, and must be called in the end.
func Start(ctx context.Context, cfg Config) (*Child, error) { return start(ctx, cfg, required) }

func start(ctx context.Context, cfg Config, demanded func(Level, string) bool) (*Child, error) {
	//nolint:forbidigo // a child that starts children would be a fork bomb: see TestForgottenHookIsAnError
	if len(os.Args) > 0 && os.Args[0] == childName {
		return nil, fmt.Errorf("%w: a child may not start another; main must call the child hook before anything else", ErrNoHook)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("starting a jailed child: %w", context.Cause(ctx))
	}
	if cfg.File != nil && !canMap {
		return nil, errors.New("starting a jailed child: this system cannot hand a file to it")
	}
	c := &Child{level: cfg.Level, stderr: newTail(stderrMax), done: make(chan struct{})}
	var err error
	if c.before, err = c.spawn(cfg); err != nil {
		return nil, fmt.Errorf("starting a jailed child: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	stop := context.AfterFunc(limited, c.Kill)
	defer stop()
	err = c.greet(demanded)
	if err == nil && ctx.Err() != nil {
		err = ctx.Err() // the child was quicker than the kill that is on its way
	}
	if err != nil {
		c.Kill()
		exit := c.Wait()
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("starting a jailed child: %w", context.Cause(ctx))
		case limited.Err() != nil:
			return nil, fmt.Errorf("%w: no answer in %v; main must call the child hook before anything else", ErrNoHook, startWait)
		}
		if last := exit.lastWords(); last != "" {
			return nil, fmt.Errorf("%w (its last words: %q)", err, last)
		}
		return nil, err
	}
	return c, nil
}

// spawn starts the process on a thread of its own that stays until the process
// has ended: PDEATHSIG fires when the thread that started the child goes, not
// when the process does.
func (c *Child) spawn(cfg Config) (parentState, error) {
	type started struct {
		state parentState
		err   error
	}
	ready := make(chan started, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.done)
		var state parentState
		var err error
		if cfg.Level != NoneUnsafe {
			state, err = observeParent()
		}
		if err == nil {
			err = c.exec(cfg)
		}
		ready <- started{state, err}
		if err == nil {
			awaitEnd(c.cmd.Process.Pid)
			_ = c.cmd.Wait()
		}
	}()
	s := <-ready
	return s.state, s.err
}

// exec makes the pipes and starts the process.
func (c *Child) exec(cfg Config) error {
	path, err := selfExecutable()
	if err != nil {
		return err
	}
	var files [6]*os.File
	for i := range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(files[:])
			return err
		}
		files[2*i], files[2*i+1] = r, w
	}
	c.cmd = &exec.Cmd{
		Path: path, Args: []string{childName, cfg.Role, cfg.Level.String()}, Env: childEnv(cfg), Dir: rootDir,
		Stdin: files[0], Stdout: files[3], Stderr: files[5], SysProcAttr: childAttr(),
	}
	if cfg.File != nil {
		c.cmd.Args = append(c.cmd.Args, fileArg)
		c.cmd.ExtraFiles = []*os.File{cfg.File} // becomes descriptor fileFD
	}
	if err := c.cmd.Start(); err != nil {
		closeAll(files[:])
		return err
	}
	closeAll([]*os.File{files[0], files[3], files[5]})
	c.in, c.out = files[1], files[2]
	go c.stderr.drain(files[4])
	return nil
}

// processors is how many threads of the child run Go at once. One that maps what it
// runs has nothing to do beside running it; what else is compiled or collected may
// have a second. Each costs threads, all of which are confined and looked at.
func processors(cfg Config) string {
	if cfg.File != nil {
		return "GOMAXPROCS=1"
	}
	return "GOMAXPROCS=2"
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

// greet reads the child's report and checks it against the kernel's.
func (c *Child) greet(demanded func(Level, string) bool) error {
	_, payload, err := ReadFrame(c.out, Allowed{kindHello: helloMax})
	if err != nil {
		return fmt.Errorf("%w: %w; main must call the child hook before anything else", ErrNoHook, err)
	}
	said, err := parseHello(payload)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoHook, err)
	}
	c.report = judge(c.level, said, c.cmd.Process.Pid, c.before)
	var missing []LayerState
	for _, l := range c.report.Layers {
		if !l.Held && demanded(c.level, l.Layer) {
			missing = append(missing, l)
		}
	}
	if missing != nil {
		return &IncompleteError{Level: c.level, Missing: missing}
	}
	return nil
}

// judge joins what the child says with what the kernel says: a layer holds if
// neither denies it.
func judge(level Level, said childReport, pid int, before parentState) Report {
	r := Report{Level: level.String(), Platform: Platform(), LandlockABI: said.landlockABI}
	kernel := map[string]string{}
	if level != NoneUnsafe {
		kernel = inspectProcess(pid, before)
	}
	for _, layer := range Layers() {
		state := LayerState{Layer: layer, Detail: "not reported by the child"}
		for _, l := range said.layers {
			if l.Layer == layer {
				state = l
			}
		}
		if denial, denied := kernel[layer]; denied {
			if state.Held {
				state.Detail = denial
			}
			state.Held = false
		}
		r.Layers = append(r.Layers, state)
	}
	return r
}

// Report says what confines the child.
func (c *Child) Report() Report { return c.report }

// Bound lowers the child's resources and checks, where the kernel tells, that
// they are lowered. It must be called once, before the first Send.
func (c *Child) Bound(b Bounds) error {
	if b.MemoryBytes <= 0 || b.CPUSeconds == 0 {
		return fmt.Errorf("bounding a jailed child: memory of %d bytes and %d s of processor time are no bounds", b.MemoryBytes, b.CPUSeconds)
	}
	var e Encoder
	e.U64(uint64(b.MemoryBytes))
	e.U64(b.CPUSeconds)
	if err := WriteFrame(c.in, kindBounds, e.Payload()); err != nil {
		return fmt.Errorf("bounding a jailed child: %w", err)
	}
	if _, _, err := ReadFrame(c.out, Allowed{kindBound: 0}); err != nil {
		return fmt.Errorf("bounding a jailed child: %w", err)
	}
	if c.level == NoneUnsafe {
		return nil // what little there is was set by the child, if the system has it
	}
	return verifyBounds(c.cmd.Process.Pid, b)
}

// Tightened checks with the kernel that the child's Tighten has taken effect, on
// every thread, and that all else still holds. Call it when the child has said
// that it did, and before it is told to go on.
func (c *Child) Tightened() error {
	if c.level == NoneUnsafe {
		return nil
	}
	var missing []LayerState
	denials := inspectProcess(c.cmd.Process.Pid, c.before.tightened())
	for _, layer := range Layers() {
		if denial, ok := denials[layer]; ok {
			missing = append(missing, LayerState{Layer: layer, Detail: denial})
		}
	}
	if missing != nil {
		return &IncompleteError{Level: c.level, Missing: missing}
	}
	return nil
}

// Send writes one frame to the child, its payload in parts.
func (c *Child) Send(kind Kind, parts ...[]byte) error { return WriteFrame(c.in, kind, parts...) }

// Receive reads the child's next frame, of one of the allowed kinds. Everything
// in it is as foreign as what the child was given.
func (c *Child) Receive(allowed Allowed) (Kind, []byte, error) { return ReadFrame(c.out, allowed) }

// Kill ends the child at once. It may be called at any time, more than once and
// concurrently with the other methods, which then return errors.
func (c *Child) Kill() {
	c.kill.Do(func() {
		c.peak.Store(peakBytes(c.cmd.Process.Pid))
		if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			// Start has refused it for that. It has got nothing and ends at the
			// end of its input.
			closeAll([]*os.File{c.in, c.out})
		}
	})
}

// Wait waits for the child's end and gives up its pipes. A child that is not
// about to end must be killed first.
func (c *Child) Wait() Exit {
	<-c.done
	closeAll([]*os.File{c.in, c.out})
	state := c.cmd.ProcessState
	exit := Exit{Code: -1, Stderr: c.stderr.String()}
	if state == nil {
		return exit
	}
	exit.Code = state.ExitCode()
	exit.CPU = state.UserTime() + state.SystemTime()
	exit.PeakBytes = c.peak.Load()
	exit.Signal, exit.BadSystemCall = endSignal(state)
	exit.OutOfMemory = exit.Code != 0 && ranOutOfMemory(exit.Stderr)
	return exit
}

// ranOutOfMemory recognises how the runtimes of Go, C and the race detector say so.
func ranOutOfMemory(stderr string) bool {
	for _, s := range []string{"out of memory", "cannot allocate memory", "failed to reserve", "failed to create new OS thread", "pthread_create failed", "failed to allocate", "address space collisions", "errno=12"} {
		if strings.Contains(stderr, s) {
			return true
		}
	}
	return false
}

func (e Exit) lastWords() string {
	line, _, _ := strings.Cut(strings.TrimSpace(e.Stderr), "\n")
	return line[:min(len(line), 200)]
}

// tail keeps the start of a stream and swallows the rest, so that its writer
// never blocks.
type tail struct {
	limit int
	buf   []byte
	done  chan struct{}
}

func newTail(limit int) *tail { return &tail{limit: limit, done: make(chan struct{})} }

func (t *tail) drain(f *os.File) {
	defer close(t.done)
	defer f.Close() //nolint:errcheck // it was only read from
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		if room := t.limit - len(t.buf); room > 0 {
			t.buf = append(t.buf, buf[:min(n, room)]...)
		}
		if err != nil {
			return
		}
	}
}

// String waits for the stream's end, which comes with the child's.
func (t *tail) String() string {
	<-t.done
	return string(t.buf)
}
