package sandbox_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// FuzzInstrument meters arbitrary bytes: what the decoder accepts stays valid,
// is proved to pay for all that it executes, and ends as it does plain unless
// metering ends it.
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
		if err := prove(m, module, met); err != nil {
			t.Fatal(err)
		}
		config := engines()["compiler"]
		got := execute(t, config, met.Module, met, generatedFuel)
		if got.metered {
			return
		}
		if err := got.same(execute(t, config, module, nil, 0)); err != nil {
			t.Fatalf("metered and plain: %v", err)
		}
	})
}

// FuzzFuelGenerated compares metered and plain runs of generated modules.
func FuzzFuelGenerated(f *testing.F) {
	f.Add(uint64(1 << 40))
	f.Fuzz(func(t *testing.T, seed uint64) { compareGenerated(t, generate(seed)) })
}
