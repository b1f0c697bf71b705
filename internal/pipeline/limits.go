package pipeline

import (
	"cmp"
	"fmt"
	"time"

	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
)

// A limit is one of those that a policy grants and a request may lower.
type limit struct {
	name, flag string
	lower      func() error // the granted one, to the other
	most       string       // as granted
	lowered    bool         // the other is not what is granted
}

// limitsOf pairs what is granted with other limits, one by one.
func limitsOf(granted *policy.Limits, other policy.Limits) []limit {
	return []limit{
		limitOf("memoryPages", "--memory-pages", &granted.MemoryPages, other.MemoryPages),
		limitOf("tableElements", "--table-elements", &granted.TableElements, other.TableElements),
		limitOf("callDepth", "--call-depth", &granted.CallDepth, other.CallDepth),
		limitOf("fuel", "--fuel", &granted.Fuel, other.Fuel),
		limitOf("timeout", "--timeout", &granted.Timeout, other.Timeout),
		limitOf("compileTimeout", "--compile-timeout", &granted.CompileTimeout, other.CompileTimeout),
		limitOf("compileBytes", "--compile-bytes", &granted.CompileBytes, other.CompileBytes),
		limitOf("outputBytes", "--output-bytes", &granted.OutputBytes, other.OutputBytes),
		limitOf("stderrBytes", "--stderr-bytes", &granted.StderrBytes, other.StderrBytes),
	}
}

func limitOf[T cmp.Ordered](name, flag string, granted *T, other T) limit {
	return limit{
		name: name, flag: flag, most: fmt.Sprint(*granted), lowered: other != *granted,
		lower: func() error { return lowerOne(flag, granted, other) },
	}
}

// lower gives the granted limits, lowered to those asked for. Asking for more
// than was granted is a usage error: the operator's policy is the ceiling.
func lower(granted, asked policy.Limits) (policy.Limits, error) {
	for _, l := range limitsOf(&granted, asked) {
		if err := l.lower(); err != nil {
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
	for _, l := range limitsOf(&granted, held) {
		if l.name == stop.Limit && l.lowered {
			return fmt.Sprintf("raise or leave out %s; the policy allows %s", l.flag, l.most)
		}
	}
	return stop.Hint
}

func limits(l policy.Limits) Limits {
	return Limits{
		MemoryPages: l.MemoryPages, TableElements: l.TableElements, CallDepth: l.CallDepth, Fuel: l.Fuel,
		Timeout: text(l.Timeout), CompileTimeout: text(l.CompileTimeout), CompileBytes: l.CompileBytes,
		OutputBytes: l.OutputBytes, StderrBytes: l.StderrBytes,
	}
}

func text(d time.Duration) string { return d.String() }
