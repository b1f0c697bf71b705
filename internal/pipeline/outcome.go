package pipeline

import "fmt"

// A Stage is one step of the pipeline, in the order in which they happen.
type Stage string

// The stages. Whatever is refused is refused at one of them.
const (
	StageFetch   Stage = "fetch"
	StageVerify  Stage = "verify"
	StageInspect Stage = "inspect"
	StageDecide  Stage = "decide"
	StageRun     Stage = "run"
	StageCheck   Stage = "check"
	StageDone    Stage = "done"

	// StageBuild is where krmsafe build refuses a tree, whatever its functions.
	StageBuild Stage = "build"

	// StageError is the stage of a report in place of which there was an
	// error: krmsafe could not judge.
	StageError Stage = "error"
)

// An Outcome is how a run ended. The zero Outcome is not OK. Waived tells that
// the policy would have refused it, and that ModeWarn let it go on.
type Outcome struct {
	OK      bool   `json:"ok"`
	Waived  bool   `json:"waived"`
	Stage   Stage  `json:"stage"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// The exit codes of krmsafe. They are frozen: scripts branch on them.
const (
	ExitOK            = 0 // ran, and the output was allowed
	ExitError         = 1 // could not judge: I/O, registry, malformed input, a bug
	ExitUsage         = 2 // usage or configuration
	ExitRefused       = 3 // refused before running: signature, module, policy
	ExitStopped       = 4 // stopped while running: a limit, a trap, the function's own failure
	ExitOutputRefused = 5 // output refused: malformed, oversized, or a result at or above the severity asked for
)

// ExitCode is the exit code of krmsafe that says what o says. An outcome that
// is neither OK nor refused at a known stage is an error.
func (o Outcome) ExitCode() int {
	switch {
	case o.OK && o.Stage == StageDone:
		return ExitOK
	case o.OK:
		return ExitError
	}
	switch o.Stage {
	case StageBuild, StageFetch, StageVerify, StageInspect, StageDecide:
		return ExitRefused
	case StageRun:
		return ExitStopped
	case StageCheck:
		return ExitOutputRefused
	default:
		return ExitError
	}
}

// A UsageError says that the request itself cannot be carried out as written:
// two flags that contradict each other, a limit above the policy's. Nothing ran.
type UsageError struct {
	Message string
	Hint    string
}

// Error implements error.
func (e *UsageError) Error() string { return e.Message }

func usagef(hint, format string, args ...any) *UsageError {
	return &UsageError{Message: fmt.Sprintf(format, args...), Hint: hint}
}
