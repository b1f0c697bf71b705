// Package fuel rewrites a module so that every path through it pays, and every
// nested call is counted, by code that any engine runs alike. It knows the
// binary format through internal/wasm; it does not know engines, the host
// interface or what a budget should be, and it executes nothing.
//
// # What the host must do
//
// The rewritten module exports two mutable i64 globals under the names that
// Metered gives. Both start at zero, which runs nothing.
//
//  1. Instantiate Metered.Module without calling any start function. (With
//     wazero: ModuleConfig.WithStartFunctions with no argument. The start
//     section is gone, so nothing of the guest has run by then.)
//  2. Set FuelGlobal to the budget, at most MaxFuel, and DepthGlobal to the
//     number of nested calls, at most MaxDepth.
//  3. If StartFunction is not empty call it; then call the entry point. Both
//     draw on the same budget. Before each further call of an export set
//     DepthGlobal again, since a trap or an exit leaves it as it was; an
//     export that returned has restored it.
//  4. When a call ends, in whatever way (returned, trapped, proc_exit from a
//     host function), read both globals as int64:
//     FuelGlobal < 0 means that fuel has run out, and that is the verdict even
//     if the guest returned: the last charges are looked at later than they
//     are made. Otherwise DepthGlobal < 0 means that calls were nested too
//     deeply. Otherwise metering did not end the run, whatever the trap says.
//  5. What was used is the budget minus FuelGlobal, or the budget where
//     FuelGlobal is negative.
//
// Metering traps by unreachable, as guests do; only the globals tell. Calling
// an imported function is paid before the call, by the guest's code; the host
// charges nothing. A host function may read FuelGlobal at any time, and must
// not call back into the guest: that call would nest without being counted.
//
// # Why the guest cannot reach the counters
//
// The globals are appended behind the last one of the module, and the module
// was decoded, and thereby validated, before they existed: an instruction that
// names their index would have been refused. They are reachable by export
// name only, and no guest imports from itself; the host must not offer the
// instance to other modules. Names that the guest uses itself are avoided.
//
// # The cost model
//
// docs/fuel.md specifies fuel/v1: the prices (model.go), what is charged where
// (scan.go and place.go), and how nested calls are counted (depth.go, bottom.go).
// In short: the code is cut into nodes; every node is paid before it is entered,
// as far ahead as the branches behind it cost about the same; and the counter
// is looked at wherever control goes back or a function is entered. Fuel is
// never given back, so that a run passes with exactly what it has used.
//
// # Why charges stand where they stand
//
// wazero's compiler decided, by measurement. A charge is a load, a subtraction
// and a store: what counts is how many there are on a hot path, so code pays
// far ahead, and Go's functions, which jump through a table at their head, pay
// at the jumps, whose targets are constants, rather than at every label of the
// table: that alone halved their overhead and their growth. Loops are charged
// at the branch back: as an if around a br it compiles better than the br_if it
// replaces. The trap stands in an else arm, which the compiler moves out of the
// way. A copy of the counter in a local did not help in any loop, nor did one
// of the depth: it is live across calls and so costs a spill.
package fuel

import (
	"fmt"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

// MaxFuel is the largest budget.
const MaxFuel = 1<<62 - 1

// Options are the settings of Instrument.
type Options struct {
	// Exact charges every branch for what it executes and nothing more. It is
	// slower, and not the model that Model names: tests check the placement by it.
	Exact bool
}

// Metered is a rewritten module and what the host must know of it.
type Metered struct {
	// Module is the rewritten module, without custom sections.
	Module []byte
	// Model is the cost model, the constant Model.
	Model string
	// FuelGlobal is the name of the exported mutable i64 that holds what is
	// left of the fuel, DepthGlobal of the one that holds how many nested
	// calls are left. Both are zero until the host sets them.
	FuelGlobal, DepthGlobal string
	// StartFunction is the name under which the start function is exported,
	// empty if the module has none. The host calls it before anything else.
	StartFunction string
	// Stats says what was done.
	Stats Stats
}

// Stats counts what Instrument did.
type Stats struct {
	Functions    int // rewritten
	Charges      int // places where fuel is charged
	Checks       int // places where it is looked at
	Counted      int // functions that count nested calls
	BytesBefore  int // of the module without custom sections
	BytesAfter   int
	LargestFrame uint64 // units of depth of the largest frame
}

// Instrument rewrites module, which must be the bytes that m was decoded from.
func Instrument(m *wasm.Module, module []byte, opt Options) (*Metered, error) {
	if m == nil || m.Size != len(module) {
		return nil, fmt.Errorf("metering a module: the bytes are not those that were decoded")
	}
	w := writer{
		m: m, module: module,
		types: typeList{count: uint32(len(m.Types)), known: map[string]uint32{}}, //nolint:gosec // bounded by the module's length
	}
	return w.write(opt)
}
