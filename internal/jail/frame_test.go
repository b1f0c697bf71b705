package jail_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/jail"
)

func frame(kind byte, length uint32, payload string) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte{kind}, length), payload...)
}

func TestReadFrame(t *testing.T) {
	allowed := jail.Allowed{16: 4, 17: 1 << 31}
	for _, tc := range []struct {
		name string
		in   []byte
		want string // part of the error, or empty
	}{
		{"good", frame(16, 4, "good"), ""},
		{"empty", frame(16, 0, ""), ""},
		{"kind that is not expected", frame(18, 0, ""), "kind 18 is not expected"},
		{"kind of the package", frame(1, 0, ""), "kind 1 is not expected"},
		{"above its bound", frame(16, 5, "12345"), "at most 4"},
		{"length without bytes", frame(17, 1<<31, "x"), "unexpected EOF"},
		{"cut head", []byte{16, 0, 0}, "unexpected EOF"},
		{"nothing", nil, "EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			kind, payload, err := jail.ReadFrame(bytes.NewReader(tc.in), allowed)
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("ReadFrame = %v, want success", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("ReadFrame = %v, want %q", err, tc.want)
			case err != nil && (kind != 0 || payload != nil):
				t.Errorf("ReadFrame gave %d, %q beside an error", kind, payload)
			}
		})
	}
}

// A length of gigabytes takes no memory until bytes arrive.
func TestAnnouncedLengthTakesNoMemory(t *testing.T) {
	in := frame(17, 1<<31, "")
	allocated := testing.Benchmark(func(b *testing.B) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			_, _, _ = jail.ReadFrame(bytes.NewReader(in), jail.Allowed{17: 1 << 31})
		}
	}).AllocedBytesPerOp()
	if allocated > 4<<20 {
		t.Errorf("ReadFrame allocated %d bytes for a frame of which nothing came", allocated)
	}
}

// Whatever is accepted is exactly what WriteFrame writes, within its bound.
func FuzzReadFrame(f *testing.F) {
	f.Add(frame(16, 4, "good"))
	f.Add(frame(17, 1<<31, "x"))
	f.Add(frame(1, 0, ""))
	f.Add([]byte{16})
	f.Fuzz(func(t *testing.T, in []byte) {
		allowed := jail.Allowed{16: 64, 17: 1 << 20}
		r := bytes.NewReader(in)
		kind, payload, err := jail.ReadFrame(r, allowed)
		if err != nil {
			if payload != nil || kind != 0 {
				t.Fatalf("a value beside an error: %d, %q", kind, payload)
			}
			return
		}
		if limit, ok := allowed[kind]; !ok || int64(len(payload)) > limit {
			t.Fatalf("kind %d with %d bytes was accepted", kind, len(payload))
		}
		var out bytes.Buffer
		if err := jail.WriteFrame(&out, kind, payload); err != nil {
			t.Fatal(err)
		}
		if read := in[:len(in)-r.Len()]; !bytes.Equal(out.Bytes(), read) {
			t.Fatalf("read %x, would write %x", read, out.Bytes())
		}
	})
}

// A payload has one encoding: what Decoder accepts, Encoder writes.
func FuzzDecoder(f *testing.F) {
	var e jail.Encoder
	e.U8(1)
	e.Bool(true)
	e.U32(7)
	e.U64(9)
	e.String("text")
	f.Add(e.Payload())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		d := jail.NewDecoder(in)
		a, b, c, x, s := d.U8(), d.Bool(), d.U32(), d.U64(), d.Bytes(16)
		if err := d.Close(); err != nil {
			return
		}
		var e jail.Encoder
		e.U8(a)
		e.Bool(b)
		e.U32(c)
		e.U64(x)
		e.Bytes(s)
		if !bytes.Equal(e.Payload(), in) || len(s) > 16 {
			t.Fatalf("decoded %x, encodes to %x", in, e.Payload())
		}
	})
}

// Whatever a child says of itself is read within bounds, or refused.
func FuzzHello(f *testing.F) {
	var e jail.Encoder
	e.U32(1)
	e.U32(7)
	e.U32(1)
	e.String(jail.LayerSeccomp)
	e.Bool(true)
	e.String("")
	f.Add(e.Payload())
	f.Fuzz(func(t *testing.T, in []byte) {
		layers, err := jail.ParseHello(in)
		if err == nil && len(layers) > len(jail.Layers()) {
			t.Fatalf("%d layers were accepted", len(layers))
		}
		var frame *jail.FrameError
		if err != nil && !errors.As(err, &frame) || errors.Is(err, io.EOF) {
			t.Fatalf("ParseHello = %v, want a FrameError", err)
		}
	})
}
