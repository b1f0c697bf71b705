package jail_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/krmsafe/krmsafe/internal/jail"
)

// What a child sets for one thread must be in force when that thread hands it on: Go
// moves goroutines from thread to thread, above all on a busy machine. Without
// Landlock, whose rules bring no_new_privs to every thread, one start in a few hundred
// was refused by the kernel when the child was free to move.
func TestManyStartsWithoutLandlock(t *testing.T) {
	role := roleLack + ":" + strings.Join([]string{jail.LayerLandlockFS, jail.LayerLandlockNet, jail.LayerLandlockScope}, ",")
	var starters sync.WaitGroup
	for range 6 {
		starters.Go(func() {
			for range 100 {
				c, err := jail.Start(t.Context(), jail.Config{Role: role, Level: jail.PartialUnsafe})
				if err != nil {
					t.Errorf("Start: %v", err)
					continue
				}
				end(c)
			}
		})
	}
	starters.Wait()
}

func TestRepeatedRunsAreNotKilled(t *testing.T) {
	const runs = 200
	stop, always := make(chan struct{}), make(chan struct{})
	close(always)
	var busy sync.WaitGroup
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
	var group sync.WaitGroup
	errs := make(chan string, runs)
	for worker := range 4 {
		group.Go(func() {
			for i := range runs / 4 {
				if worker == 0 && i == runs/8 {
					close(stop)
				}
				c := bounded(t, roleProbe+":threads")
				if got := ask(t, c, ""); got != "done" {
					errs <- got
				}
				c.Kill()
				if exit := c.Wait(); exit.BadSystemCall {
					errs <- exit.Stderr
				}
			}
		})
	}
	group.Wait()
	busy.Wait()
	close(errs)
	for e := range errs {
		t.Error(e)
	}
}
