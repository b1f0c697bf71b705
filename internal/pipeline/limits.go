package pipeline

import (
	"cmp"
	"time"

	"github.com/krmsafe/krmsafe/policy"
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

func limits(l policy.Limits) Limits {
	return Limits{
		MemoryPages: l.MemoryPages, TableElements: l.TableElements, CallDepth: l.CallDepth, Fuel: l.Fuel,
		Timeout: text(l.Timeout), CompileTimeout: text(l.CompileTimeout), CompileBytes: l.CompileBytes,
		OutputBytes: l.OutputBytes, StderrBytes: l.StderrBytes,
	}
}

func text(d time.Duration) string { return d.String() }
