package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/krmsafe/krmsafe/internal/fuel"
)

// A result is what was measured of one kernel. Times are medians of CPU time.
type result struct {
	Kernel          string  `json:"kernel"`
	About           string  `json:"about"`
	NotMeasured     string  `json:"notMeasured,omitempty"`
	PeerNotMeasured string  `json:"wasmtimeNotMeasured,omitempty"`
	Rounds          int     `json:"rounds"`
	PlainMS         float64 `json:"wazeroMilliseconds"`
	MeteredMS       float64 `json:"meteredMilliseconds"`
	WasmtimeMS      float64 `json:"wasmtimeMilliseconds"`
	WasmtimeFMS     float64 `json:"wasmtimeFuelMilliseconds"`
	Ratio           float64 `json:"ratio"`         // metered to plain
	WasmtimeRatio   float64 `json:"wasmtimeRatio"` // wasmtime with fuel to without
	Fuel            uint64  `json:"fuel"`
	WasmtimeFuel    uint64  `json:"wasmtimeFuel"`
	Growth          float64 `json:"moduleGrowth"`
	CompileGrowth   float64 `json:"compileGrowth"`
	CodeGrowth      float64 `json:"machineCodeGrowth"`
	MBPerSecond     float64 `json:"instrumentMBPerSecond"`
}

func (r *result) measure(ctx context.Context, dir string, module []byte, rounds int, peers bool) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	met, speed, err := instrument(module)
	if err != nil {
		return err
	}
	r.Rounds, r.MBPerSecond = rounds, speed
	r.Growth = float64(met.Stats.BytesAfter) / float64(met.Stats.BytesBefore)

	plain, err := newWazero(ctx, module, nil)
	if err != nil {
		return err
	}
	defer plain.close(ctx)
	metered, err := newWazero(ctx, module, met)
	if err != nil {
		return err
	}
	defer metered.close(ctx)
	if r.CompileGrowth, r.CodeGrowth, err = compileGrowth(ctx, dir, module, met); err != nil {
		return err
	}
	all := []runner{plain, metered}
	if !peers {
		r.PeerNotMeasured = "switched off by -wasmtime=false"
		return r.rounds(ctx, all, rounds)
	}
	for _, withFuel := range []bool{false, true} {
		p, err := newWasmtime(module, withFuel)
		if err != nil {
			r.PeerNotMeasured = err.Error()
			return r.rounds(ctx, all[:2], rounds)
		}
		defer p.close(ctx)
		all = append(all, p)
	}
	return r.rounds(ctx, all, rounds)
}

// compileGrowth compiles both modules in turn, three times at least and until the plain
// one has taken a second, and gives the median of the ratios, and that of the machine
// code's sizes.
func compileGrowth(ctx context.Context, dir string, module []byte, met *fuel.Metered) (growth, code float64, err error) {
	var sizes [2]int64 // this warms up as well
	for i, m := range []*fuel.Metered{nil, met} {
		if sizes[i], err = machineCode(ctx, dir, module, m); err != nil {
			return 0, 0, err
		}
	}
	var plain, metered []float64
	for spent := 0.0; len(plain) < 3 || spent < 1; spent += plain[len(plain)-1] {
		for _, m := range []struct {
			met  *fuel.Metered
			took *[]float64
		}{{nil, &plain}, {met, &metered}} {
			runtime.GC()
			r, err := newWazero(ctx, module, m.met)
			if err != nil {
				return 0, 0, err
			}
			*m.took = append(*m.took, r.compiled().Seconds())
			r.close(ctx)
		}
	}
	return pairs(metered, plain), float64(sizes[1]) / float64(sizes[0]), nil
}

// rounds runs the engines in turn and keeps medians.
func (r *result) rounds(ctx context.Context, all []runner, rounds int) error {
	times := make([][]float64, len(all))
	used := make([]uint64, len(all))
	want := ""
	for round := range rounds + 1 {
		for i := range all {
			// Each round starts with another engine, in case one leaves
			// the machine warmer for the next.
			i = (i + round) % len(all)
			out, cpu, fuelUsed, err := all[i].run(ctx)
			if err != nil {
				return err
			}
			if want == "" {
				want = out
			}
			if out != want {
				return fmt.Errorf("the engines disagree: %q and %q", out, want)
			}
			if round == 0 {
				used[i] = fuelUsed
				continue // the first round warms up
			}
			// wasmtime gives its guests a real clock and real random numbers.
			if i < 2 && fuelUsed != used[i] {
				return fmt.Errorf("fuel differs between runs: %d and %d", fuelUsed, used[i])
			}
			times[i] = append(times[i], float64(cpu)/float64(time.Millisecond))
		}
	}
	r.PlainMS, r.MeteredMS = median(times[0]), median(times[1])
	r.Ratio, r.Fuel = pairs(times[1], times[0]), used[1]
	if len(all) > 2 {
		r.WasmtimeMS, r.WasmtimeFMS = median(times[2]), median(times[3])
		r.WasmtimeRatio, r.WasmtimeFuel = pairs(times[3], times[2]), used[3]
	}
	return nil
}

func (r *result) line() string {
	return fmt.Sprintf("%-13s metered to plain %.3f, wasmtime with its fuel to without %.3f", r.Kernel, r.Ratio, r.WasmtimeRatio)
}

// table prints all results and their summary.
func table(w io.Writer, results []*result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "kernel\twazero ms\tmetered ms\tratio\twasmtime ms\twith fuel ms\tratio\tfuel/v1\twasmtime fuel\tmodule\tcompile\tcode\tMB/s\t")
	product, n, below, worst := 1.0, 0, 0, 0.0
	compared := 0
	for _, r := range results {
		if r.NotMeasured != "" {
			fmt.Fprintf(t, "%s\tnot measured\t\t\t\t\t\t\t\t\t\t\t\n", r.Kernel)
			continue
		}
		peer := []any{"not", "measured", "", ""}
		if r.PeerNotMeasured == "" {
			peer = []any{fmt.Sprintf("%.1f", r.WasmtimeMS), fmt.Sprintf("%.1f", r.WasmtimeFMS), fmt.Sprintf("%.3f", r.WasmtimeRatio), r.WasmtimeFuel}
		}
		fmt.Fprintf(t, "%s\t%.1f\t%.1f\t%.3f\t%v\t%v\t%v\t%d\t%v\t%.3f\t%.2f\t%.2f\t%.0f\t\n", r.Kernel, r.PlainMS, r.MeteredMS, r.Ratio,
			peer[0], peer[1], peer[2], r.Fuel, peer[3], r.Growth, r.CompileGrowth, r.CodeGrowth, r.MBPerSecond)
		product *= r.Ratio
		worst = max(worst, r.Ratio)
		n++
		if r.WasmtimeRatio > 0 {
			compared++
			if r.Ratio < r.WasmtimeRatio {
				below++
			}
		}
	}
	_ = t.Flush()
	if n > 0 {
		fmt.Fprintf(w, "geometric mean of %d kernels: %.3f, largest %.3f; below wasmtime's own ratio on %d of %d\n",
			n, math.Pow(product, 1/float64(n)), worst, below, compared)
	}
	for _, r := range results {
		if r.NotMeasured != "" {
			fmt.Fprintf(w, "not measured: %s: %s\n", r.Kernel, r.NotMeasured)
		}
		if r.PeerNotMeasured != "" {
			fmt.Fprintf(w, "not measured: %s under wasmtime: %s\n", r.Kernel, r.PeerNotMeasured)
		}
	}
}
