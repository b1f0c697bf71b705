package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/krmsafe/krmsafe/internal/oci"
)

// showFrom is the size from which on a download is worth watching.
const showFrom = 1 << 20

// progress draws a bar for each large blob that is fetched, if err is a terminal;
// it is nil otherwise. Bars are gone when their blob is there, so that nothing of
// them stays in what a person reads.
func progress(err io.Writer) func(oci.Progress) {
	file, ok := err.(*os.File)
	if !ok {
		return nil
	}
	info, statErr := file.Stat()
	if statErr != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	var mu sync.Mutex
	bars := map[string]*progressbar.ProgressBar{}
	return func(p oci.Progress) {
		if p.Total < showFrom {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		bar := bars[p.Digest]
		if bar == nil {
			bar = progressbar.NewOptions64(p.Total,
				progressbar.OptionSetWriter(file), progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish(),
				progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetDescription("krmsafe: fetching the "+p.What),
				progressbar.OptionSetWidth(30))
			bars[p.Digest] = bar
		}
		_ = bar.Set64(p.Done) // a picture only
	}
}
