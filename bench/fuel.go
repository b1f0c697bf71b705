package main

import (
	"context"
	"fmt"
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
		if err := r.measure(ctx, module, b.Rounds, b.Peers); err != nil {
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
	return nil
}
