package wasm_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// TestWalker reads instructions with every shape of immediates.
func TestWalker(t *testing.T) {
	code := asm.Code(
		asm.Block(asm.Empty), asm.Block(asm.Result(asm.F64)), asm.Loop(300),
		asm.I32Const(-1), asm.I32Const(math.MinInt32), asm.I64Const(math.MaxInt64), asm.I64Const(63), asm.I64Const(64),
		wasm.AppendF32([]byte{0x43}, 1), wasm.AppendF64([]byte{0x44}, 1),
		asm.Op(wasm.OpI32Load, 2, 1<<31), asm.Op(0xfd5b, 3, 200, 1),
		asm.Op(wasm.OpCallIndirect, 130, 2), asm.Op(wasm.OpTableCopy, 1, 200), asm.Op(wasm.OpMemoryInit, 3, 0), asm.Op(wasm.OpMemoryCopy, 0, 0),
		asm.MemoryGrow, asm.Op(wasm.OpRefNull, 0x70), []byte{0x1c, 1, 0x7f},
		asm.BrTable([]uint32{1, 300}, 2), append([]byte{0xfd, 0x0c}, make([]byte, 16)...), asm.Op(0xfdff), asm.Op(0xfd17, 5), asm.End,
	)
	var got []string
	w := wasm.NewWalker(code, 1000)
	end := 0
	for w.Next() {
		if w.Start != end || w.Imm < w.Start || w.End < w.Imm || len(w.Bytes()) != w.End-w.Start {
			t.Errorf("instruction 0x%02x at %d, immediates at %d, end at %d, after %d", w.Op, w.Start, w.Imm, w.End, end)
		}
		end = w.End
		s := fmt.Sprintf("%02x", uint16(w.Op))
		switch w.Op.Immediates() {
		case wasm.ImmBlock, wasm.ImmI32, wasm.ImmI64:
			s += fmt.Sprint(" ", w.Int)
		case wasm.ImmIndex, wasm.ImmIndexMem, wasm.ImmTypes:
			s += fmt.Sprint(" ", w.A)
		case wasm.ImmIndex2, wasm.ImmMem:
			s += fmt.Sprint(" ", w.A, w.B)
		case wasm.ImmMemLane:
			s += fmt.Sprint(" ", w.A, w.B, w.Lane)
		case wasm.ImmLane, wasm.ImmRefType:
			s += fmt.Sprint(" ", w.Lane)
		case wasm.ImmTable:
			for l := w.Targets(); l.Next(); {
				s += fmt.Sprint(" ", l.Label, l.Default)
			}
		}
		got = append(got, s)
	}
	if w.Err() != nil || end != len(code) {
		t.Fatalf("stopped at %d of %d: %v", end, len(code), w.Err())
	}
	want := strings.Split("02 -64|0b|02 -4|0b|03 300|0b|41 -1|41 -2147483648|42 9223372036854775807|42 63|42 64|43|44|28 2 2147483648|fd5b 3 200 1|"+
		"11 130 2|fc0e 1 200|fc08 3|fc0a|40|d0 112|1c 1|0e 1 false 300 false 2 true|fd0c|fdff|fd17 5|0b", "|")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Walker (-want +got):\n%s", diff)
	}
}

// TestWalkerErrors walks the code of every module with a bad body: what is
// malformed the walker must refuse as the decoder does, and never panic.
func TestWalkerErrors(t *testing.T) {
	for _, tt := range []struct{ code, want string }{
		{"\x41", wasm.CodeTruncated},
		{"\x20", wasm.CodeTruncated},
		{"\x28\x02", wasm.CodeTruncated},
		{"\x44\x00", wasm.CodeTruncated},
		{"\x0e\xff\xff\xff\xff\x0f\x00", wasm.CodeTruncated},
		{"\x0e\x01\x00", wasm.CodeTruncated},
		{"\x1c\xff\xff\xff\xff\x0f\x7f", wasm.CodeTruncated},
		{"\xfc", wasm.CodeTruncated},
		{"\xfd\x0c\x00", wasm.CodeTruncated},
		{"\x41\x80\x80\x80\x80\x70", wasm.CodeInteger},
		{"\x20\x80\x80\x80\x80\x80\x00", wasm.CodeInteger},
		{"\x3f\x01", wasm.CodeFeatureMultiMemory},
		{"\xfc\x0a\x00\x01", wasm.CodeFeatureMultiMemory},
		{"\xfe\x00", wasm.CodeFeatureThreads},
		{"\x12\x00", wasm.CodeFeatureTailCall},
		{"\x27", wasm.CodeOpcode},
		{"\xfd\xcd\x00", wasm.CodePadded},
		{"\x1c\x81\x00\x7f", wasm.CodePadded},
	} {
		w := wasm.NewWalker([]byte("\x01"+tt.code), 100)
		for w.Next() {
			continue
		}
		var e *wasm.Error
		if !errors.As(w.Err(), &e) || e.Code != tt.want || e.Offset != 101 {
			t.Errorf("walking % x = %v, want %s at byte 101", tt.code, w.Err(), tt.want)
		}
		if w.Next() {
			t.Errorf("% x: the walker went on after an error", tt.code)
		}
	}
}

// TestIntegers holds the LEB128 coders against each other and against the
// limits of the specification: padded forms are legal, longer ones are not.
func TestIntegers(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 63, 64, -64, -65, 127, 128, 1 << 31, -1 << 31, 1<<32 - 1, -1 << 32, math.MaxInt64, math.MinInt64} {
		b := wasm.AppendS64(nil, v)
		if got, n := wasm.S64(b); got != v || n != len(b) {
			t.Errorf("S64(% x) = %d, %d, want %d", b, got, n, v)
		}
		if got, n := wasm.S33(b); v >= -1<<32 && v < 1<<32 && (got != v || n != len(b)) || (v < -1<<32 || v >= 1<<32) && n > 0 {
			t.Errorf("S33(% x) = %d, %d, want %d", b, got, n, v)
		}
		if got, n := wasm.S32(b); int64(int32(v)) == v && (int64(got) != v || n != len(b)) || int64(int32(v)) != v && n > 0 {
			t.Errorf("S32(% x) = %d, %d, want %d", b, got, n, v)
		}
	}
	for _, v := range []uint32{0, 1, 127, 128, 1<<14 - 1, 1 << 14, 1<<21 - 1, 1 << 21, 1<<28 - 1, 1 << 28, math.MaxUint32} {
		b := wasm.AppendU32(nil, v)
		if got, n := wasm.U32(b); got != v || n != len(b) || n != wasm.SizeU32(v) {
			t.Errorf("U32(% x) = %d, %d, want %d, %d", b, got, n, v, wasm.SizeU32(v))
		}
		if _, n := wasm.U32(b[:len(b)-1]); n != 0 {
			t.Errorf("U32(% x) took an integer that is cut off", b[:len(b)-1])
		}
		var padded [5]byte
		wasm.PutPaddedU32(padded[:], v)
		if got, n := wasm.U32(padded[:]); got != v || n != 5 {
			t.Errorf("U32(% x) = %d, %d, want %d, 5", padded, got, n, v)
		}
	}
	for _, b := range []string{"\xff\xff\xff\xff\x1f", "\x80\x80\x80\x80\x80\x00"} {
		if _, n := wasm.U32([]byte(b)); n >= 0 {
			t.Errorf("U32(% x) = %d bytes, want a refusal", b, n)
		}
	}
}

// TestReaderKeepsTheFirstError reads beyond the end: the first error stays, and
// nothing but zeros comes after it.
func TestReaderKeepsTheFirstError(t *testing.T) {
	r := wasm.NewReader([]byte("\x05abc\x07"), 40)
	if b := r.Name(); b != nil || r.Left() != 0 {
		t.Errorf("Name() = %q, want nothing", b)
	}
	var e *wasm.Error
	if !errors.As(r.Err(), &e) || e.Code != wasm.CodeTruncated || e.Offset != 41 {
		t.Errorf("Err() = %v, want %s at byte 41", r.Err(), wasm.CodeTruncated)
	}
	if r.Byte() != 0 || r.U32() != 0 || r.S64() != 0 || r.Count(1) != 0 || r.Bytes(1) != nil {
		t.Error("reads after an error gave something")
	}
	if !errors.As(r.Err(), &e) || e.Offset != 41 {
		t.Errorf("a later error replaced the first: %v", r.Err())
	}
	r = wasm.NewReader([]byte("\x03\x00\x00"), 0)
	if n := r.Count(1); n != 0 || r.Err() == nil {
		t.Errorf("Count(1) = %d of three elements in two bytes", n)
	}
}
