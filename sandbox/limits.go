package sandbox

import (
	"fmt"
	"time"

	"github.com/krmsafe/krmsafe/internal/fuel"
)

// Limits bound one run. Every field must be positive: the zero Limits run
// nothing.
type Limits struct {
	MemoryPages    uint32        // 64 KiB pages of linear memory
	TableElements  uint32        // entries over all tables
	CallDepth      uint32        // nested wasm calls; more than 1900 count as 1900, which both engines hold
	Fuel           uint64        // units of fuel/v1
	Timeout        time.Duration // wall clock over decode, compile, start, run and output
	CompileTimeout time.Duration // part of Timeout that decode and compile may take
	CompileBytes   int64         // memory the child may use beyond the guest's, for decode and compile
	OutputBytes    int64
	StderrBytes    int64
}

// LimitsError names a limit without which nothing runs.
type LimitsError struct {
	Field   string
	Message string
}

// Error gives the message.
func (e *LimitsError) Error() string { return e.Message }

// Ceilings that no Limits may exceed: what the formats and the pipes between the
// processes can hold.
const (
	maxMemoryPages   = 65536
	maxTimeout       = 24 * time.Hour
	maxStreamBytes   = 1 << 31
	maxCompileBytes  = 1 << 40
	maxTableElements = 1 << 27
	maxFuel          = fuel.MaxFuel
)

// check names the first field that is zero or beyond what can be kept.
func (l Limits) check() error {
	for _, f := range []struct {
		name    string
		v, most uint64
	}{
		{"MemoryPages", uint64(l.MemoryPages), maxMemoryPages},
		{"TableElements", uint64(l.TableElements), maxTableElements},
		{"CallDepth", uint64(l.CallDepth), 1 << 31},
		{"Fuel", l.Fuel, maxFuel},
		{"Timeout", positive(int64(l.Timeout)), uint64(maxTimeout)},
		{"CompileTimeout", positive(int64(l.CompileTimeout)), uint64(maxTimeout)},
		{"CompileBytes", positive(l.CompileBytes), maxCompileBytes},
		{"OutputBytes", positive(l.OutputBytes), maxStreamBytes},
		{"StderrBytes", positive(l.StderrBytes), maxStreamBytes},
	} {
		if f.v == 0 {
			return &LimitsError{f.name, fmt.Sprintf("sandbox: Limits.%s is not set: without it nothing runs", f.name)}
		}
		if f.v > f.most {
			return &LimitsError{f.name, fmt.Sprintf("sandbox: Limits.%s is %d, at most %d can be kept", f.name, f.v, f.most)}
		}
	}
	return nil
}

func positive(v int64) uint64 { return uint64(max(v, 0)) }
