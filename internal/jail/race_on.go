//go:build race

package jail

// idleMost is more than an idle child ever has; the race detector's shadow
// memory counts.
const idleMost = 1 << 46
