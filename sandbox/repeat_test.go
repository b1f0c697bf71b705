package sandbox_test

import (
	"sync"
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// What the engine and Go's runtime ask of the kernel differs from run to run: a
// call that the jail does not know shows in some runs of a hundred, and sooner on
// a busy machine. 200 runs, most of them with every processor busy, end well.
func TestTwoHundredRunsWithoutAStrayKill(t *testing.T) {
	const runs = 200
	s, m := newSandbox(t, sandbox.Config{}), inspect(t, asm.Cat())
	stop, always := make(chan struct{}), make(chan struct{})
	close(always)
	var busy, group sync.WaitGroup
	for range 2 {
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-always:
				}
			}
		})
	}
	engines := []sandbox.Engine{sandbox.EngineCompiler, sandbox.EngineInterpreter}
	for worker := range 4 {
		group.Go(func() {
			for i := range runs / 4 {
				r, err := s.Do(t.Context(), sandbox.Job{Module: m, Stdin: []byte("x"), Limits: ample(), Engine: engines[i%2]})
				if err != nil || r.Stop != nil || string(r.Stdout) != "x" {
					t.Errorf("run %d of %d: %+v, %v", i, worker, r, err)
				}
			}
		})
	}
	group.Wait()
	close(stop)
	busy.Wait()
}
