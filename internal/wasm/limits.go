package wasm

// Limits bound what Decode accepts, so that neither it nor a compiler after it
// can be made to spend memory or time out of proportion to the module's bytes.
// The zero value accepts no module; start from DefaultLimits.
type Limits struct {
	ModuleBytes    uint32 // the whole module
	CustomSections uint32
	Types          uint32
	Params         uint32 // of one function type
	Results        uint32 // of one function type
	Imports        uint32
	Functions      uint32 // defined, without imported ones
	Tables         uint32 // imported and defined
	TableElements  uint32 // minimum sizes, summed over all tables
	MemoryPages    uint32 // minimum size of the memory, in pages of 64 KiB
	Globals        uint32 // imported and defined
	Exports        uint32
	NameBytes      uint32 // of one import, export or custom section name
	Elements       uint32 // element segments
	ElementItems   uint32 // summed over all element segments
	DataSegments   uint32
	BodyBytes      uint32 // of one function
	Locals         uint32 // of one function, parameters included
	Nesting        uint32 // blocks within blocks of one function
	Loops          uint32 // of one function
	LoopNesting    uint32 // loops within loops of one function
	BranchTargets  uint32 // labels of br_table instructions, summed over one function
	Blocks         uint32 // block, loop, if, else and br_if of one function
	Operands       uint32 // height of the operand stack of one function
	Complexity     uint64 // blocks times locals of one function
	TotalLocals    uint64 // summed over all functions
	TotalArity     uint64 // values that calls, branches and blocks pass, summed over all functions
}

// DefaultLimits admits every real module that was tried. Compilers are
// quadratic in blocks and loops, so that a bomb within these bounds can still
// cost seconds; that is for the compile timeout, and these keep it from being
// minutes. The figure after a bound is the largest that was met, in
// cmd/compile (48 MB of Go), Ruby 3.3, Ghostscript, SQLite, Biome and Ruff
// (46 and 10 MB of Rust) and two dozen smaller ones.
func DefaultLimits() Limits {
	return Limits{
		ModuleBytes:    64 << 20,
		CustomSections: 1000,
		Types:          100_000, // 211
		Params:         1000,
		Results:        1000,
		Imports:        10_000,
		Functions:      200_000, // 35,881
		Tables:         16,
		TableElements:  1 << 20,
		MemoryPages:    65536,
		Globals:        100_000,
		Exports:        100_000,
		NameBytes:      4096,
		Elements:       100_000,
		ElementItems:   2_000_000,
		DataSegments:   200_000,    // 100,000, the Go linker's own bound
		BodyBytes:      2 << 20,    // 666,326
		Locals:         10_000,     // 1,537
		Nesting:        10_000,     // 7,740: Go dispatches to a function's blocks by nesting them
		Loops:          5000,       // 802
		LoopNesting:    200,        // 10
		BranchTargets:  65_536,     // 26,653
		Blocks:         25_000,     // 15,233
		Operands:       5000,       // 44
		Complexity:     10_000_000, // 5,672,919
		TotalLocals:    5_000_000,  // 309,195
		TotalArity:     20_000_000, // 1,352,444
	}
}

const (
	fixedHint    = "this bound is fixed; a module that needs more must be built differently"
	simplifyHint = "this bound is fixed; build with optimisation (-O2, not -O0 or a debug profile) or split the function"
)

// limitHints says for each bound how to move it or what to build instead.
var limitHints = map[string]string{
	CodeLimitSize: "this bound is fixed; build a smaller module (Go: -ldflags='-s -w' and a narrower import list; Rust and C: -Oz, strip debug information)",

	CodeLimitCustoms:       "this bound is fixed; remove custom sections, for example with wasm-strip",
	CodeLimitTypes:         fixedHint,
	CodeLimitParams:        fixedHint,
	CodeLimitResults:       fixedHint,
	CodeLimitImports:       fixedHint,
	CodeLimitFunctions:     fixedHint,
	CodeLimitTables:        fixedHint,
	CodeLimitTableElements: fixedHint,
	CodeLimitMemoryPages:   "this bound is what 32-bit memory can have; link with a smaller initial memory (-Wl,--initial-memory)",
	CodeLimitGlobals:       fixedHint,
	CodeLimitExports:       fixedHint,
	CodeLimitNameBytes:     fixedHint,
	CodeLimitElements:      fixedHint,
	CodeLimitElementItems:  fixedHint,
	CodeLimitData:          fixedHint,
	CodeLimitBodyBytes:     simplifyHint,
	CodeLimitLocals:        simplifyHint,
	CodeLimitNesting:       simplifyHint,
	CodeLimitLoops:         simplifyHint,
	CodeLimitLoopNesting:   simplifyHint,
	CodeLimitBranchTargets: simplifyHint,
	CodeLimitBlocks:        simplifyHint,
	CodeLimitOperands:      simplifyHint,
	CodeLimitComplexity:    simplifyHint,
	CodeLimitTotalLocals:   simplifyHint,
	CodeLimitArity:         fixedHint,
}
