//go:build !race

package jail

// idleMost is more than an idle child ever has.
const idleMost = 1 << 30
