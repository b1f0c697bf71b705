package report

import (
	"fmt"
	"time"

	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// bytesText renders a number of bytes in the largest binary unit that divides
// it to at least one.
func bytesText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size {
			if n%u.size == 0 {
				return fmt.Sprintf("%d %s", n/u.size, u.name)
			}
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

func roundDuration(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	default:
		return d.Round(time.Millisecond)
	}
}

// engine names what ran the function, and whether it found its code in the cache.
func engine(e *pipeline.Execution) string {
	if e.Cached {
		return e.Engine + " from the cache"
	}
	return e.Engine
}

// short is the first part of a digest, enough for a person to tell two apart.
func short(digest string) string {
	if len(digest) > 19 {
		return digest[:19] + "…"
	}
	return digest
}
