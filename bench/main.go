// Command bench measures what metering costs: every kernel plain and metered
// under wazero, and for comparison under wasmtime without and with its own
// fuel. The four are run in turn, round after round, so that a slow phase of
// the machine falls on all of them; the table gives medians of CPU time and of
// the ratios within one round.
//
// It needs clang with a WebAssembly target and wasi-libc for the C kernels
// (Debian: clang lld wasi-libc libclang-rt-14-dev-wasm32) and cgo for
// wasmtime. What is missing is reported as not measured, never passed over.
//
//	cd bench && go run .
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/debug"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rounds := flag.Int("rounds", 9, "measured rounds of each kernel")
	only := flag.String("kernels", "", "regular expression: only kernels of these names")
	out := flag.String("out", "out", "folder for modules and results")
	peers := flag.Bool("wasmtime", true, "measure wasmtime too")
	flag.Parse()
	if err := run(ctx, os.Stdout, *rounds, *only, *out, *peers); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, rounds int, only, out string, peers bool) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	// Collections of garbage would fall on whichever engine happens to run.
	debug.SetGCPercent(400)
	var results []*result
	for _, k := range kernels {
		if !pattern.MatchString(k.name) {
			continue
		}
		r := &result{Kernel: k.name, About: k.about}
		results = append(results, r)
		module, err := k.build(ctx, out)
		if err != nil {
			r.NotMeasured = err.Error()
			fmt.Fprintf(os.Stderr, "bench: %s not measured: %v\n", k.name, err)
			continue
		}
		if err := r.measure(ctx, module, rounds, peers); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		fmt.Fprintf(os.Stderr, "bench: %s\n", r.line())
	}
	table(w, results)
	data, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "fuel.json"), append(data, '\n'), 0o600)
}
