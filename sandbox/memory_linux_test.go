package sandbox_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// TestPeakStaysNearTheMemoryLimit compiles 2.4 MB of code and then fills all the
// memory that it may have.
func TestPeakStaysNearTheMemoryLimit(t *testing.T) {
	const pages, room = 4096, slow * 64 << 20
	m := &asm.Module{}
	m.Export("memory", wasm.KindMemory, m.Memory(pages, -1))
	step := asm.Code(asm.Get(0), asm.If(asm.Empty, asm.Get(0), asm.I32Const(3), asm.Op(0x6a), asm.Set(0)))
	for range 600 {
		m.Func(asm.Types{asm.I32}, nil, nil, bytes.Repeat(step, 4000/len(step)))
	}
	m.ExportFunc("_start", m.Func(nil, nil, nil, asm.I32Const(0), asm.I32Const(1), asm.I32Const(pages<<16), asm.Op(wasm.OpMemoryFill, 0)))
	l := ample()
	l.MemoryPages, l.Timeout, l.CompileTimeout = pages, 120*time.Second, 100*time.Second
	r := run(t, sandbox.Config{Engine: sandbox.EngineCompiler}, m.Bytes(), "", l)
	wantStop(t, r, "")
	if peak := r.Usage.PeakBytes; peak < pages<<16 || peak > slow*pages<<16+room {
		t.Errorf("the child held %d MB at its peak, want %d to %d", peak>>20, pages>>4, (pages<<16+room)>>20)
	}
}
