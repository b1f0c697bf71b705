package main

import (
	"fmt"
	"strconv"
)

// Memory limit of policy/admit.rego, in bytes, and what a child may hold beside it.
const (
	memoryLimit = 57344 << 16
	childRoom   = 64 << 20
)

// functionTargets compares the rows with what the project set itself.
func (b *bench) functionTargets(rows []*row) {
	find := func(kind string, n int) *row {
		for _, r := range rows {
			if r.Kind == kind && r.Items == n {
				return r
			}
		}
		return nil
	}
	// A row that was not asked for is no target of this run.
	wanted := func(kind string, n int) bool {
		return b.only.MatchString(kind+"/"+strconv.Itoa(n)) && (n < 10000 || !b.Quick)
	}
	compare := func(kind string, n int, column, peer string, t target) {
		if !wanted(kind, n) {
			return
		}
		t.Name = fmt.Sprintf("%s/%d: %s to %s, CPU", kind, n, column, peer)
		r := find(kind, n)
		b.aim(t, r.column(column).ratio(cpu, r.column(peer), cpu))
	}
	compare("kyaml", 10, "krmsafe cold", "krmsafe compile", target{Bound: 0.3})
	for _, program := range []string{"sandbox", "krmsafe"} {
		for _, w := range []struct {
			kind                      string
			wazero, wasmtime, stretch float64
		}{{"kyaml", 0.40, 5.5, 2.7}, {"lean", 0.40, 2.8, 1.6}, {"rust", 0.65, 1.4, 1.2}, {"c", 0.65, 1.4, 1.2}} {
			compare(w.kind, 10, program+" warm", "wazero", target{Bound: w.wazero})
			compare(w.kind, 10, program+" warm", "wasmtime", target{Bound: w.wasmtime, Stretch: w.stretch})
		}
		for _, k := range kinds {
			for _, n := range []int{1000, 10000} {
				bound := 3.3
				if k.goes {
					bound = 5
				}
				compare(k.name, n, program+" warm", "native", target{Bound: bound})
				if k.goes {
					compare(k.name, n, program+" warm", "wasmtime", target{Bound: 1.7})
				}
			}
		}
	}
	for _, k := range kinds {
		if !wanted(k.name, 10000) {
			continue
		}
		r := find(k.name, 10000)
		warm := r.column("krmsafe warm")
		b.aim(target{
			Name: k.name + "/10000: host work to kyaml's reading and writing, CPU", Bound: 0.6,
			Why: "the whole parent process, with verification, policy, diff, redaction and emission; the function changes every resource",
		},
			warm.ratio(hostCPU, r.column("kyaml read+write"), cpu))
		b.aim(target{Name: k.name + "/10000: peak of the child to its limit + 64 MB", Bound: 1}, warm.median(childPeak)/(memoryLimit+childRoom))
	}
}
