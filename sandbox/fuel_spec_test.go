package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// specDir finds the official testsuite, which the wazero module carries. A
// missing suite fails: nothing else shows that metering keeps the semantics.
func specDir(t *testing.T) string {
	t.Helper()
	return specDirOf(t)
}

func specDirOf(tb testing.TB) string {
	tb.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		tb.Fatalf("locating the wazero module: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
}

type specValue struct {
	Type     string `json:"type"`
	LaneType string `json:"lane_type"`
	Value    any    `json:"value"`
}

type specAction struct {
	Type   string      `json:"type"`
	Module string      `json:"module"`
	Field  string      `json:"field"`
	Args   []specValue `json:"args"`
}

type specCommand struct {
	Type       string      `json:"type"`
	Line       int         `json:"line"`
	Name       string      `json:"name"`
	As         string      `json:"as"`
	Filename   string      `json:"filename"`
	ModuleType string      `json:"module_type"`
	Text       string      `json:"text"`
	Action     specAction  `json:"action"`
	Expected   []specValue `json:"expected"`
}

// specFuel is more than any case of the suite burns.
const specFuel = 1 << 40

// TestFuelSpec runs every module of the official testsuite metered, on both
// engines: each assertion must hold as it does for the module as it is.
func TestFuelSpec(t *testing.T) {
	dir := specDir(t)
	for name, config := range engines() {
		for _, version := range []string{"v1", "v2"} {
			files, err := filepath.Glob(filepath.Join(dir, version, "testdata", "*.json"))
			if err != nil || len(files) < 50 {
				t.Fatalf("the official testsuite is incomplete in %s: %d files, %v", dir, len(files), err)
			}
			modules, asserts := 0, 0
			for _, file := range files {
				t.Run(name+"/"+version+"/"+strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
					r := newSpecRun(t, config, filepath.Join(dir, "testdata", "spectest.wasm"))
					r.file(file)
					modules += r.modules
					asserts += r.asserts
				})
			}
			t.Logf("%s %s: %d modules metered, %d assertions", name, version, modules, asserts)
			if modules < 600 || asserts < 10_000 {
				t.Errorf("%s %s ran %d modules and %d assertions, too few to be the whole suite", name, version, modules, asserts)
			}
		}
	}
}

func engines() map[string]wazero.RuntimeConfig {
	return map[string]wazero.RuntimeConfig{
		"compiler":    wazero.NewRuntimeConfigCompiler().WithCoreFeatures(api.CoreFeaturesV2),
		"interpreter": wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2),
	}
}

type specRun struct {
	t       *testing.T
	ctx     context.Context
	rt      wazero.Runtime
	named   map[string]api.Module
	last    api.Module
	gauges  []gauge
	modules int
	asserts int
}

// A gauge is the two counters of one metered instance.
type gauge struct{ fuel, depth api.MutableGlobal }

func newSpecRun(t *testing.T, config wazero.RuntimeConfig, spectest string) *specRun {
	t.Helper()
	r := &specRun{t: t, ctx: context.Background(), named: map[string]api.Module{}}
	r.rt = wazero.NewRuntimeWithConfig(r.ctx, config)
	t.Cleanup(func() { _ = r.rt.Close(r.ctx) })
	host, err := os.ReadFile(spectest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.rt.InstantiateWithConfig(r.ctx, host, wazero.NewModuleConfig()); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *specRun) file(path string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	var script struct{ Commands []specCommand }
	if err := json.Unmarshal(raw, &script); err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(script.Commands); i++ {
		c := &script.Commands[i]
		name := ""
		if c.Type == "module" && i+1 < len(script.Commands) && script.Commands[i+1].Type == "register" {
			name = script.Commands[i+1].As
			i++
		}
		r.command(c, filepath.Dir(path), name)
	}
}

func (r *specRun) command(c *specCommand, dir, name string) {
	switch c.Type {
	case "module":
		m, err := r.instantiate(filepath.Join(dir, c.Filename), name)
		if err != nil {
			r.t.Fatalf("line %d: %v", c.Line, err)
		}
		if c.Name != "" {
			r.named[c.Name] = m
		}
		r.last = m
	case "assert_return", "action":
		r.asserts++
		got, err := r.act(c)
		if err != nil {
			r.t.Errorf("line %d: %s: %v", c.Line, c.Action.Field, err)
			return
		}
		if c.Type == "assert_return" {
			r.compare(c, got)
		}
	case "assert_trap", "assert_exhaustion":
		r.asserts++
		_, err := r.act(c)
		if err == nil {
			r.t.Errorf("line %d: %s did not trap, want %q", c.Line, c.Action.Field, c.Text)
			return
		}
		r.trapped(c, err)
	case "assert_uninstantiable":
		r.asserts++
		_, err := r.instantiate(filepath.Join(dir, c.Filename), "")
		if err == nil && c.Text != "out of bounds table access" {
			r.t.Errorf("line %d: instantiated, want %q", c.Line, c.Text)
		}
	}
}

// trapped checks that the reason of a trap is the one of the suite, and not
// the metering unless the suite exhausts the stack.
func (r *specRun) trapped(c *specCommand, err error) {
	fuelOut, depthOut := false, false
	for _, g := range r.gauges {
		fuelOut = fuelOut || int64(g.fuel.Get()) < 0
		depthOut = depthOut || int64(g.depth.Get()) < 0
	}
	if c.Type == "assert_exhaustion" {
		if !depthOut {
			r.t.Errorf("line %d: %s ended by %v, want the bound on depth", c.Line, c.Action.Field, err)
		}
		return
	}
	if fuelOut || depthOut {
		r.t.Errorf("line %d: %s was stopped by metering: fuel %v, depth %v", c.Line, c.Action.Field, fuelOut, depthOut)
	}
	want := c.Text
	switch want {
	case "indirect call":
		want = "indirect call type mismatch"
	case "undefined element", "undefined", "out of bounds table access":
		want = "invalid table access"
	case "invalid conversion to integer":
	case "null", "null reference", "null function reference", "null function":
		want = "null"
	default:
		if strings.HasPrefix(want, "uninitialized") {
			want = "invalid table access"
		}
	}
	if !strings.Contains(err.Error(), want) {
		r.t.Errorf("line %d: %s: %v, want %q", c.Line, c.Action.Field, err, c.Text)
	}
}

func (r *specRun) instantiate(path, name string) (api.Module, error) {
	module, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	met, err := meter(module)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	r.modules++
	return r.add(met, name)
}

// specHost is the module that the suite imports from.
func specHost(t *testing.T) string {
	t.Helper()
	return filepath.Join(specDir(t), "testdata", "spectest.wasm")
}

// add instantiates a metered module and runs its start function.
func (r *specRun) add(met *fuel.Metered, name string) (api.Module, error) {
	m, err := r.rt.InstantiateWithConfig(r.ctx, met.Module, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
	if err != nil {
		return nil, err
	}
	g := gauge{m.ExportedGlobal(met.FuelGlobal).(api.MutableGlobal), m.ExportedGlobal(met.DepthGlobal).(api.MutableGlobal)}
	r.gauges = append(r.gauges, g)
	r.refill()
	if met.StartFunction != "" {
		if _, err := m.ExportedFunction(met.StartFunction).Call(r.ctx); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func meter(module []byte) (*fuel.Metered, error) {
	m, err := wasm.Decode(module, wasm.DefaultLimits())
	if err != nil {
		return nil, err
	}
	return fuel.Instrument(m, module, fuel.Options{})
}

func (r *specRun) refill() {
	for _, g := range r.gauges {
		g.fuel.Set(specFuel)
		g.depth.Set(fuel.DefaultDepth)
	}
}

func (r *specRun) act(c *specCommand) ([]uint64, error) {
	m := r.last
	if c.Action.Module != "" {
		m = r.named[c.Action.Module]
	}
	if c.Action.Type == "get" {
		return []uint64{m.ExportedGlobal(c.Action.Field).Get()}, nil
	}
	var args []uint64
	for _, a := range c.Action.Args {
		v, err := a.bits()
		if err != nil {
			return nil, err
		}
		args = append(args, v...)
	}
	f := m.ExportedFunction(c.Action.Field)
	if f == nil {
		return nil, errors.New("no such export")
	}
	r.refill()
	return f.Call(r.ctx, args...)
}

func (r *specRun) compare(c *specCommand, got []uint64) {
	for _, e := range c.Expected {
		n := 1
		if e.Type == "v128" {
			n = 2
		}
		if len(got) < n {
			r.t.Errorf("line %d: %s returned too few values", c.Line, c.Action.Field)
			return
		}
		if !e.matches(got[:n]) {
			r.t.Errorf("line %d: %s = %x, want %v", c.Line, c.Action.Field, got[:n], e)
		}
		got = got[n:]
	}
	if len(got) > 0 {
		r.t.Errorf("line %d: %s returned too many values", c.Line, c.Action.Field)
	}
}
