package sandbox_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

var updateFuel = flag.Bool("update-fuel", false, "rewrite the golden table of fuel costs")

// TestGoldenCosts holds the cost model still: whoever changes a figure of this
// table has made a new model and must give it a new name.
func TestGoldenCosts(t *testing.T) {
	kernels := []struct {
		name   string
		module []byte
	}{
		{"empty", handmade(false, body{kind: void})},
		{"constant", handmade(false, body{kind: void, code: []byte{0x41, 1, 0x1a}})},
		{"fib 15", fibonacci(15)},
		{"count to 1000", handmade(false, body{kind: void, locals: 1, code: bytesOf(
			0x03, 0x40, 0x20, 0, 0x41, 1, 0x6a, 0x22, 0, constant(1000), 0x48, 0x0d, 0, 0x0b)})},
		{"count to 1000, body of 40", handmade(false, body{kind: void, locals: 2, code: bytesOf(
			0x03, 0x40, bytes.Repeat([]byte{0x20, 1, 0x41, 3, 0x6e, 0x21, 1}, 10),
			0x20, 0, 0x41, 1, 0x6a, 0x22, 0, constant(1000), 0x48, 0x0d, 0, 0x0b)})},
		{"call tree of 8 levels", callTree(8)},
		{"fill 4096 bytes", handmade(false, body{kind: void, code: bytesOf(0x41, 0, 0x41, 0, constant(4096), 0xfc, 11, 0)})},
		{"grow by two pages", handmade(false, body{kind: void, code: []byte{0x41, 2, 0x40, 0, 0x1a}})},
		{"grow a table by three", handmade(false, body{kind: void, code: []byte{0xd0, 0x70, 0x41, 3, 0xfc, 15, 0, 0x1a}})},
		{"through a table", handmade(false, body{kind: void, code: []byte{0x41, 1, 0x11, 0, 0}}, body{kind: void})},
		{"40 locals", handmade(false, body{kind: void, locals: 40})},
	}
	for seed := range uint64(40) {
		kernels = append(kernels, struct {
			name   string
			module []byte
		}{fmt.Sprintf("generated %d", seed), generate(seed)})
	}
	var got bytes.Buffer
	fmt.Fprintf(&got, "# Fuel of each call under %s. TestGoldenCosts makes this table.\n", fuel.Model)
	for _, k := range kernels {
		m, err := wasm.Decode(k.module, wasm.DefaultLimits())
		if err != nil {
			t.Fatalf("%s: %v", k.name, err)
		}
		met, err := fuel.Instrument(m, k.module, fuel.Options{})
		if err != nil {
			t.Fatalf("%s: %v", k.name, err)
		}
		o := execute(t, engines()["compiler"], met.Module, met, generatedFuel)
		fmt.Fprintf(&got, "%s: %v\n", k.name, o.used)
	}
	golden := filepath.Join("testdata", "fuel-v1.golden")
	if *updateFuel {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("costs under %s have changed:\n%s\nwant\n%s", fuel.Model, got.Bytes(), want)
	}
}

// fibonacci calls the naive function for n.
func fibonacci(n int) []byte {
	return handmade(false,
		body{kind: void, code: bytesOf(0x41, n, 0x10, 1, 0x1a)},
		body{kind: unary, code: []byte{
			0x20, 0, 0x41, 2, 0x48, 0x04, 0x40, 0x20, 0, 0x0f, 0x0b,
			0x20, 0, 0x41, 1, 0x6b, 0x10, 1, 0x20, 0, 0x41, 2, 0x6b, 0x10, 1, 0x6a,
		}})
}
