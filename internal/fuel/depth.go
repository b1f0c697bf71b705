package fuel

import (
	"math/bits"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

// DefaultDepth is how many nested calls fit under the stack limits of both
// engines of wazero: its interpreter holds 2000 frames, its compiler at least
// 50,000,000 bytes of stack.
const DefaultDepth = 1900

// MaxDepth is the greatest depth for which the count is certain to run out
// before the stack of either engine.
const MaxDepth = 1900

// frameBytesPerUnit is how much stack one unit of depth stands for:
// MaxDepth*frameBytesPerUnit stays below the compiler's stack limit.
const frameBytesPerUnit = 26_000

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
	return 1 + slot*(uint64(s.instrs)+uint64(locals)+uint64(s.joins)*assigned)/frameBytesPerUnit
}
