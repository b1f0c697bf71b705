package fuel

import "github.com/krmsafe/krmsafe/internal/wasm"

// Model names the cost model. Whatever changes a single unit that some module
// burns gets a new name; TestGoldenCosts holds the package to that.
const Model = "fuel/v1"

// Static prices in units of fuel. What is not named costs Unit, but for the
// instructions that only shape the code and cost nothing: nop, drop, block,
// loop, else and end.
const (
	// Unit is the price of an ordinary instruction.
	Unit = 1
	// CallUnits is the price of a direct call, CallIndirectUnits of one
	// through a table.
	CallUnits         = 2
	CallIndirectUnits = 4
	// HostCallUnits is the price of calling an imported function. The length
	// of what it reads or writes is bounded by other limits.
	HostCallUnits = 256
	// DivideUnits is the price of integer division and remainder and of
	// floating-point division and square roots, scalar or vector.
	DivideUnits = 4
	// BulkUnits is the price of an instruction over a range, before its length.
	BulkUnits = 16
	// GrowUnits is the price of memory.grow and table.grow, before the length.
	GrowUnits = 64
	// LocalsPerUnit many declared locals, which an activation sets to zero,
	// cost one unit on entry.
	LocalsPerUnit = 8
)

// Prices by length, as powers of two: a length n costs n<<shift or n>>shift,
// rounded down.
const (
	// bytesShift: memory.copy, memory.fill and memory.init cost one unit for
	// each 16 bytes.
	bytesShift = -4
	// pagesShift: memory.grow costs 1024 units a page asked for.
	pagesShift = 10
	// elementsShift: table.copy, table.fill and table.init cost one unit for
	// each element.
	elementsShift = 0
	// growElementsShift: table.grow costs 8 units an element asked for.
	growElementsShift = 3
)

// Tolerances of the placement (docs/fuel.md, "When it is paid").
const (
	// branchTolerance is how much the cheaper side of a branch may be charged
	// beyond what it executes.
	branchTolerance = 32
	// exitTolerance is the same for the side that leaves a loop.
	exitTolerance = 200
)

// weights holds the static price of each one-byte opcode but calls.
var weights = func() (t [256]uint8) {
	for i := range t {
		t[i] = Unit
	}
	for _, op := range []wasm.Opcode{wasm.OpNop, wasm.OpBlock, wasm.OpLoop, wasm.OpElse, wasm.OpEnd, wasm.OpDrop} {
		t[op] = 0
	}
	for _, op := range []int{
		0x6d, 0x6e, 0x6f, 0x70, // i32 div_s, div_u, rem_s, rem_u
		0x7f, 0x80, 0x81, 0x82, // i64
		0x91, 0x95, 0x9f, 0xa3, // f32 sqrt, f32 div, f64 sqrt, f64 div
	} {
		t[op] = DivideUnits
	}
	t[wasm.OpMemoryGrow] = GrowUnits
	return t
}()

// prefixedWeight is the static price of an opcode of two bytes.
func prefixedWeight(op wasm.Opcode) uint32 {
	switch op {
	case wasm.OpMemoryInit, wasm.OpMemoryCopy, wasm.OpMemoryFill,
		wasm.OpTableInit, wasm.OpTableCopy, wasm.OpTableFill:
		return BulkUnits
	case wasm.OpTableGrow:
		return GrowUnits
	case 0xfde3, 0xfde7, 0xfdef, 0xfdf3: // f32x4 sqrt, div, f64x2 sqrt, div
		return DivideUnits
	}
	return Unit
}

// lengthShift gives the price by length of op, whose length is the topmost
// operand.
func lengthShift(op wasm.Opcode) (shift int, ok bool) {
	switch op {
	case wasm.OpMemoryGrow:
		return pagesShift, true
	case wasm.OpMemoryInit, wasm.OpMemoryCopy, wasm.OpMemoryFill:
		return bytesShift, true
	case wasm.OpTableInit, wasm.OpTableCopy, wasm.OpTableFill:
		return elementsShift, true
	case wasm.OpTableGrow:
		return growElementsShift, true
	}
	return 0, false
}
