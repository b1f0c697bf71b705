package fuel

import (
	"math/bits"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

// MaxDepth is the greatest number of nested calls for which the count is
// certain to run out before the stack of either engine of wazero: the
// interpreter holds 2000 frames, of which maxBottomHeight, a helper and a host
// function are not counted, and the compiler at least 50,000,000 bytes of stack.
// A host clamps to it what a policy allows.
const MaxDepth = 1900

// DefaultDepth is for a host that has no opinion.
const DefaultDepth = MaxDepth

// frameBytesPerUnit is how much stack one unit of depth stands for:
// (MaxDepth+maxBottomHeight)*frameBytesPerUnit stays below the compiler's limit.
const frameBytesPerUnit = 26_000

// frameBytes is what a frame takes besides values: saved registers, the return
// address, alignment.
const frameBytes = 512

// frame is how many units of depth an activation takes: one, and one more for
// each frameBytesPerUnit of stack that it may use at most. The bound supposes
// that the compiler gives every value that it ever computes a slot of its own.
func (r *rewriter) frame(locals uint32) uint64 {
	s := &r.scanner
	assigned := uint64(0)
	for _, word := range s.assigned {
		assigned += uint64(bits.OnesCount64(word)) //nolint:gosec // at most 64
	}
	slot := uint64(8)
	if s.vectors || s.mod.Features&wasm.FeatureSIMD != 0 {
		slot = 16
	}
	return 1 + (frameBytes+slot*(uint64(s.instrs)+uint64(locals)+uint64(s.joins)*assigned))/frameBytesPerUnit
}
