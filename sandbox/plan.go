package sandbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/krmsafe/krmsafe/internal/jail"
	"github.com/krmsafe/krmsafe/internal/sealed"
)

// plan is how one run comes to something that can be executed.
type plan struct {
	engine  Engine
	way     way
	entry   *sealed.Entry // of wayMapped
	voucher string        // of the entry; empty for what was made here
	child   *jail.Child   // started ahead for this very plan, or nil
	notes   []Note
	doubted string // why the entry is not to be believed after all
	extra   bool   // compiled for later runs: this one could do without

	// patience is the processor time after which the interpreter is given up for
	// machine code; 0 where it has all the time that the limits leave.
	patience time.Duration
}

// close gives up what the plan holds.
func (p *plan) close() {
	_ = p.entry.Close()
	p.entry = nil
}

// drop gives up an entry and the child that was started with it.
func (p *plan) drop() {
	if p.child != nil {
		(&ahead{child: p.child}).end()
		p.child = nil
	}
	p.close()
}

// plan settles how a run is made: from the cache where it holds the module's code,
// and otherwise as the engine's choice and the cache's Fill say.
func (s *Sandbox) plan(ctx context.Context, work Job) *plan {
	p := &plan{}
	c := s.cfg.Cache
	if c == nil || work.Engine == EngineInterpreter {
		p.notes = s.Notes()
		p.cold(s, work)
		return p
	}
	believed := believe(work.Voucher)
	if work.LocalCode {
		believed = believed[:1]
	}
	s.claim(work.Module.digest, p)
	if p.entry != nil && !slices.Contains(believed, p.voucher) {
		p.drop()
	}
	if p.entry == nil {
		s.find(work.Module.digest, believed, p)
	}
	if p.entry == nil {
		p.cold(s, work)
		return p
	}
	if ctx.Err() == nil {
		_ = c.again(work.Module)
	}
	p.engine, p.way = EngineCompiler, wayMapped
	return p
}

// find looks in the cache for the module's code that one of those believed vouched
// for, the first one first.
func (s *Sandbox) find(digest string, believed []string, p *plan) {
	for _, voucher := range believed {
		entry, note := s.cfg.Cache.loadCode(codeID{digest, voucher})
		if note != nil && !slices.Contains(p.notes, *note) {
			p.notes = append(p.notes, *note)
		}
		if entry != nil {
			p.entry, p.voucher = entry, voucher
			return
		}
	}
}

// cold plans a run without code from the cache.
func (p *plan) cold(s *Sandbox, work Job) {
	c := s.cfg.Cache
	p.simple(work)
	if c == nil || work.Engine == EngineInterpreter {
		return
	}
	again := c.again(work.Module)
	if c.fill == FillNever {
		return
	}
	unkept := c.unkept(work.Module)
	switch {
	case unkept != nil:
	case p.engine == EngineCompiler:
		p.way = wayKeep
	case c.fill == FillSeen && !again:
	case leisure(work):
		p.engine, p.way, p.extra = EngineCompiler, wayKeep, true
	default:
		unkept = hurried(work)
	}
	if unkept != nil && c.fill == FillAlways { // whoever did not ask for it is not told at each run
		p.notes = append(p.notes, *unkept)
	}
}

// compileTime is what a megabyte of code takes to compile at most, on a machine that
// is not busy.
const compileTime = time.Second

// compileNeeds is how long compiling a module takes at most.
func compileNeeds(m *Module) time.Duration {
	return time.Duration(m.known.Facts.CodeBytes) * compileTime / (1 << 20)
}

// leisure reports whether the limits leave time to compile and run what could be
// interpreted, and to interpret it after all.
func leisure(work Job) bool {
	needed := compileNeeds(work.Module)
	return 2*needed <= work.Limits.CompileTimeout && 3*needed <= work.Limits.Timeout
}

// hurried says that there is no leisure, and what helps.
func hurried(work Job) *Note {
	whole := func(d time.Duration) time.Duration { return (d + time.Second - 1).Truncate(time.Second) }
	needed := compileNeeds(work.Module)
	return &Note{
		Code: CodeCacheUnkept,
		Message: fmt.Sprintf("compiled code was not made: it may take %v, and the policy's limits of %v for compiling and %v for all leave too little time to run the module as well",
			whole(needed), work.Limits.CompileTimeout, work.Limits.Timeout),
		Hint: fmt.Sprintf("run the function once under a policy with a limits.compileTimeout of %v and a limits.timeout of %v: its code then serves runs under every policy",
			whole(2*needed), whole(3*needed)),
	}
}

// simple plans a run that neither takes nor makes compiled code.
func (p *plan) simple(work Job) {
	p.engine, p.way, p.extra, p.patience = work.Engine.choose(work.Module, len(work.Stdin)), wayCompiler, false, 0
	if p.engine == EngineInterpreter {
		p.way = wayInterpreter
	}
	if p.way == wayInterpreter && work.Engine != EngineInterpreter {
		p.patience = patience(work)
	}
}

// patience is how long to interpret what could be compiled: as long as compiling
// takes, so that a module that works hard on a small input costs twice the better
// choice at most. Functions are pure and fuel is the same on both engines, so nobody
// sees that a run was begun anew.
func patience(work Job) time.Duration {
	needed := compileNeeds(work.Module)
	if needed = needed.Truncate(time.Second) + time.Second; needed > work.Limits.CompileTimeout || 3*needed > work.Limits.Timeout {
		return 0
	}
	return needed
}

// impatient reports whether a run was ended because it took longer than patience.
func (p *plan) impatient(r *Result) bool {
	return p.way == wayInterpreter && p.patience > 0 && r.Stop != nil && r.Stop.Code == CodeLimitCPU
}

// compile plans to run what the interpreter was too slow for.
func (p *plan) compile(s *Sandbox, work Job) {
	p.engine, p.way, p.extra, p.patience = EngineCompiler, wayCompiler, false, 0
	if c := s.cfg.Cache; c != nil && c.fill != FillNever && c.unkept(work.Module) == nil {
		p.way = wayKeep
	}
}

// Machine code is five to seven times as large as the code it was made of, and the
// initial memory about as large as the data; small modules bring their engine's
// fixed parts.
const (
	codePerByte = 24
	codeSlack   = 16 << 20
)

// codeBound is how many bytes of machine code and memory a child may hand up.
func codeBound(m *Module) int64 {
	return wholePages(codePerByte*m.known.Facts.CodeBytes + 5*m.known.Facts.DataBytes + codeSlack)
}

// codeFrameBytes bounds the frame in which n of them come.
func codeFrameBytes(n int64) int64 { return n + maxHeadBytes + 4 }

// decodeCode reads what a child hands up; an empty payload is nothing to keep.
func decodeCode(payload []byte) (*sealed.Content, error) {
	if len(payload) == 0 {
		return nil, nil
	}
	d := jail.NewDecoder(payload[:min(len(payload), 4+maxHeadBytes)])
	head := d.Bytes(maxHeadBytes)
	bulk := payload[min(len(payload), 4+len(head)):]
	code, err := decodeHead(head)
	if err == nil {
		err = code.check(int64(len(bulk)))
	}
	if err != nil {
		return nil, &jail.FrameError{Message: fmt.Sprintf("of compiled code: %v", err)}
	}
	return &sealed.Content{Head: head, Bulk: [][]byte{bulk}}, nil
}
