package wasm_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// FuzzDecode holds for any bytes: an error is an *Error with a code and comes
// without a module; an accepted module has what it says it has, its bodies can
// be walked to their ends, and without custom sections it is the same module.
func FuzzDecode(f *testing.F) {
	f.Add(everything())
	for _, m := range [][]byte{asm.Cat(), asm.Spin(), asm.Exit(1), asm.Trap(), asm.GrowForever(), asm.Flood(2)} {
		f.Add(m)
	}
	for _, bad := range allBad() {
		if len(bad.module) < 4096 {
			f.Add(bad.module)
		}
	}
	f.Fuzz(func(t *testing.T, module []byte) {
		m, err := wasm.Decode(module, wasm.DefaultLimits())
		if err != nil {
			var e *wasm.Error
			if !errors.As(err, &e) || e.Code == "" || e.Message == "" || m != nil {
				t.Fatalf("Decode = %v, %#v", m, err)
			}
			if e.Offset < 0 || e.Offset > int64(len(module)) {
				t.Fatalf("%v lies outside of %d bytes", e, len(module))
			}
			return
		}
		checkAccepted(t, module, m)
	})
}

func checkAccepted(t *testing.T, module []byte, m *wasm.Module) {
	t.Helper()
	for i, b := range m.Bodies {
		w := wasm.NewWalker(module[b.Code:b.End], b.Code)
		depth := 1
		for w.Next() {
			switch w.Op {
			case wasm.OpBlock, wasm.OpLoop, wasm.OpIf:
				depth++
			case wasm.OpEnd:
				depth--
			}
		}
		if w.Err() != nil || depth != 0 || w.End != b.End-b.Code {
			t.Fatalf("walking body %d stopped at %d of %d, depth %d: %v", i, w.End, b.End-b.Code, depth, w.Err())
		}
	}
	stripped, err := wasm.Strip(module)
	if err != nil {
		t.Fatal(err)
	}
	s, err := wasm.Decode(stripped, wasm.DefaultLimits())
	if err != nil {
		t.Fatalf("the stripped module was refused: %v", err)
	}
	if diff := cmp.Diff(timeless(m), timeless(s)); diff != "" {
		t.Fatalf("stripping changed more than custom sections:\n%s", diff)
	}
	again, err := wasm.Strip(stripped)
	if err != nil || string(again) != string(stripped) {
		t.Fatalf("stripping twice differs from once: %v", err)
	}
}

// timeless is a module without what custom sections add or move.
func timeless(m *wasm.Module) wasm.Module {
	c := *m
	c.Size, c.Sections, c.Customs, c.Producers = 0, nil, nil, nil
	c.Bodies, c.Data = nil, nil
	for _, b := range m.Bodies {
		c.Bodies = append(c.Bodies, wasm.Body{Code: b.Code - b.Start, End: b.End - b.Start, Locals: b.Locals, LocalGroups: b.LocalGroups})
	}
	for _, d := range m.Data {
		c.Data = append(c.Data, wasm.Data{End: d.End - d.Start, Mode: d.Mode})
	}
	return c
}

// FuzzIntegers holds the decoders of LEB128 against their encoders.
func FuzzIntegers(f *testing.F) {
	for _, s := range []string{"", "\x00", "\x7f", "\x80\x01", "\xff\xff\xff\xff\x0f", "\x80\x80\x80\x80\x70"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, n := wasm.U32(b); n > 0 {
			if back, m := wasm.U32(wasm.AppendU32(nil, v)); back != v || m > n || n > 5 {
				t.Errorf("U32(% x) = %d in %d bytes, again %d in %d", b, v, n, back, m)
			}
		}
		if v, n := wasm.S64(b); n > 0 {
			if back, m := wasm.S64(wasm.AppendS64(nil, v)); back != v || m > n || n > 10 {
				t.Errorf("S64(% x) = %d in %d bytes, again %d in %d", b, v, n, back, m)
			}
		}
		if v, n := wasm.S33(b); n > 0 && (n > 5 || v < -1<<32 || v >= 1<<32) {
			t.Errorf("S33(% x) = %d in %d bytes", b, v, n)
		}
	})
}
