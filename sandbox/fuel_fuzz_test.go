package sandbox_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// FuzzInstrument meters arbitrary bytes: what the decoder accepts stays valid
// and compiles, and what ends by itself ends as it does plain.
func FuzzInstrument(f *testing.F) {
	for seed := range uint64(30) {
		f.Add(generate(seed))
	}
	out := specDirOf(f)
	for _, name := range []string{"br_table.0", "loop.0", "if.0", "call_indirect.0", "bulk.0", "simd_const.0", "select.0"} {
		b, err := os.ReadFile(filepath.Join(out, "v2", "testdata", name+".wasm"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	limits := wasm.DefaultLimits()
	limits.MemoryPages, limits.TableElements, limits.BodyBytes = 16, 4096, 1<<16
	f.Fuzz(func(t *testing.T, module []byte) {
		m, err := wasm.Decode(module, limits)
		if err != nil {
			return
		}
		met, err := fuel.Instrument(m, module, fuel.Options{})
		if err != nil {
			t.Fatalf("a valid module was not metered: %v", err)
		}
		after, err := wasm.Decode(met.Module, wasm.DefaultLimits())
		if err != nil {
			t.Fatalf("the metered module is invalid: %v", err)
		}
		if after.HasStart {
			t.Fatal("the metered module has a start section")
		}
		ctx := context.Background()
		rt := wazero.NewRuntimeWithConfig(ctx, engines()["compiler"])
		defer func() { _ = rt.Close(ctx) }()
		if _, err := rt.CompileModule(ctx, met.Module); err != nil {
			if _, plain := rt.CompileModule(ctx, module); plain == nil {
				t.Fatalf("the metered module does not compile, the plain one does: %v", err)
			}
		}
	})
}

// FuzzFuelGenerated compares metered and plain runs of generated modules.
func FuzzFuelGenerated(f *testing.F) {
	f.Add(uint64(1 << 40))
	f.Fuzz(func(t *testing.T, seed uint64) { compareGenerated(t, generate(seed)) })
}
