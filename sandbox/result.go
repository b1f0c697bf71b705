package sandbox

import "time"

// Codes of a Stop: each says why a run did not end well, and stays what it is.
const (
	CodeGuestExit  = "guest.exit"  // the module ended itself with a code other than zero
	CodeGuestTrap  = "guest.trap"  // it did what WebAssembly forbids, such as reading outside its memory
	CodeGuestCrash = "guest.crash" // the engine ended on it

	CodeLimitFuel    = "limit.fuel"    // it ran out of fuel
	CodeLimitDepth   = "limit.depth"   // its calls were nested deeper than Limits.CallDepth
	CodeLimitStack   = "limit.stack"   // its calls needed more stack than the engine has
	CodeLimitTime    = "limit.time"    // Limits.Timeout ended
	CodeLimitCPU     = "limit.cpu"     // it used more processor time than Limits.Timeout allows on two processors
	CodeLimitMemory  = "limit.memory"  // it needs more memory than Limits.MemoryPages, or the child ran out
	CodeLimitTable   = "limit.table"   // its tables need more entries than Limits.TableElements
	CodeLimitOutput  = "limit.output"  // it wrote more than Limits.OutputBytes to standard output
	CodeLimitStderr  = "limit.stderr"  // it wrote more than Limits.StderrBytes to standard error
	CodeLimitCompile = "limit.compile" // decoding and compiling took more time or memory than allowed
	CodeLimitInput   = "limit.input"   // the input is larger than a run can take

	CodeModuleImport = "module.import" // it imports what no sandbox has
	CodeModuleEntry  = "module.entry"  // it exports no function _start without parameters and results
	CodeModuleEngine = "module.engine" // the engine refused it, or failed on it before it ran

	CodeJailViolation = "jail.violation" // it made the child do what the kernel forbids
)

// Stop says why a run did not end well. It is a verdict on the module and its
// limits, not an error of the sandbox.
type Stop struct {
	// Code is one of the codes above.
	Code string `json:"code"`
	// Message is one line that names the limit and its value; whatever came
	// from the module in it is quoted and short.
	Message string `json:"message"`
	// Hint says what moves the limit, or what else helps. It may be empty.
	Hint string `json:"hint,omitempty"`
	// Limit is the limit that was reached and that can be raised, by the name of
	// its field in a policy, such as "memoryPages". It is empty where none is.
	Limit string `json:"limit,omitempty"`
}

// Usage is what a run used.
type Usage struct {
	MemoryPages uint32        `json:"memoryPages"` // linear memory at its largest, in pages of 64 KiB
	Wall        time.Duration `json:"wall"`        // from the start of Run to the child's end
	CPU         time.Duration `json:"cpu"`         // processor time of the child
	Fuel        uint64        `json:"fuel"`        // units of fuel/v1
	PeakBytes   int64         `json:"peakBytes"`   // the child's resident memory at its largest; 0 where unknown, as after a crash
}

// Result is what came of one run.
type Result struct {
	// Stop is nil if the module ran to its end and exited with 0.
	Stop *Stop
	// ExitCode is the module's own exit code; it means something if Stop is
	// nil or has the code guest.exit.
	ExitCode uint32
	// Stdout is all the module wrote to standard output. It is empty if the
	// module did not end by itself: what a stopped module wrote is cut off
	// somewhere.
	Stdout []byte
	// Stderr is what the module wrote to standard error up to its end, however
	// it ended.
	Stderr []byte
	Usage  Usage
	// Engine is EngineCompiler or EngineInterpreter: the one that ran.
	Engine Engine
	// Cached tells that the compiler's code came from the Cache.
	Cached bool
	// Notes are what there is to tell of the Cache.
	Notes []Note
	// Jail says what confined the child.
	Jail JailReport
}
