package wasm

import "fmt"

// Error says why a module was refused. Every failure of this package is one.
type Error struct {
	// Code is a stable, dotted reason, one of those in the package doc.
	Code string
	// Section names the section that was being read, "header" or "module".
	Section string
	// Offset is the byte of the module at which the reason was found.
	Offset int64
	// Message says what was found, in lower case, foreign text quoted.
	Message string
	// Hint says what to do about it; it may be empty.
	Hint string
}

// Error gives the message with its place in the module.
func (e *Error) Error() string {
	if e.Section == "" {
		return fmt.Sprintf("%s (at byte %d)", e.Message, e.Offset)
	}
	return fmt.Sprintf("%s section: %s (at byte %d)", e.Section, e.Message, e.Offset)
}

// Reason codes. The package doc says what each of them means.
const (
	CodeMagic     = "module.magic"
	CodeVersion   = "module.version"
	CodeComponent = "module.component"
	CodeGoJS      = "module.gojs"

	CodeMalformed        = "module.malformed"
	CodeTruncated        = "module.malformed.truncated"
	CodeTrailing         = "module.malformed.trailing"
	CodeInteger          = "module.malformed.integer"
	CodeUTF8             = "module.malformed.utf8"
	CodeSectionOrder     = "module.malformed.section_order"
	CodeSectionDuplicate = "module.malformed.section_duplicate"
	CodeDataCount        = "module.malformed.data_count"
	CodeOpcode           = "module.malformed.opcode"
	CodePadded           = "module.malformed.padded"

	CodeInvalid         = "module.invalid"
	CodeInvalidType     = "module.invalid.type"
	CodeInvalidIndex    = "module.invalid.index"
	CodeInvalidConst    = "module.invalid.const"
	CodeInvalidLimits   = "module.invalid.limits"
	CodeInvalidAlign    = "module.invalid.align"
	CodeDuplicateExport = "module.invalid.duplicate_export"

	CodeFeatureThreads       = "module.feature.threads"
	CodeFeatureTailCall      = "module.feature.tail_call"
	CodeFeatureExceptions    = "module.feature.exceptions"
	CodeFeatureGC            = "module.feature.gc"
	CodeFeatureTypedRefs     = "module.feature.typed_references"
	CodeFeatureMultiMemory   = "module.feature.multi_memory"
	CodeFeatureMemory64      = "module.feature.memory64"
	CodeFeaturePageSizes     = "module.feature.custom_page_sizes"
	CodeFeatureRelaxedSIMD   = "module.feature.relaxed_simd"
	CodeFeatureExtendedConst = "module.feature.extended_const"
	CodeFeatureStackSwitch   = "module.feature.stack_switching"
	CodeFeatureWideArith     = "module.feature.wide_arithmetic"

	CodeLimitSize          = "module.limit.size"
	CodeLimitCustoms       = "module.limit.custom_sections"
	CodeLimitTypes         = "module.limit.types"
	CodeLimitParams        = "module.limit.params"
	CodeLimitResults       = "module.limit.results"
	CodeLimitImports       = "module.limit.imports"
	CodeLimitFunctions     = "module.limit.functions"
	CodeLimitTables        = "module.limit.tables"
	CodeLimitTableElements = "module.limit.table_elements"
	CodeLimitMemoryPages   = "module.limit.memory_pages"
	CodeLimitGlobals       = "module.limit.globals"
	CodeLimitExports       = "module.limit.exports"
	CodeLimitNameBytes     = "module.limit.name_bytes"
	CodeLimitElements      = "module.limit.element_segments"
	CodeLimitElementItems  = "module.limit.element_items"
	CodeLimitData          = "module.limit.data_segments"
	CodeLimitBodyBytes     = "module.limit.body_bytes"
	CodeLimitLocals        = "module.limit.locals"
	CodeLimitNesting       = "module.limit.nesting"
	CodeLimitLoops         = "module.limit.loops"
	CodeLimitLoopNesting   = "module.limit.loop_nesting"
	CodeLimitBranchTargets = "module.limit.branch_targets"
	CodeLimitBlocks        = "module.limit.blocks"
	CodeLimitComplexity    = "module.limit.complexity"
	CodeLimitOperands      = "module.limit.operands"
	CodeLimitTotalLocals   = "module.limit.total_locals"
	CodeLimitArity         = "module.limit.arity"
)

func errorAt(code string, at int, format string, args ...any) *Error {
	return &Error{Code: code, Offset: int64(at), Message: fmt.Sprintf(format, args...)}
}

// featureNames holds, for each feature code, its proposal's usual name and how
// toolchains are told not to use it.
var featureNames = map[string][2]string{
	CodeFeatureThreads:       {"threads", "build without -pthread or -matomics (Rust: without target-feature=+atomics)"},
	CodeFeatureTailCall:      {"tail calls", "build with -mno-tail-call (Rust: target-feature=-tail-call)"},
	CodeFeatureExceptions:    {"exception handling", "build with -fno-exceptions (Rust: -C panic=abort)"},
	CodeFeatureGC:            {"garbage collection", "the language must be compiled to linear memory instead"},
	CodeFeatureTypedRefs:     {"typed function references", "build for WebAssembly 2.0"},
	CodeFeatureMultiMemory:   {"multiple memories", "build with one memory"},
	CodeFeatureMemory64:      {"64-bit memory", "build for wasm32, not wasm64"},
	CodeFeaturePageSizes:     {"custom page sizes", "build with the default page size of 64 KiB"},
	CodeFeatureRelaxedSIMD:   {"relaxed SIMD", "build with -mno-relaxed-simd (Rust: target-feature=-relaxed-simd)"},
	CodeFeatureExtendedConst: {"extended constant expressions", "build with -mno-extended-const and without position-independent code"},
	CodeFeatureStackSwitch:   {"stack switching", "build for WebAssembly 2.0"},
	CodeFeatureWideArith:     {"wide arithmetic", "build with -mno-wide-arithmetic"},
}

// featureError refuses what comes from a proposal outside wasm 2.0.
func featureError(code string, at int, what string) *Error {
	n := featureNames[code]
	return &Error{
		Code: code, Offset: int64(at),
		Message: fmt.Sprintf("%s belongs to the %s proposal, which is not part of WebAssembly 2.0 and not supported", what, n[0]),
		Hint:    n[1],
	}
}

// limitError refuses a count above a bound.
func limitError(code, what string, got, limit uint64, at int) *Error {
	return &Error{
		Code: code, Offset: int64(at),
		Message: fmt.Sprintf("%d %s, the limit is %d", got, what, limit),
		Hint:    limitHints[code],
	}
}
