package sandbox_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/sandbox"
)

// A size that somebody said decides nothing: what comes is read, up to the limit.
func TestReadModule(t *testing.T) {
	whole := bytes.Repeat([]byte("krm "), sandbox.MaxModuleBytes/4+1)
	for _, n := range []int{0, 1, 100, 512 << 10, 5 << 20, 16<<20 + 3, sandbox.MaxModuleBytes} {
		for _, said := range []int64{-1, 0, 1, int64(n) - 1, int64(n), min(int64(n)+1, sandbox.MaxModuleBytes), sandbox.MaxModuleBytes} {
			got, err := sandbox.ReadModule(bytes.NewReader(whole[:n]), said)
			if err != nil || !bytes.Equal(got, whole[:n]) {
				t.Errorf("%d bytes, %d said: got %d bytes, %v", n, said, len(got), err)
			}
		}
	}
	for _, said := range []int64{-1, 0, 1 << 20, sandbox.MaxModuleBytes, sandbox.MaxModuleBytes + 1, 1 << 62} {
		got, err := sandbox.ReadModule(bytes.NewReader(whole[:sandbox.MaxModuleBytes+1]), said)
		if !errors.Is(err, sandbox.ErrModuleSize) || got != nil {
			t.Errorf("a byte too many, %d said: got %d bytes, %v", said, len(got), err)
		}
	}
}

// An endless module is read no further than the limit, and a broken one is an error.
func TestReadModuleOfWhatDoesNotEnd(t *testing.T) {
	endless := &counted{}
	if _, err := sandbox.ReadModule(endless, 10); !errors.Is(err, sandbox.ErrModuleSize) || endless.n > sandbox.MaxModuleBytes+1 {
		t.Errorf("got %v after %d bytes", err, endless.n)
	}
	broken := errors.New("the disk is gone")
	got, err := sandbox.ReadModule(io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), iotest.ErrReader(broken)), 2<<20)
	if !errors.Is(err, broken) || got != nil {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	got, err = sandbox.ReadModule(iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader([]byte("krm")))), -1)
	if diff := cmp.Diff([]byte("krm"), got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// counted gives zeros without end and counts them.
type counted struct{ n int }

func (c *counted) Read(p []byte) (int, error) {
	clear(p)
	c.n += len(p)
	return len(p), nil
}
