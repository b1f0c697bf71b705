// Package sandbox looks into a WebAssembly module and runs it under limits, in
// a child process that has nothing: no file, no network, no environment, no
// clock but a fixed one, and a bound on everything it can use up.
//
// It knows modules (WASI preview 1 commands), the wazero engine, fuel and the
// jailed child. It does not know Kubernetes, registries, signatures or policy:
// it takes bytes and limits, and gives bytes and what they cost.
//
// # The hook
//
// The child is the same executable started again, so the program's main must
// become the child when it is asked to, before it does anything else:
//
//	func main() {
//		if sandbox.IsChild(os.Args) {
//			os.Exit(sandbox.Child(os.Args))
//		}
//		…
//	}
//
// A test binary does the same in TestMain. Without it, New works and every run
// gives an error that says so.
//
// # What is promised
//
// Whatever the module's bytes are and whatever the module does, Run returns
// within its time limit and about a second, this process keeps running, and the
// child has used no more memory than the limits add up to. Nothing leaves the
// module but the bytes in Result. The same module on the same input under the
// same limits gives the same output and burns the same fuel, on every machine
// and both engines, unless a grant lets the world in or it looks at the bits of a
// NaN, which WebAssembly leaves to the machine. No byte of the module is decoded
// by the engine outside the child.
//
// The module's world is a constant: the argument "krm-function", the variables
// LOG_TO_STDERR and STRUCTURED_RESULTS (both "true"), for modules made by Go also
// GOGC=off and a GOMEMLIMIT of three quarters of the memory limit, an empty
// read-only root folder, a clock that starts at 2022-01-01 and advances by a
// millisecond with each reading, random numbers that are always the same, and
// sleep that takes no time.
//
// # What is not protected
//
// What the module writes to its standard output is as foreign as the module:
// parse it as such. Side channels of the processor between the child and others
// on the same machine are open, as far as the fixed clock leaves them useful.
// The kernel is trusted. On systems without the kernel's help (see
// JailPartialUnsafe) a flaw in the engine is a flaw in the sandbox.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/krmsafe/krmsafe/internal/hashed"
	"github.com/krmsafe/krmsafe/internal/jail"
	"github.com/krmsafe/krmsafe/internal/sealed"
)

// Engine says how wazero executes a module. The zero Engine is EngineAuto.
type Engine string

// The engines. Neither is ever replaced by the other silently: Result.Engine
// says which one ran.
const (
	// EngineAuto chooses by the expected cost, from the module's code size and
	// the input's size: compiling a large module takes longer than interpreting
	// it on a small input. Where the interpreter has taken as much processor time
	// as compiling would, and the limits leave time, the run is begun anew with
	// machine code: it costs twice the better choice at most.
	EngineAuto Engine = "auto"
	// EngineCompiler makes machine code of the whole module first.
	EngineCompiler Engine = "compiler"
	// EngineInterpreter makes no machine code at all.
	EngineInterpreter Engine = "interpreter"
)

// Jail says how much confinement must hold before a child gets a byte of the
// module. The zero Jail is JailFull.
type Jail string

// Levels of confinement. What less than full leaves out is listed in
// Result.Jail.
const (
	// JailFull demands every layer, which Linux 6.12 and later have on amd64 and arm64.
	JailFull Jail = "full"
	// JailPartialUnsafe demands what this system has: on Linux every layer but
	// Landlock, elsewhere only a separate process.
	JailPartialUnsafe Jail = "partial"
	// JailNoneUnsafe demands a separate process only.
	JailNoneUnsafe Jail = "none"
)

// Grants are what a module gets of the world beyond its input. The zero Grants
// give nothing, and runs repeat exactly.
type Grants struct {
	// Clock gives the machine's clocks, in place of one that starts at a fixed
	// date and moves by a millisecond with each reading.
	Clock bool
	// Random gives the kernel's random numbers, in place of fixed ones.
	Random bool
	// StdioPaths makes /dev/stdin, /dev/stdout and /dev/stderr openable, for
	// modules that name them. They are the module's own streams.
	StdioPaths bool
}

// Config chooses what every run of a Sandbox has in common. The zero Config is
// the strictest.
type Config struct {
	Engine Engine
	Jail   Jail
	Grants Grants
	// Cache keeps compiled code between runs; nil keeps none. It stays the
	// caller's to close, after the Sandbox.
	Cache *Cache
}

// Sandbox runs modules, each in a child process of its own. It may be used
// concurrently.
type Sandbox struct {
	cfg   Config
	level jail.Level

	mu     sync.Mutex
	ready  *ahead // started by Prepare or Expect
	closed bool
	notes  []Note // of Inspect, Expect and CodeOrigin: see Notes
}

// ahead is a child that waits for its run.
type ahead struct {
	child *jail.Child
	entry *sealed.Entry // that the child was given; nil for a child that suits any run
	code  codeID        // what the entry is
}

func (a *ahead) end() {
	a.child.Kill()
	a.child.Wait()
	_ = a.entry.Close()
}

// New checks cfg. It starts nothing.
func New(cfg Config) (*Sandbox, error) {
	if cfg.Engine == "" {
		cfg.Engine = EngineAuto
	}
	if err := cfg.Engine.check(); err != nil {
		return nil, err
	}
	if cfg.Jail == "" {
		cfg.Jail = JailFull
	}
	level, err := jail.ParseLevel(string(cfg.Jail))
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return &Sandbox{cfg: cfg, level: level}, nil
}

func (e Engine) check() error {
	switch e {
	case EngineAuto, EngineCompiler, EngineInterpreter:
		return nil
	}
	return fmt.Errorf("sandbox: unknown engine %q: want auto, compiler or interpreter", string(e))
}

// JailReport says what confines a child.
type JailReport = jail.Report

// JailError says that no child could be confined as Config.Jail demands. Nothing
// of the module was sent to it.
type JailError struct {
	// Code is "jail.incomplete" where a layer does not hold, "jail.hook" where
	// main does not call Child, "jail.start" for the rest.
	Code    string
	Missing []string // layers that do not hold
	Message string
	Hint    string
}

// Error gives the message.
func (e *JailError) Error() string { return e.Message }

// Prepare starts and confines a child ahead of the next run, so that its start
// overlaps with whatever the caller does meanwhile, and says what confines it.
// At most one child waits; a second call reports on the same one. Close ends it
// if no run has taken it.
func (s *Sandbox) Prepare(ctx context.Context) (JailReport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return JailReport{}, errClosed
	}
	if s.ready == nil {
		child, err := s.start(ctx, nil)
		if err != nil {
			return JailReport{}, err
		}
		s.ready = &ahead{child: child}
	}
	return s.ready.child.Report(), nil
}

// Ahead is Prepare where any child suits the next run. With a Cache that is only
// known once the module is: see Expect.
func (s *Sandbox) Ahead(ctx context.Context) {
	if s.cfg.Cache == nil {
		_, _ = s.Prepare(ctx)
	}
}

// Expect starts a child ahead for a run of m, with its compiled code where the Cache
// holds it; voucher is the run's Job.Voucher. What goes wrong is told by the run.
func (s *Sandbox) Expect(ctx context.Context, m *Module, voucher string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || m == nil || s.ready != nil && (s.ready.entry != nil || s.cfg.Cache == nil) {
		return
	}
	var p plan
	if s.cfg.Cache != nil && s.cfg.Engine != EngineInterpreter {
		s.find(m.digest, believe(voucher), &p)
		s.keep(p.notes...)
	}
	if p.entry == nil && s.ready != nil {
		return
	}
	child, err := s.start(ctx, p.entry)
	if err != nil {
		_ = p.entry.Close()
		return
	}
	if s.ready != nil {
		s.ready.end()
	}
	s.ready = &ahead{child: child, entry: p.entry, code: codeID{m.digest, p.voucher}}
}

// claim gives a plan the child that waits for this module with its code, and what
// there is to tell of looking for it.
func (s *Sandbox) claim(digest string, p *plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.ready; r != nil && r.entry != nil && r.code.module == digest {
		p.child, p.entry, p.voucher, s.ready = r.child, r.entry, r.code.voucher, nil
	}
	p.notes, s.notes = append(p.notes, s.notes...), nil
}

// Notes gives what there is to tell of looking for compiled code ahead of a run, once.
// A run tells it in its Result; Notes is for callers that run nothing after all.
func (s *Sandbox) Notes() []Note {
	s.mu.Lock()
	defer s.mu.Unlock()
	notes := s.notes
	s.notes = nil
	return notes
}

// keep keeps notes for the next run to tell, each once; s.mu is held.
func (s *Sandbox) keep(notes ...Note) {
	for _, n := range notes {
		if !slices.Contains(s.notes, n) {
			s.notes = append(s.notes, n)
		}
	}
}

// Inspect is the package's Inspect for a module that is to be run here: where the
// Cache knows it, it is not decoded again.
func (s *Sandbox) Inspect(module []byte) (*Module, error) { return s.InspectHashed(hashed.Of(module)) }

// InspectHashed is Inspect for a module that krmsafe hashed when it read it, and
// for which it has the proof.
func (s *Sandbox) InspectHashed(module hashed.Bytes) (*Module, error) {
	if s.cfg.Cache == nil {
		return inspect(module)
	}
	m, note, err := s.cfg.Cache.inspect(module)
	if note != nil {
		s.mu.Lock()
		s.keep(*note)
		s.mu.Unlock()
	}
	return m, err
}

var errClosed = errors.New("sandbox: closed")

// Close ends a child that waits. Runs under way are left alone, new ones fail.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.ready != nil {
		s.ready.end()
		s.ready = nil
	}
	return nil
}

// take gives the waiting child or a new one, under bounds. One that waited and
// has ended meanwhile is replaced: it has not seen the module.
func (s *Sandbox) take(ctx context.Context, b jail.Bounds, p *plan) (*jail.Child, error) {
	s.mu.Lock()
	child, closed := p.child, s.closed
	if p.child = nil; child == nil && p.entry == nil && s.ready != nil && s.ready.entry == nil {
		child, s.ready = s.ready.child, nil
	}
	s.mu.Unlock()
	if closed {
		if child != nil {
			(&ahead{child: child}).end()
		}
		return nil, errClosed
	}
	if child != nil {
		if bind(ctx, child, b) == nil {
			return child, nil
		}
	}
	child, err := s.start(ctx, p.entry)
	if err != nil {
		return nil, err
	}
	if err := bind(ctx, child, b); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("sandbox: %w", context.Cause(ctx))
		}
		return nil, &JailError{Code: CodeJailStart, Message: "sandbox: " + err.Error(), Hint: hintJail}
	}
	return child, nil
}

// bind bounds a child, or ends it.
func bind(ctx context.Context, child *jail.Child, b jail.Bounds) error {
	stop := context.AfterFunc(ctx, child.Kill)
	defer stop()
	err := child.Bound(b)
	if err != nil {
		child.Kill()
		child.Wait()
	}
	return err
}

// start starts a child, with an entry's file where there is one to map.
func (s *Sandbox) start(ctx context.Context, entry *sealed.Entry) (*jail.Child, error) {
	cfg := jail.Config{Role: role, Level: s.level}
	if entry != nil {
		cfg.File = entry.File
	}
	child, err := jail.Start(ctx, cfg)
	if err == nil {
		return child, nil
	}
	var incomplete *jail.IncompleteError
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("sandbox: %w", err)
	case errors.As(err, &incomplete):
		e := &JailError{Code: CodeJailIncomplete, Message: "sandbox: " + err.Error(), Hint: hintJail}
		for _, l := range incomplete.Missing {
			e.Missing = append(e.Missing, l.Layer)
		}
		return nil, e
	case errors.Is(err, jail.ErrNoHook):
		return nil, &JailError{Code: CodeJailHook, Message: "sandbox: " + err.Error(), Hint: hintHook}
	}
	return nil, &JailError{Code: CodeJailStart, Message: "sandbox: " + err.Error(), Hint: hintJail}
}

// Codes of a JailError, and the remedies.
const (
	CodeJailIncomplete = "jail.incomplete"
	CodeJailHook       = "jail.hook"
	CodeJailStart      = "jail.start"

	hintJail = "run on Linux 6.12 or later with /proc mounted, or accept less with --require-jail partial (Config.Jail: sandbox.JailPartialUnsafe)"
	hintHook = "begin main, or TestMain, with: if sandbox.IsChild(os.Args) { os.Exit(sandbox.Child(os.Args)) }"
)

// Harden protects the calling process, the parent: no core dump, and on Linux no
// tracing and no reading of its memory by other processes of the same user, and no
// descriptor that it was started with goes on to a child where the kernel can keep
// it. A program that holds credentials calls it once, early.
func Harden() error { return jail.Harden() }
