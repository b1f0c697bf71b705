package sandbox

import (
	"errors"
	"fmt"

	"github.com/krmsafe/krmsafe/internal/jail"
)

// Frames between a run's parent and its child, in this order: job, module and
// input go down, in the module's place its stub where the code is mapped; compiled
// comes up if compiling succeeds, before it the code where it is to be kept; go goes
// down when the kernel says that the jail is tightened; then standard error as it is
// written, and one result come up.
const (
	kindJob jail.Kind = jail.FirstKind + iota
	kindModule
	kindInput
	kindCompiled
	kindGo
	kindStderr
	kindResult
	kindCode
)

// A way is how a child comes to something that it can run.
type way uint8

const (
	wayInterpreter way = iota
	wayCompiler        // make machine code
	wayKeep            // make machine code, and hand it up before it runs
	wayMapped          // take machine code from the file that the child was given
)

const (
	maxModuleBytes = 64 << 20
	maxInputBytes  = 1 << 30
	maxHeadBytes   = 64 << 20
	maxStopText    = 2048
)

// job tells the child how to run the module that follows.
type job struct {
	way way
	// For wayKeep: how many bytes of code the parent takes. For wayMapped: where
	// in the file they are, and how many.
	codeOffset, codeBytes int64
	grants                Grants
	goGuest               bool
	limits                Limits // durations are the parent's to keep and are not sent
}

func (j job) encode() []byte {
	var e jail.Encoder
	e.U8(uint8(j.way))
	e.U64(positive(j.codeOffset))
	e.U64(positive(j.codeBytes))
	e.Bool(j.grants.Clock)
	e.Bool(j.grants.Random)
	e.Bool(j.grants.StdioPaths)
	e.Bool(j.goGuest)
	e.U32(j.limits.MemoryPages)
	e.U32(j.limits.TableElements)
	e.U32(j.limits.CallDepth)
	e.U64(j.limits.Fuel)
	e.U64(positive(j.limits.CompileBytes))
	e.U64(positive(j.limits.OutputBytes))
	e.U64(positive(j.limits.StderrBytes))
	return e.Payload()
}

const jobBytes = 5 + 3*4 + 6*8

func decodeJob(payload []byte) (job, error) {
	d := jail.NewDecoder(payload)
	j := job{
		way: way(d.U8()), codeOffset: int64(d.U64()), codeBytes: int64(d.U64()), //nolint:gosec // G115: the parent sent them from int64
		grants:  Grants{Clock: d.Bool(), Random: d.Bool(), StdioPaths: d.Bool()},
		goGuest: d.Bool(),
		limits: Limits{
			MemoryPages: d.U32(), TableElements: d.U32(), CallDepth: d.U32(), Fuel: d.U64(),
			CompileBytes: int64(d.U64()), OutputBytes: int64(d.U64()), StderrBytes: int64(d.U64()), //nolint:gosec // G115: the parent sent them from int64
		},
	}
	if err := d.Close(); err != nil {
		return job{}, fmt.Errorf("reading the job: %w", err)
	}
	if j.way > wayMapped || j.codeOffset < 0 || j.codeBytes < 0 {
		return job{}, errors.New("reading the job: there is no such way to run a module")
	}
	if j.limits.CompileBytes < 0 || j.limits.OutputBytes < 0 || j.limits.StderrBytes < 0 {
		return job{}, errors.New("reading the job: a limit is negative")
	}
	return j, nil
}

// outcome is the child's one answer. A child that was taken over may put
// anything into it, so the parent checks every field.
type outcome struct {
	code     string // of a Stop, or empty
	detail   string // for the Stop's message; foreign
	exitCode uint32
	pages    uint32
	fuel     uint64
	stdout   [][]byte // in chunks
}

// encode gives the payload in parts.
func (o outcome) encode() [][]byte {
	var e jail.Encoder
	e.String(o.code)
	e.String(o.detail[:min(len(o.detail), maxStopText)])
	e.U32(o.exitCode)
	e.U32(o.pages)
	e.U64(o.fuel)
	e.U32(length(o.stdout))
	return append([][]byte{e.Payload()}, o.stdout...)
}

func length(chunks [][]byte) uint32 {
	n := 0
	for _, c := range chunks {
		n += len(c)
	}
	return uint32(n)
}

// outcomeBytes bounds a result's frame under limits.
func outcomeBytes(l Limits) int64 { return 1024 + maxStopText + l.OutputBytes }

func decodeOutcome(payload []byte, l Limits) (outcome, error) {
	d := jail.NewDecoder(payload)
	o := outcome{
		code: d.String(64), detail: d.String(maxStopText), exitCode: d.U32(), pages: d.U32(), fuel: d.U64(),
		stdout: [][]byte{d.Bytes(l.OutputBytes)},
	}
	if err := d.Close(); err != nil {
		return outcome{}, fmt.Errorf("reading the child's result: %w", err)
	}
	if o.pages > l.MemoryPages || o.fuel > l.Fuel || !knownOutcome(o.code) {
		return outcome{}, fmt.Errorf("reading the child's result: code %q with %d pages and %d units of fuel cannot be", o.code, o.pages, o.fuel)
	}
	return o, nil
}

// knownOutcome reports whether a child may give the code; empty is success.
func knownOutcome(code string) bool {
	switch code {
	case "", CodeGuestExit, CodeGuestTrap, CodeLimitFuel, CodeLimitDepth, CodeLimitStack, CodeLimitMemory,
		CodeLimitTable, CodeLimitOutput, CodeLimitStderr, CodeModuleEngine, CodeModuleEntry:
		return true
	}
	return false
}
