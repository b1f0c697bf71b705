package sandbox

import (
	"errors"
	"io"
)

// cappedWriter keeps what is written up to a limit; what exceeds it ends the run.
// It fills chunks, so that it never holds more than was written and one chunk.
type cappedWriter struct {
	limit    int64
	size     int64
	chunks   [][]byte
	exceeded bool
}

const chunkBytes = 256 << 10

// errCapped unwinds a run whose output is over its limit.
var errCapped = errors.New("output limit")

// Write appends p. Beyond the limit it panics, which the engine turns into the
// run's end: an error would only be the module's to ignore.
func (w *cappedWriter) Write(p []byte) (int, error) {
	if w.size+int64(len(p)) > w.limit {
		w.exceeded = true
		panic(errCapped)
	}
	w.size += int64(len(p))
	for rest := p; len(rest) > 0; {
		if len(w.chunks) == 0 || len(w.chunks[len(w.chunks)-1]) == cap(w.chunks[len(w.chunks)-1]) {
			w.chunks = append(w.chunks, make([]byte, 0, min(w.limit, chunkBytes)))
		}
		last := &w.chunks[len(w.chunks)-1]
		n := min(len(rest), cap(*last)-len(*last))
		*last, rest = append(*last, rest[:n]...), rest[n:]
	}
	return len(p), nil
}

// streamWriter passes on what is written, up to a limit: what a module had to say
// is known also if it is killed.
type streamWriter struct {
	limit    int64
	size     int64
	send     func([]byte) error
	exceeded bool
}

// Write sends p. Beyond the limit, or without a parent, it panics as
// cappedWriter's does.
func (w *streamWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if w.size+int64(len(p)) > w.limit {
		w.exceeded = true
		panic(errCapped)
	}
	w.size += int64(len(p))
	if err := w.send(p); err != nil {
		panic(err)
	}
	return len(p), nil
}

var _, _ io.Writer = (*cappedWriter)(nil), (*streamWriter)(nil)
