package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// An outcome is all that can be seen of one run of a module: what each export
// gave or how it ended, then the memory and the global.
type outcome struct {
	ends    []string
	memory  []byte
	global  uint64
	used    []uint64 // fuel after each call
	metered bool     // metering has ended the last call
}

const (
	generatedFuel  = 300_000
	generatedDepth = 200
)

// execute calls every exported function in turn with fixed arguments. It stops
// after the first call that does not return.
func execute(t *testing.T, config wazero.RuntimeConfig, module []byte, met *fuel.Metered, budget uint64) outcome {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, config)
	defer func() { _ = rt.Close(ctx) }()
	_, err := rt.NewHostModuleBuilder("env").NewFunctionBuilder().
		WithFunc(func(v uint32) uint32 { return v*3 + 1 }).Export("host").Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	m, err := rt.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		if met == nil && strings.Contains(err.Error(), "start") {
			return outcome{ends: []string{ending(err)}} // trapped in the start section, there is no instance
		}
		return outcome{ends: []string{"not instantiated"}}
	}
	var o outcome
	o.call(ctx, m, met, budget)
	if mem := m.ExportedMemory("memory"); mem != nil {
		b, _ := mem.Read(0, mem.Size())
		o.memory = bytes.Clone(b)
	}
	if g := m.ExportedGlobal("global"); g != nil {
		o.global = g.Get()
	}
	return o
}

func (o *outcome) call(ctx context.Context, m api.Module, met *fuel.Metered, budget uint64) {
	var tank, depth api.MutableGlobal
	if met != nil {
		tank, depth = m.ExportedGlobal(met.FuelGlobal).(api.MutableGlobal), m.ExportedGlobal(met.DepthGlobal).(api.MutableGlobal)
		tank.Set(budget)
	}
	names := []string{}
	if met != nil && met.StartFunction != "" {
		names = append(names, met.StartFunction)
	}
	for i := range 8 {
		names = append(names, fmt.Sprintf("f%d", i))
	}
	for _, name := range names {
		f := m.ExportedFunction(name)
		if f == nil {
			continue
		}
		var args []uint64
		for i, t := range f.Definition().ParamTypes() {
			args = append(args, uint64(i)*3)
			if t == api.ValueType(wasm.V128) {
				args = append(args, 5)
			}
		}
		if depth != nil {
			depth.Set(generatedDepth)
		}
		out, err := f.Call(ctx, args...)
		end := fmt.Sprintf("%x", out)
		if err != nil {
			end = ending(err)
		}
		if met == nil || name != met.StartFunction || err != nil {
			o.ends = append(o.ends, end)
		}
		if met != nil {
			o.used = append(o.used, budget-tank.Get())
			o.metered = int64(tank.Get()) < 0 || int64(depth.Get()) < 0
		}
		if err != nil || o.metered {
			return
		}
	}
}

// ending is the engine's reason for a trap without the stack that follows.
func ending(err error) string {
	s := err.Error()
	if i := strings.Index(s, "wasm error: "); i >= 0 {
		s = s[i:]
	}
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}

func (o outcome) same(p outcome) error {
	switch {
	case fmt.Sprint(o.ends) != fmt.Sprint(p.ends):
		return fmt.Errorf("calls ended %v and %v", o.ends, p.ends)
	case o.memory == nil || p.memory == nil:
		return nil
	case !bytes.Equal(o.memory, p.memory):
		return fmt.Errorf("memories differ")
	case o.global != p.global:
		return fmt.Errorf("globals are %d and %d", o.global, p.global)
	}
	return nil
}

// TestFuelGenerated holds metered modules against plain ones: the same
// results, traps and memory, and the same fuel on both engines and each time.
// Fuel is never below the price of what was executed, and equal to it where
// Exact asks for that.
func TestFuelGenerated(t *testing.T) {
	n := uint64(1000)
	if testing.Short() {
		n = 200
	}
	ended, stopped := 0, 0
	for seed := range n {
		if compareGenerated(t, generate(seed)) {
			stopped++
		} else {
			ended++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d modules ended by themselves, %d by metering", ended, stopped)
	if ended < int(n)/4 || stopped < int(n)/50 {
		t.Errorf("%d modules ended by themselves and %d by metering: the generator is off balance", ended, stopped)
	}
}

// compareGenerated reports whether metering ended the run.
func compareGenerated(t *testing.T, module []byte) bool {
	t.Helper()
	m, err := wasm.Decode(module, wasm.DefaultLimits())
	if err != nil {
		t.Fatalf("the generator made an invalid module: %v", err)
	}
	met, err := fuel.Instrument(m, module, fuel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wasm.Decode(met.Module, wasm.DefaultLimits()); err != nil {
		t.Fatalf("the metered module is invalid: %v", err)
	}
	e := engines()
	got := execute(t, e["compiler"], met.Module, met, generatedFuel)
	again := execute(t, e["interpreter"], met.Module, met, generatedFuel)
	if err := got.same(again); err != nil {
		t.Errorf("the engines differ: %v", err)
	}
	if fmt.Sprint(got.used) != fmt.Sprint(again.used) || got.metered != again.metered {
		t.Errorf("fuel was %v under the compiler and %v under the interpreter", got.used, again.used)
	}
	if got.metered {
		return true
	}
	if err := got.same(execute(t, e["compiler"], module, nil, 0)); err != nil {
		t.Errorf("metered and plain: %v", err)
	}
	checkPrice(t, m, module, got)
	checkBudget(t, met, got)
	return false
}

// checkBudget shows that what a run has used is what it needs: it passes with
// that budget, and with one unit less it does not.
func checkBudget(t *testing.T, met *fuel.Metered, got outcome) {
	t.Helper()
	if len(got.used) == 0 || got.used[len(got.used)-1] == 0 {
		return
	}
	config, need := engines()["compiler"], got.used[len(got.used)-1]
	if o := execute(t, config, met.Module, met, need); o.metered || got.same(o) != nil {
		t.Errorf("the run used %d and does not pass with that: %v", need, got.same(o))
	}
	if o := execute(t, config, met.Module, met, need-1); !o.metered {
		t.Errorf("the run used %d and passes with less", need)
	}
}

// checkPrice compares fuel with the price of the instructions executed, as an
// independent meter finds it that charges them one by one.
func checkPrice(t *testing.T, m *wasm.Module, module []byte, got outcome) {
	t.Helper()
	config := engines()["compiler"]
	slow := meterEach(m, module)
	price := execute(t, config, slow.Module, slow, 1<<40)
	exact, err := fuel.Instrument(m, module, fuel.Options{Exact: true})
	if err != nil {
		t.Fatal(err)
	}
	even := execute(t, config, exact.Module, exact, 1<<40)
	for i, p := range price.used {
		if i >= len(got.used) || i >= len(even.used) {
			t.Errorf("calls: %d, %d and %d", len(price.used), len(got.used), len(even.used))
			return
		}
		if got.used[i] < p {
			t.Errorf("call %d burnt %d, and what it executed costs %d", i, got.used[i], p)
		}
		// A call that trapped has paid ahead for what it did not reach.
		if trapped := strings.HasPrefix(price.ends[min(i, len(price.ends)-1)], "wasm error") && i == len(price.used)-1; even.used[i] != p && !trapped {
			t.Errorf("call %d burnt %d under exact placement, and what it executed costs %d", i, even.used[i], p)
		}
	}
}
