package pace_test

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"github.com/krmsafe/krmsafe/internal/pace"
)

func percent() uint64 {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// TestFirstCycleEndsTheHold holds the collector back until 64 MiB, and finds the pace that was asked for after the
// first cycle.
func TestFirstCycleEndsTheHold(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	pace.Begin(64<<20, 150)
	if got := percent(); got != 1600 {
		t.Errorf("before the first cycle GOGC is %d, want 1600", got)
	}
	for range 1000 { // cleanups run some time after the cycle that found them due
		if percent() == 150 {
			return
		}
		runtime.GC()
		runtime.Gosched()
	}
	t.Errorf("after the first cycle GOGC is %d, want 150", percent())
}

// TestHoldCountsWhatIsAlive begins where a cycle has found much alive already: a percentage of that must not put the
// next cycle off beyond what was asked for.
func TestHoldCountsWhatIsAlive(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	live := make([]byte, 24<<20)
	runtime.GC()
	for _, first := range []int64{96 << 20, 32 << 20, 1 << 20} {
		pace.Begin(first, 10)
		goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
		metrics.Read(goal)
		// The stacks and globals are counted on top, and the pace itself is never undercut.
		if got, most := goal[0].Value.Uint64(), max(uint64(first), 27<<20)+8<<20; got > most {
			t.Errorf("held to %d MiB, the next cycle begins at %d MiB", first>>20, got>>20)
		}
	}
	runtime.KeepAlive(live)
}

func TestNothingIsHeldBelowThePace(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	pace.Begin(1<<20, 150)
	if got := percent(); got != 150 {
		t.Errorf("GOGC is %d, want 150", got)
	}
}

// TestTheLimitHolds allocates beyond the memory limit, far below what the collector is held back to: it works all the same.
func TestTheLimitHolds(t *testing.T) {
	before := debug.SetGCPercent(100)
	limit := debug.SetMemoryLimit(32 << 20)
	defer debug.SetMemoryLimit(limit)
	defer debug.SetGCPercent(before)
	pace.Begin(1<<32, 100)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	first := m.NumGC
	for i := 0; m.NumGC == first; i++ {
		if i == 256 {
			t.Fatal("256 MiB were allocated without a cycle")
		}
		sink = make([]byte, 1<<20)
		runtime.ReadMemStats(&m)
	}
}

var sink []byte
