package sandbox

import "fmt"

// stopText holds, for each code, the message with its limit's value and the hint.
func stopText(code string, l Limits, detail string) (message, hint string) {
	raise := func(field string) string {
		return fmt.Sprintf("allow more with limits.%s in the policy; flags can only lower it", field)
	}
	switch code {
	case CodeGuestExit:
		return fmt.Sprintf("the function exited with code %s", detail), "its standard error says why"
	case CodeGuestTrap:
		return fmt.Sprintf("the function trapped: %s", detail), "its standard error may say why; run it with a smaller input to find the cause"
	case CodeGuestCrash:
		return fmt.Sprintf("the engine ended while it ran the function (%s)", detail), "treat the module as hostile, and report it"
	case CodeLimitFuel:
		return fmt.Sprintf("the function used up its %d units of fuel", l.Fuel), raise("fuel")
	case CodeLimitDepth:
		return fmt.Sprintf("the function's calls were nested deeper than %d", callDepth(l)), depthHint(l, raise)
	case CodeLimitStack:
		return "the function's calls needed more stack than the engine has", "lower limits.callDepth to end such a run earlier, or run it with the other engine"
	case CodeLimitTime:
		return fmt.Sprintf("the function was still running after %s", l.Timeout), raise("timeout")
	case CodeLimitCPU:
		return fmt.Sprintf("the function used all processor time that %s allow", l.Timeout), raise("timeout")
	case CodeLimitMemory:
		if detail == hostMemory {
			return fmt.Sprintf("the function made the engine need more memory than all limits add up to, with %d pages for the function", l.MemoryPages),
				"treat the module as hostile: what an honest one needs is its own memory"
		}
		return fmt.Sprintf("the function needs more than %d pages of memory%s", l.MemoryPages, aside(detail)), raise("memoryPages")
	case CodeLimitTable:
		return fmt.Sprintf("the function's tables need more than %d entries%s", l.TableElements, aside(detail)), raise("tableElements")
	case CodeLimitOutput:
		return fmt.Sprintf("the function wrote more than %d bytes to standard output", l.OutputBytes), raise("outputBytes")
	case CodeLimitStderr:
		return fmt.Sprintf("the function wrote more than %d bytes to standard error", l.StderrBytes), raise("stderrBytes")
	case CodeLimitCompile:
		return fmt.Sprintf("decoding and compiling the module took more than %s", detail),
			"allow more with limits.compileTimeout and limits.compileBytes in the policy, or choose --engine interpreter"
	case CodeLimitInput:
		return fmt.Sprintf("the input is larger than %d bytes", int64(maxInputBytes)), "split the input"
	case CodeModuleEntry:
		return "the module exports no function _start without parameters and results, so it is no WASI command",
			"build a command: GOOS=wasip1 GOARCH=wasm without -buildmode=c-shared, or a Rust binary for wasm32-wasip1"
	case CodeModuleEngine:
		return fmt.Sprintf("the engine refused the module: %s", detail), "try the other engine with --engine, and report the difference"
	case CodeJailViolation:
		if detail != "" {
			return "the jail did not close around the compiled function, which therefore did not run: " + detail, "report it"
		}
		return "the function made its process ask the kernel for something the jail forbids", "treat the module as hostile, and report it"
	}
	return "the function was stopped", ""
}

// depthHint says how to move the depth, where it can be moved.
func depthHint(l Limits, raise func(field string) string) string {
	if callDepth(l) < l.CallDepth {
		return "no deeper nesting is the same on both engines; rewrite the recursion as a loop"
	}
	return raise("callDepth")
}

func aside(detail string) string {
	if detail == "" {
		return ""
	}
	return " (" + detail + ")"
}

// hostMemory tells that it was not the linear memory that ran out.
const hostMemory = "host"

// newStop makes a Stop for one code.
func newStop(code string, l Limits, detail string) *Stop {
	message, hint := stopText(code, l, detail)
	return &Stop{Code: code, Message: message, Hint: hint, Limit: limitOf(code, l, detail)}
}

// limitOf names the limit that allows more, if one does.
func limitOf(code string, l Limits, detail string) string {
	switch code {
	case CodeLimitFuel:
		return "fuel"
	case CodeLimitTime, CodeLimitCPU:
		return "timeout"
	case CodeLimitTable:
		return "tableElements"
	case CodeLimitOutput:
		return "outputBytes"
	case CodeLimitStderr:
		return "stderrBytes"
	case CodeLimitMemory:
		if detail != hostMemory {
			return "memoryPages"
		}
	case CodeLimitDepth:
		if callDepth(l) == l.CallDepth {
			return "callDepth"
		}
	case CodeLimitCompile:
		if detail == l.CompileTimeout.String() {
			return "compileTimeout"
		}
		return "compileBytes"
	}
	return ""
}

// stopImport refuses an import that no sandbox has.
func stopImport(i Import) *Stop {
	s := &Stop{
		Code:    CodeModuleImport,
		Message: fmt.Sprintf("the module imports the %s %q from %q, which no sandbox has", i.Kind, clip(i.Name), clip(i.Module)),
		Hint:    "only the functions of " + wasiModule + " can be imported",
	}
	if i.Module == "wasi_unstable" {
		s.Hint = "the module was built for an early draft of WASI; build it again for wasm32-wasip1"
	}
	return s
}

// clip shortens foreign text for a message.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
