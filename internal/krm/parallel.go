package krm

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// each calls f for every number below n, in rising order but from several goroutines, and returns the error of the
// lowest number that has one. It stops handing out numbers at the first error. A panic in f becomes its error.
func each(n int, f func(i int) error) error {
	const most, batch = 8, 16
	workers := min(runtime.GOMAXPROCS(0), most, (n+batch-1)/batch)
	var next atomic.Int64
	var failed atomic.Bool
	var mu sync.Mutex
	first, firstErr := n, error(nil)
	work := func() {
		for !failed.Load() {
			from := int(next.Add(batch)) - batch
			if from >= n {
				return
			}
			for i := from; i < min(from+batch, n); i++ {
				if err := guarded(i, f); err != nil {
					failed.Store(true)
					mu.Lock()
					if i < first {
						first, firstErr = i, err
					}
					mu.Unlock()
					break
				}
			}
		}
	}
	if workers <= 1 {
		work()
		return firstErr
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(work)
	}
	wg.Wait()
	return firstErr
}

func guarded(i int, f func(int) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("item %d: internal fault: %v", i, r)
		}
	}()
	return f(i)
}
