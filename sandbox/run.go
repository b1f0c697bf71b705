package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/krmsafe/krmsafe/internal/jail"
	"github.com/krmsafe/krmsafe/internal/sealed"
)

// Job is one run with all that may differ from run to run. The zero Engine and
// Grants are what they are everywhere: automatic and none.
type Job struct {
	Module *Module
	Stdin  []byte
	Limits Limits
	Engine Engine
	Grants Grants
	// LocalCode takes no code from the Cache that was made elsewhere.
	LocalCode bool
	// Voucher names those who are believed to have compiled the module elsewhere, as
	// the caller named them to ImportCode. Code that anybody else vouched for is not
	// taken; empty is nobody.
	Voucher string
}

// Run runs a module on stdin with the engine and grants of the Config. The
// result says how it ended; an error means that it could not be judged: the
// limits are incomplete (*LimitsError), no child could be confined (*JailError),
// or ctx ended. It may be called concurrently.
func (s *Sandbox) Run(ctx context.Context, m *Module, stdin []byte, limits Limits) (*Result, error) {
	return s.Do(ctx, Job{Module: m, Stdin: stdin, Limits: limits, Engine: s.cfg.Engine, Grants: s.cfg.Grants})
}

// Do is Run with the engine and grants of the job in place of the Config's.
func (s *Sandbox) Do(ctx context.Context, work Job) (*Result, error) {
	if work.Engine == "" {
		work.Engine = EngineAuto
	}
	if err := errors.Join(work.Engine.check(), work.Limits.check()); err != nil {
		return nil, err
	}
	if work.Module == nil {
		return nil, errors.New("sandbox: no module")
	}
	if stop := refuse(work); stop != nil {
		return &Result{Stop: stop, Engine: work.Engine.choose(work.Module, len(work.Stdin)), Notes: s.Notes()}, nil
	}
	limited, cancel := context.WithTimeoutCause(ctx, work.Limits.Timeout, errTimeout)
	defer cancel()
	started := timeLeft(limited)
	p := s.plan(limited, work)
	defer p.close()
	result, err := s.attempt(ctx, limited, work, p)
	if err == nil && p.doubted != "" && limited.Err() == nil {
		if p.way == wayMapped {
			s.cfg.Cache.discard(codeID{work.Module.digest, p.voucher})
			p.notes = append(p.notes, *discarded(p.doubted))
		}
		p.close()
		p.simple(work)
		result, err = s.attempt(ctx, limited, work, p)
	}
	if err == nil && p.impatient(result) && limited.Err() == nil {
		spent := result.Usage.CPU
		p.compile(s, work)
		if result, err = s.attempt(ctx, limited, work, p); err == nil {
			result.Usage.CPU += spent
		}
	}
	if err != nil {
		return nil, err
	}
	result.Usage.Wall = started - timeLeft(limited)
	result.Notes = p.notes
	return result, nil
}

// attempt runs the module once, in the way that p says.
func (s *Sandbox) attempt(ctx, limited context.Context, work Job, p *plan) (*Result, error) {
	child, err := s.take(limited, bounds(work, p), p)
	if err != nil {
		return s.unstarted(ctx, limited, work, p.engine, err)
	}
	r := &run{work: work, plan: p, engine: p.engine, child: child}
	stop := context.AfterFunc(limited, child.Kill)
	o, err := r.talk(limited)
	stop()
	child.Kill()
	exit := child.Wait()
	result := r.conclude(limited, o, err, exit)
	if err := ctx.Err(); err != nil && (result.Stop == nil || result.Stop.Code == CodeLimitTime) {
		return nil, fmt.Errorf("sandbox: running the module: %w", context.Cause(ctx))
	}
	if p.way == wayMapped {
		result.Cached = true
		switch {
		case !p.entry.Held():
			p.doubted = "somebody asked to write to it while it was in use"
		case !r.compiled && result.Stop != nil:
			p.doubted = "the engine did not take it: " + result.Stop.Message
		}
	}
	if p.extra && !r.compiled && result.Stop != nil {
		p.doubted = "it could not be compiled: " + result.Stop.Message // so it is interpreted
	}
	if r.kept != nil {
		if note := s.cfg.Cache.saveCode(codeID{work.Module.digest, ""}, *r.kept); note != nil {
			p.notes = append(p.notes, *note)
		}
	}
	return result, nil
}

// unstarted says why no child came up: the time limit counts from the start, so
// that it may be the reason too.
func (s *Sandbox) unstarted(ctx, limited context.Context, work Job, engine Engine, err error) (*Result, error) {
	if ctx.Err() == nil && errors.Is(context.Cause(limited), errTimeout) {
		return &Result{Stop: newStop(CodeLimitTime, work.Limits, ""), Engine: engine}, nil
	}
	return nil, err
}

var errTimeout = errors.New("the time limit ended")

// timeLeft is the time to ctx's end; the difference of two is what passed
// between them.
func timeLeft(ctx context.Context) time.Duration {
	end, _ := ctx.Deadline()
	return time.Until(end)
}

// refuse finds what can be told without a child.
func refuse(work Job) *Stop {
	m, l := work.Module, work.Limits
	if i := m.known.Foreign; i != nil {
		return stopImport(*i)
	}
	if m.known.Facts.EntryPoint == "" {
		return newStop(CodeModuleEntry, l, "")
	}
	if int64(len(work.Stdin)) > maxInputBytes {
		return newStop(CodeLimitInput, l, "")
	}
	if least := m.known.Facts.Memory.MinPages; least > memoryPages(l) {
		return newStop(CodeLimitMemory, l, fmt.Sprintf("it starts with %d", least))
	}
	var elements uint64
	for _, t := range m.known.Facts.Tables {
		elements += uint64(t.MinElements)
	}
	if elements > uint64(l.TableElements) {
		return newStop(CodeLimitTable, l, fmt.Sprintf("it starts with %d", elements))
	}
	return nil
}

// run is the parent's side of one run.
type run struct {
	work     Job
	plan     *plan
	engine   Engine
	kept     *sealed.Content // compiled code to keep
	child    *jail.Child
	compiled bool // the child has said so
	slow     bool // it was killed for not saying so in time
	stderr   []byte
}

// Memory that the child needs whatever the module: mostly the engine's stack,
// which it doubles up to 100 MB and copies.
const childSlack = 256 << 20

// tableEntryBytes is what the engine holds for a table's entry, twice while the
// table grows.
const tableEntryBytes = 2 * 8

// bounds adds up what the child may use.
func bounds(work Job, p *plan) jail.Bounds {
	l := work.Limits
	memory := int64(memoryPages(l))*65536 + hostBytes(l, work.Module.Size(), len(work.Stdin))
	if p.way == wayKeep {
		memory += codeBound(work.Module) // a copy of the code
	}
	if p.way == wayInterpreter && p.patience > 0 {
		return jail.Bounds{MemoryBytes: memory, CPUSeconds: uint64(p.patience / time.Second)}
	}
	return jail.Bounds{MemoryBytes: memory, CPUSeconds: 2*uint64(l.Timeout/time.Second) + 2} //nolint:gosec // G115: positive
}

// hostBytes is what the child may use beside the guest's linear memory.
func hostBytes(l Limits, module, stdin int) int64 {
	return tableEntryBytes*int64(l.TableElements) + l.CompileBytes + l.OutputBytes + l.StderrBytes + 4*chunkBytes +
		int64(stdin) + 3*int64(module) + childSlack
}

// talk sends the job and reads the answer.
func (r *run) talk(ctx context.Context) (outcome, error) {
	j := job{way: r.plan.way, grants: r.work.Grants, goGuest: r.work.Module.builtByGo(), limits: r.work.Limits}
	module := r.work.Module.bytes
	switch j.way {
	case wayKeep:
		j.codeBytes = codeBound(r.work.Module)
	case wayMapped:
		j.codeOffset, j.codeBytes, module = r.plan.entry.BulkOffset, r.plan.entry.BulkBytes, r.plan.entry.Head
		defer r.watch()()
	}
	if err := r.child.Send(kindJob, j.encode()); err != nil {
		return outcome{}, err
	}
	compileCtx, cancel := context.WithTimeoutCause(ctx, r.work.Limits.CompileTimeout, errTimeout)
	defer cancel()
	stop := context.AfterFunc(compileCtx, r.child.Kill)
	defer func() {
		stop()
		r.slow = !r.compiled && compileCtx.Err() != nil
	}()
	if err := r.child.Send(kindModule, module); err != nil {
		return outcome{}, err
	}
	if err := r.child.Send(kindInput, r.work.Stdin); err != nil {
		return outcome{}, err
	}
	kind, payload, err := r.built(j)
	if err != nil {
		return outcome{}, err
	}
	if kind == kindCompiled {
		if !stop() {
			return outcome{}, errTimeout
		}
		r.compiled = true
		if err := r.child.Tightened(); err != nil {
			return outcome{}, err
		}
		if err := r.child.Send(kindGo); err != nil {
			return outcome{}, err
		}
		if payload, err = r.listen(); err != nil {
			return outcome{}, err
		}
	}
	return decodeOutcome(payload, r.work.Limits)
}

// built waits until the child can run the module, and takes the code that it hands
// up before that.
func (r *run) built(j job) (jail.Kind, []byte, error) {
	end := jail.Allowed{kindCompiled: 0, kindResult: outcomeBytes(r.work.Limits)}
	if j.way != wayKeep {
		return r.child.Receive(end)
	}
	kind, payload, err := r.child.Receive(jail.Allowed{kindCode: codeFrameBytes(j.codeBytes), kindResult: outcomeBytes(r.work.Limits)})
	if err != nil || kind != kindCode {
		return kind, payload, err
	}
	if r.kept, err = decodeCode(payload); err != nil {
		return 0, nil, err
	}
	return r.child.Receive(end)
}

// watch ends the child if somebody asks to write to what it has mapped: the kernel
// makes them wait for longer than watchEvery. The caller ends the watch.
func (r *run) watch() (end func()) {
	done := make(chan struct{})
	ticker := time.NewTicker(watchEvery)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if !r.plan.entry.Held() {
					r.child.Kill()
				}
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
	}
}

// watchEvery is far below what the kernel lets a writer wait, /proc/sys/fs/lease-break-time.
const watchEvery = time.Second

// listen takes what the module writes to standard error until the result comes.
func (r *run) listen() ([]byte, error) {
	l := r.work.Limits
	for {
		kind, payload, err := r.child.Receive(jail.Allowed{
			kindStderr: l.StderrBytes - int64(len(r.stderr)), kindResult: outcomeBytes(l),
		})
		if err != nil || kind == kindResult {
			return payload, err
		}
		if len(payload) == 0 {
			return nil, &jail.FrameError{Message: "a frame of standard error without bytes"}
		}
		r.stderr = append(r.stderr, payload...)
	}
}

// conclude makes the result of what the child said, or of how it ended.
func (r *run) conclude(ctx context.Context, o outcome, err error, exit jail.Exit) *Result {
	l := r.work.Limits
	result := &Result{
		Engine: r.engine, Jail: r.child.Report(), Stderr: r.stderr,
		Usage: Usage{MemoryPages: o.pages, Fuel: o.fuel, CPU: exit.CPU, PeakBytes: exit.PeakBytes},
	}
	if err == nil {
		result.Stdout, result.ExitCode = o.stdout[0], o.exitCode
		switch o.code {
		case "":
		case CodeGuestExit:
			result.Stop = newStop(o.code, l, fmt.Sprintf("%d", o.exitCode))
		case CodeGuestTrap, CodeModuleEngine:
			result.Stop = newStop(o.code, l, fmt.Sprintf("%q", o.detail))
		default:
			result.Stop = newStop(o.code, l, "")
		}
		if result.Stop != nil && o.code != CodeGuestExit {
			result.Stdout = nil
		}
		return result
	}
	result.Stop = r.autopsy(ctx, err, exit)
	return result
}

// autopsy says why a child ended without an answer. What the parent did comes
// first, what the kernel did next; the child's own words decide nothing but
// which limit ran out.
func (r *run) autopsy(ctx context.Context, err error, exit jail.Exit) *Stop {
	l := r.work.Limits
	var protocol *jail.FrameError
	var loose *jail.IncompleteError
	switch {
	case ctx.Err() != nil:
		return newStop(CodeLimitTime, l, "")
	case r.slow:
		return newStop(CodeLimitCompile, l, l.CompileTimeout.String())
	case exit.BadSystemCall:
		return newStop(CodeJailViolation, l, "")
	case exit.OutOfMemory && r.compiled:
		return newStop(CodeLimitMemory, l, hostMemory)
	case exit.OutOfMemory:
		return newStop(CodeLimitCompile, l, fmt.Sprintf("%d bytes of memory", l.CompileBytes))
	case errors.As(err, &loose):
		return newStop(CodeJailViolation, l, fmt.Sprintf("%q", err.Error()))
	case errors.As(err, &protocol):
		return newStop(CodeGuestCrash, l, fmt.Sprintf("%q", err.Error()))
	case exit.Signal == "SIGKILL" && (exit.CPU >= l.Timeout || r.plan.patience > 0 && exit.CPU >= r.plan.patience*3/4): // the kernel counts in ticks
		return newStop(CodeLimitCPU, l, "")
	}
	last := firstLine(exit.Stderr)
	if last == "" {
		last = err.Error()
	}
	return newStop(CodeGuestCrash, l, fmt.Sprintf("exit code %d %s: %q", exit.Code, exit.Signal, last))
}
