package sandbox_test

import (
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// BenchmarkRun is a whole run of the identity function, with a child started for
// it and with one that waits: the difference is what Prepare hides.
func BenchmarkRun(b *testing.B) {
	for _, prepared := range []bool{false, true} {
		b.Run(map[bool]string{false: "cold", true: "prepared"}[prepared], func(b *testing.B) {
			s, m := newSandbox(b, sandbox.Config{Engine: sandbox.EngineInterpreter}), inspect(b, asm.Cat())
			for b.Loop() {
				if prepared {
					b.StopTimer()
					if _, err := s.Prepare(b.Context()); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				if r, err := s.Run(b.Context(), m, []byte("x"), ample()); err != nil || r.Stop != nil {
					b.Fatal(r, err)
				}
			}
		})
	}
}
