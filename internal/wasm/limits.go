package wasm

// Limits bound what Decode accepts, so that neither it nor a compiler after it
// can be made to spend memory or time out of proportion to the module's bytes.
// The zero value accepts nothing that has any of these; start from
// DefaultLimits.
type Limits struct {
	ModuleBytes    uint32 // the whole module
	CustomSections uint32
	Types          uint32
	Params         uint32 // of one function type
	Results        uint32 // of one function or block type
	Imports        uint32
	Functions      uint32 // defined, without imported ones
	Tables         uint32 // imported and defined
	TableElements  uint32 // minimum sizes, over all tables
	MemoryPages    uint32 // minimum size of the memory, in pages of 64 KiB
	Globals        uint32 // imported and defined
	Exports        uint32
	NameBytes      uint32 // of one import, export or custom section name
	Elements       uint32 // element segments
	ElementItems   uint32 // over all element segments
	DataSegments   uint32
	BodyBytes      uint32 // of one function
	Locals         uint32 // of one function, parameters included
	Nesting        uint32 // blocks within blocks of one function
	BranchTargets  uint32 // labels of br_table instructions, summed over one function
	Blocks         uint32 // block, loop, if, else and branches of one function
	Complexity     uint64 // blocks times locals of one function
	Operands       uint32 // height of the operand stack of one function
	TotalLocals    uint64 // over all functions
	TotalArity     uint64 // values that calls, branches and blocks pass, counted once per instruction, over all functions
}

// DefaultLimits admits every real module that was at hand (the package doc
// says which) with room to spare, and no known compile bomb.
func DefaultLimits() Limits {
	return Limits{
		ModuleBytes:    64 << 20,
		CustomSections: 1000,
		Types:          100_000,
		Params:         1000,
		Results:        1000,
		Imports:        10_000,
		Functions:      200_000,
		Tables:         16,
		TableElements:  1 << 20,
		MemoryPages:    65536,
		Globals:        100_000,
		Exports:        100_000,
		NameBytes:      4096,
		Elements:       100_000,
		ElementItems:   2_000_000,
		DataSegments:   1_000_000,
		BodyBytes:      4 << 20,
		Locals:         10_000,
		Nesting:        1000,
		BranchTargets:  65536,
		Blocks:         50_000,
		Complexity:     20_000_000,
		Operands:       20_000,
		TotalLocals:    5_000_000,
		TotalArity:     100_000_000,
	}
}

const fixedHint = "this bound is fixed; a module that needs more must be built differently"

// limitHints says for each bound how to move it or what to build instead.
var limitHints = map[string]string{}
