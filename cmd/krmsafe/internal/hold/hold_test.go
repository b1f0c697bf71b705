package hold_test

import (
	"runtime/debug"
	"testing"

	_ "github.com/krmsafe/krmsafe/cmd/krmsafe/internal/hold"
)

// TestHeld finds what the initialisation set. It is the only one of its process.
func TestHeld(t *testing.T) {
	if got := debug.SetGCPercent(600); got != 600 {
		t.Errorf("GOGC is %d, want 600", got)
	}
}
