package policy

import (
	"cmp"
	"slices"
)

// Reason says why a run is refused, or what a reviewer should know of one
// that is not.
type Reason struct {
	ID      string `json:"id"`      // stable, dotted, lower case: signature.missing
	Message string `json:"message"` // what is wrong, with the fact that shows it
	Remedy  string `json:"remedy"`  // what to do about it; may be empty
}

// Reasons that krmsafe gives itself when a policy does not answer as it must.
// Each refuses. See TestReasonCodes.
const (
	ReasonMore          = "policy.more_reasons"  // there are more reasons than are listed
	ReasonMemory        = "policy.memory"        // evaluation took too much memory
	ReasonCrash         = "policy.crash"         // evaluation brought its process down
	ReasonUndefined     = "policy.undefined"     // the policy says nothing of allow
	ReasonConflict      = "policy.conflict"      // two rules give different values
	ReasonBuiltin       = "policy.builtin_error" // a builtin function failed
	ReasonTimeout       = "policy.timeout"       // evaluation took too long
	ReasonEval          = "policy.eval"          // evaluation failed in another way
	ReasonShape         = "policy.shape"         // a value has the wrong type
	ReasonUnknownKey    = "policy.unknown_key"   // the answer has a key that means nothing
	ReasonRange         = "policy.range"         // a number or word is outside what is possible
	ReasonContradiction = "policy.contradiction" // allow is true and there are reasons against
	ReasonUnexplained   = "policy.unexplained"   // allow is false and there is no reason
)

func sortReasons(reasons []Reason) []Reason {
	slices.SortStableFunc(reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Remedy, b.Remedy))
	})
	return slices.Compact(reasons)
}
