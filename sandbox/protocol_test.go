package sandbox_test

import (
	"bytes"
	"testing"

	"github.com/krmsafe/krmsafe/sandbox"
)

// Whatever a child answers, that was taken over by what it ran, is read within
// the limits or refused; what is accepted has one encoding.
func FuzzOutcome(f *testing.F) {
	f.Add(sandbox.AnOutcome())
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, payload []byte) {
		l := ample()
		l.OutputBytes, l.MemoryPages, l.Fuel = 32, 4, 100
		stdout, again, err := sandbox.ReadOutcome(payload, l)
		if err != nil {
			return
		}
		if int64(len(stdout)) > l.OutputBytes {
			t.Fatalf("%d bytes were accepted", len(stdout))
		}
		if !bytes.Equal(again, payload) {
			t.Fatalf("read %x, would write %x", payload, again)
		}
	})
}

func FuzzJob(f *testing.F) {
	f.Add(sandbox.AJob())
	f.Fuzz(func(t *testing.T, payload []byte) {
		again, err := sandbox.ReadJob(payload)
		if err == nil && !bytes.Equal(again, payload) {
			t.Fatalf("read %x, would write %x", payload, again)
		}
	})
}
