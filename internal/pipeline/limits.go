package pipeline

import (
	"cmp"
	"fmt"
	"time"

	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
)

// lower gives the granted limits, lowered to those asked for. Asking for more
// than was granted is a usage error: the operator's policy is the ceiling.
func lower(granted, asked policy.Limits) (policy.Limits, error) {
	for _, err := range []error{
		lowerOne("--memory-pages", &granted.MemoryPages, asked.MemoryPages),
		lowerOne("--table-elements", &granted.TableElements, asked.TableElements),
		lowerOne("--call-depth", &granted.CallDepth, asked.CallDepth),
		lowerOne("--fuel", &granted.Fuel, asked.Fuel),
		lowerOne("--timeout", &granted.Timeout, asked.Timeout),
		lowerOne("--compile-timeout", &granted.CompileTimeout, asked.CompileTimeout),
		lowerOne("--compile-bytes", &granted.CompileBytes, asked.CompileBytes),
		lowerOne("--output-bytes", &granted.OutputBytes, asked.OutputBytes),
		lowerOne("--stderr-bytes", &granted.StderrBytes, asked.StderrBytes),
	} {
		if err != nil {
			return policy.Limits{}, err
		}
	}
	return granted, nil
}

func lowerOne[T cmp.Ordered](flag string, granted *T, asked T) error {
	var zero T
	switch {
	case asked == zero:
		return nil
	case asked < zero:
		return usagef("", "%s must be positive", flag)
	case asked > *granted:
		return usagef("flags lower a limit; to raise it, change the policy", "%s %v is above the policy's %v", flag, asked, *granted)
	}
	*granted = asked
	return nil
}

// stopHint is how to go on after a stop: where the request has lowered the limit
// that was reached, it is the request that allows more.
func stopHint(stop *sandbox.Stop, granted, held policy.Limits) string {
	flag, most, lowered := "", "", false
	pick := func(name string, policy, run any) { flag, most, lowered = name, fmt.Sprint(policy), policy != run }
	switch stop.Limit {
	case "memoryPages":
		pick("--memory-pages", granted.MemoryPages, held.MemoryPages)
	case "tableElements":
		pick("--table-elements", granted.TableElements, held.TableElements)
	case "callDepth":
		pick("--call-depth", granted.CallDepth, held.CallDepth)
	case "fuel":
		pick("--fuel", granted.Fuel, held.Fuel)
	case "timeout":
		pick("--timeout", granted.Timeout, held.Timeout)
	case "compileTimeout":
		pick("--compile-timeout", granted.CompileTimeout, held.CompileTimeout)
	case "compileBytes":
		pick("--compile-bytes", granted.CompileBytes, held.CompileBytes)
	case "outputBytes":
		pick("--output-bytes", granted.OutputBytes, held.OutputBytes)
	case "stderrBytes":
		pick("--stderr-bytes", granted.StderrBytes, held.StderrBytes)
	}
	if !lowered {
		return stop.Hint
	}
	return fmt.Sprintf("raise or leave out %s; the policy allows %s", flag, most)
}

func limits(l policy.Limits) Limits {
	return Limits{
		MemoryPages: l.MemoryPages, TableElements: l.TableElements, CallDepth: l.CallDepth, Fuel: l.Fuel,
		Timeout: text(l.Timeout), CompileTimeout: text(l.CompileTimeout), CompileBytes: l.CompileBytes,
		OutputBytes: l.OutputBytes, StderrBytes: l.StderrBytes,
	}
}

func text(d time.Duration) string { return d.String() }
