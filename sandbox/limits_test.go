package sandbox_test

import (
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// grows is a command that exits with 1 if growing its table or memory by n is
// refused.
func grows(tables int, table bool, n int32) []byte {
	m := &asm.Module{}
	exit := m.WASI("proc_exit", asm.Types{asm.I32}, nil)
	for range tables {
		m.Table(asm.FuncRef, 10, 1_000_000)
	}
	m.Memory(1, 65536)
	grow := asm.Code(asm.I32Const(n), asm.MemoryGrow)
	if table {
		grow = asm.Code(asm.Op(wasm.OpRefNull, 0x70), asm.I32Const(n), asm.Op(wasm.OpTableGrow, 0))
	}
	refused := asm.Code(grow, asm.I32Const(-1), asm.Op(0x46))
	m.ExportFunc("_start", m.Func(nil, nil, nil, refused, asm.If(asm.Empty, asm.I32Const(1), asm.Call(exit))))
	return m.Bytes()
}

// Limits are exact: what they allow is given, one more is not, and a declared
// maximum that is higher does not matter.
func TestGrowthIsBoundedExactly(t *testing.T) {
	for _, tc := range []struct {
		name   string
		module []byte
		fits   bool
	}{
		{"all entries", grows(1, true, 990), true},
		{"an entry more", grows(1, true, 991), false},
		{"a table's share of two", grows(2, true, 490), true},
		{"more than its share of two", grows(2, true, 491), false},
		{"all pages", grows(1, false, 255), true},
		{"a page more", grows(1, false, 256), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := run(t, sandbox.Config{}, tc.module, "", ample()) // 1,000 entries, 256 pages
			want := sandbox.CodeGuestExit
			if tc.fits {
				want = ""
			}
			wantStop(t, r, want)
		})
	}
}
