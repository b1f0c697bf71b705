package policy

import (
	"encoding/json"
	"time"
)

// Limits bound one run of a module. The zero value lets nothing run.
type Limits struct {
	MemoryPages    uint32        // 64 KiB pages of linear memory
	TableElements  uint32        // entries over all tables
	CallDepth      uint32        // nested wasm calls
	Fuel           uint64        // units of fuel/v1
	Timeout        time.Duration // wall clock over decode, compile, start, run and output
	CompileTimeout time.Duration // part of Timeout that decode and compile may take
	CompileBytes   int64         // memory the child may use beyond the guest's, for decode and compile
	OutputBytes    int64         // size of the function's stdout
	StderrBytes    int64         // size of the function's stderr
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// DefaultLimits is what a decision grants for each limit it leaves out. It
// suits a function built with Go and kyaml on some thousand resources.
func DefaultLimits() Limits {
	return Limits{
		MemoryPages:    8192, // 512 MiB
		TableElements:  1_000_000,
		CallDepth:      1900,
		Fuel:           100_000_000_000,
		Timeout:        60 * time.Second,
		CompileTimeout: 40 * time.Second,
		CompileBytes:   1 * gib,
		OutputBytes:    256 * mib,
		StderrBytes:    1 * mib,
	}
}

// MaxLimits is the ceiling. A decision that asks for more is refused with
// policy.range: a number nobody can have meant is not quietly lowered.
func MaxLimits() Limits {
	return Limits{
		MemoryPages:    65536, // 4 GiB, all that wasm32 can address
		TableElements:  10_000_000,
		CallDepth:      1900, // what both engines hold on their stacks
		Fuel:           1_000_000_000_000_000,
		Timeout:        10 * time.Minute,
		CompileTimeout: 10 * time.Minute,
		CompileBytes:   8 * gib,
		OutputBytes:    1 * gib,
		StderrBytes:    16 * mib,
	}
}

// limitsJSON spells the limits as policies and reports do.
type limitsJSON struct {
	MemoryPages    uint32 `json:"memoryPages"`
	TableElements  uint32 `json:"tableElements"`
	CallDepth      uint32 `json:"callDepth"`
	Fuel           uint64 `json:"fuel"`
	Timeout        string `json:"timeout"`
	CompileTimeout string `json:"compileTimeout"`
	CompileBytes   int64  `json:"compileBytes"`
	OutputBytes    int64  `json:"outputBytes"`
	StderrBytes    int64  `json:"stderrBytes"`
}

// MarshalJSON spells the limits as a policy does: camelCase keys, durations
// as "30s".
func (l Limits) MarshalJSON() ([]byte, error) {
	return json.Marshal(limitsJSON{
		MemoryPages: l.MemoryPages, TableElements: l.TableElements, CallDepth: l.CallDepth,
		Fuel: l.Fuel, Timeout: l.Timeout.String(), CompileTimeout: l.CompileTimeout.String(),
		CompileBytes: l.CompileBytes, OutputBytes: l.OutputBytes, StderrBytes: l.StderrBytes,
	})
}
