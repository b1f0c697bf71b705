package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/krmsafe/krmsafe/internal/jail"
	"github.com/krmsafe/krmsafe/internal/pace"
)

// role is the name under which children of this package are started.
const role = "policy"

// Frames between Jailed and its child.
const (
	kindBudget  jail.Kind = jail.FirstKind + iota // parent: memory in bytes, most bytes of a request
	kindRequest                                   // parent: a request for Server
	kindAnswer                                    // child: what it answered
)

// IsChild reports whether args, the program's argument list, are those of a
// child that a Jailed started. Main must ask first thing, and TestMain of
// tests that use one:
//
//	if policy.IsChild(os.Args) {
//		os.Exit(policy.Child(os.Args))
//	}
func IsChild(args []string) bool { return jail.IsChild(args, role) }

// Child is the life of such a child: it confines the process, answers requests
// until its parent has no more, and returns the code with which main must exit
// at once.
func Child(args []string) int {
	//nolint:forbidigo // this is the child's main; its deadline is a signal
	return jail.Serve(args, role, func(in *jail.Inside) error { return serve(context.Background(), in) })
}

func serve(ctx context.Context, in *jail.Inside) error {
	payload, err := in.Receive(kindBudget, 16)
	if err != nil {
		return err
	}
	d := jail.NewDecoder(payload)
	memory, most := int64(d.U64()), int64(d.U64()) //nolint:gosec // G115: the parent is trusted
	if err := d.Close(); err != nil {
		return err
	}
	// The kernel's limit is a cliff: the collector must see it coming. Short of it, it may take its time.
	pace.Begin(48*mib, 100)
	debug.SetMemoryLimit(memory / 10 * 9)
	if err := in.Tighten(); err != nil {
		return fmt.Errorf("tightening the jail: %w", err)
	}
	var server Server
	for {
		request, err := in.Receive(kindRequest, most)
		if err != nil {
			return err
		}
		if err := in.Send(kindAnswer, server.Serve(ctx, request)); err != nil {
			return err
		}
	}
}

// JailConfig says how a Jailed confines its child. The zero JailConfig is the
// tightest.
type JailConfig struct {
	// Level is what must hold before the child is used: JailFull, JailPartial
	// or JailNone; JailFull where it is empty.
	Level string
	// MemoryBytes is what evaluation may use beyond what input and policy need;
	// 256 MiB where it is zero.
	MemoryBytes int64
	// Timeout bounds one request, compiling included, for every 4 MiB of it;
	// 20 s where it is zero. The parent kills the child that exceeds it.
	Timeout time.Duration
}

// Jailed is an Evaluator in a confined child of this program. The child lives
// on between requests and is started anew after one that it did not survive.
// See TestBuiltinBombs. A Jailed is safe for concurrent use, one request at a
// time; Close it in the end.
type Jailed struct {
	cfg   JailConfig
	level jail.Level

	mu    sync.Mutex
	child *jail.Child
	most  int64 // bytes of a request that the child has memory for
}

// NewJailed checks the configuration. The child is started by the first
// request.
func NewJailed(cfg JailConfig) (*Jailed, error) {
	if cfg.Level == "" {
		cfg.Level = JailFull
	}
	level, err := jail.ParseLevel(cfg.Level)
	if err != nil {
		return nil, err
	}
	if cfg.MemoryBytes <= 0 {
		cfg.MemoryBytes = 256 * mib
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 20 * time.Second
	}
	return &Jailed{cfg: cfg, level: level}, nil
}

// Factors by which a request grows in the child: JSON becomes Go values and
// then Rego's.
const (
	memoryPerByte = 48
	requestStep   = 4 * mib
)

// Evaluate implements Evaluator.
func (j *Jailed) Evaluate(ctx context.Context, request []byte) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	steps := int64(len(request))/requestStep + 1
	if j.child != nil && j.most < steps*requestStep {
		j.end()
	}
	limited, cancel := context.WithTimeout(ctx, j.cfg.Timeout*time.Duration(steps))
	defer cancel()
	if j.child == nil {
		if err := j.start(limited, steps*requestStep); err != nil {
			return nil, fmt.Errorf("starting the policy's child: %w", err)
		}
	}
	stop := context.AfterFunc(limited, j.child.Kill)
	answer, err := j.exchange(request)
	if stop() && err == nil {
		return answer, nil
	}
	return nil, j.autopsy(ctx, limited, err)
}

// Report says what confines the child, or is false where none lives.
func (j *Jailed) Report() (jail.Report, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.child == nil {
		return jail.Report{}, false
	}
	return j.child.Report(), true
}

// Close ends the child.
func (j *Jailed) Close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.end()
}

func (j *Jailed) end() {
	if j.child != nil {
		j.child.Kill()
		j.child.Wait()
		j.child = nil
	}
}

// cpuSeconds bounds a child that outlives its parent's timer; the parent's
// timeout is the one that counts.
const cpuSeconds = 3600

func (j *Jailed) start(ctx context.Context, most int64) error {
	child, err := jail.Start(ctx, jail.Config{Role: role, Level: j.level})
	if err != nil {
		return err
	}
	j.child, j.most = child, most
	memory := j.cfg.MemoryBytes + memoryPerByte*most
	if err := child.Bound(jail.Bounds{MemoryBytes: memory, CPUSeconds: cpuSeconds}); err != nil {
		j.end()
		return err
	}
	var e jail.Encoder
	e.U64(uint64(memory)) //nolint:gosec // G115: positive
	e.U64(uint64(most))   //nolint:gosec // G115: positive
	if err := child.Send(kindBudget, e.Payload()); err != nil {
		j.end()
		return err
	}
	return nil
}

func (j *Jailed) exchange(request []byte) ([]byte, error) {
	if err := j.child.Send(kindRequest, request); err != nil {
		return nil, err
	}
	_, answer, err := j.child.Receive(jail.Allowed{kindAnswer: MaxResponseBytes})
	return answer, err
}

// autopsy says why a child gave no answer, and gives it up. What this process
// did comes first.
func (j *Jailed) autopsy(caller, limited context.Context, err error) error {
	j.child.Kill()
	exit := j.child.Wait()
	j.child = nil
	switch {
	case caller.Err() != nil:
		return fmt.Errorf("the policy's child was stopped: %w", caller.Err())
	case limited.Err() != nil:
		return ErrTimeout
	case exit.OutOfMemory:
		return ErrMemory
	case exit.Code > 0 || exit.BadSystemCall:
		return fmt.Errorf("%w (exit code %d %s, %q)", ErrCrash, exit.Code, exit.Signal, firstLine(exit.Stderr))
	}
	return errors.Join(ErrCrash, err)
}
