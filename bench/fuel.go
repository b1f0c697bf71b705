package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
)

// fuelSection measures what metering costs: every kernel plain and metered under
// wazero, and for comparison under wasmtime without and with its own fuel.
func fuelSection(ctx context.Context, b *bench) error {
	// Collections of garbage would fall on whichever engine happens to run.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	results := []*result{}
	for _, k := range kernels {
		if !b.only.MatchString(k.name) {
			continue
		}
		r := &result{Kernel: k.name, About: k.about}
		results = append(results, r)
		module, err := k.build(ctx, b.work)
		if err != nil {
			r.NotMeasured = err.Error()
			b.note(k.name, err.Error())
			continue
		}
		if err := r.measure(ctx, b.work, module, b.Rounds, b.Peers); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		if r.PeerNotMeasured != "" {
			b.note(k.name+" under wasmtime", r.PeerNotMeasured)
		}
		b.progress("%s", r.line())
	}
	b.keep("fuel", results)
	if len(results) > 0 {
		table(b.w, results)
	}
	return meterFunctions(ctx, b)
}

// A metering is what metering does to the module of a whole function.
type metering struct {
	Kind          string  `json:"kind"`
	Bytes         int     `json:"bytes"`
	MBPerSecond   float64 `json:"instrumentMBPerSecond"`
	Growth        float64 `json:"moduleGrowth"`
	CompileGrowth float64 `json:"compileGrowth,omitempty"`
	CodeGrowth    float64 `json:"machineCodeGrowth,omitempty"`
}

// meterFunctions measures how fast whole functions are metered, and how they grow.
func meterFunctions(ctx context.Context, b *bench) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	all := []metering{}
	for _, k := range kinds {
		if !b.only.MatchString(k.name) {
			continue
		}
		wasm := filepath.Join(b.work, k.name+".wasm")
		if err := k.build(ctx, b, wasm, filepath.Join(b.work, k.name+".native")); err != nil {
			b.note("metering of "+k.name, err.Error())
			continue
		}
		module, err := os.ReadFile(wasm)
		if err != nil {
			return err
		}
		met, speed, err := instrument(module)
		if err != nil {
			return err
		}
		m := metering{Kind: k.name, Bytes: len(module), MBPerSecond: speed, Growth: float64(met.Stats.BytesAfter) / float64(met.Stats.BytesBefore)}
		b.aim(target{Name: "fuel: metering " + k.name + ", MB/s", Bound: 150, AtLeast: true}, m.MBPerSecond)
		b.aim(target{Name: "fuel: growth of the module " + k.name, Bound: 1.10}, m.Growth)
		if !b.Quick {
			if m.CompileGrowth, m.CodeGrowth, err = compileGrowth(ctx, b.work, module, met); err != nil {
				return err
			}
			b.aim(target{Name: "fuel: growth of the time to compile " + k.name, Bound: 1.10}, m.CompileGrowth)
		}
		all = append(all, m)
	}
	b.keep("metering", all)
	if len(all) == 0 {
		return nil
	}
	fmt.Fprintln(b.w)
	t := b.table()
	fmt.Fprintln(t, "function\tmodule MB\tmetered MB/s\tmodule\tcompile\tmachine code\t")
	for _, m := range all {
		compile, code := "-", "-"
		if m.CompileGrowth > 0 {
			compile, code = times(m.CompileGrowth), times(m.CodeGrowth)
		}
		fmt.Fprintf(t, "%s\t%.2f\t%.0f\t%.3f\t%s\t%s\t\n", m.Kind, float64(m.Bytes)/1e6, m.MBPerSecond, m.Growth, compile, code)
	}
	return t.Flush()
}
