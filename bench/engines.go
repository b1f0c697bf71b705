package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// budget is more than any kernel burns.
const budget = 1 << 50

// A runner executes a compiled module once and returns what it printed, the
// CPU time it took and the fuel it burnt, if it counts.
type runner interface {
	run(ctx context.Context) (out string, cpu time.Duration, used uint64, err error)
	compiled() time.Duration
	close(ctx context.Context)
}

// cpuTime is what this thread has used. The caller must be locked to it.
func cpuTime() time.Duration {
	var u syscall.Rusage
	const thread = 1 // RUSAGE_THREAD
	if err := syscall.Getrusage(thread, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// wazeroRunner is wazero's compiler. met is nil for the plain module.
type wazeroRunner struct {
	rt   wazero.Runtime
	mod  wazero.CompiledModule
	met  *fuel.Metered
	took time.Duration
}

func newWazero(ctx context.Context, module []byte, met *fuel.Metered) (*wazeroRunner, error) {
	return newWazeroWith(ctx, wazero.NewRuntimeConfigCompiler(), module, met)
}

func newWazeroWith(ctx context.Context, config wazero.RuntimeConfig, module []byte, met *fuel.Metered) (*wazeroRunner, error) {
	r := &wazeroRunner{met: met, rt: wazero.NewRuntimeWithConfig(ctx, config.WithDebugInfoEnabled(false))}
	wasi_snapshot_preview1.MustInstantiate(ctx, r.rt)
	if met != nil {
		module = met.Module
	}
	start := cpuTime()
	mod, err := r.rt.CompileModule(ctx, module)
	r.mod, r.took = mod, cpuTime()-start
	return r, err
}

// machineCode is how many bytes of machine code a module compiles to, as they are
// written to a cache.
func machineCode(ctx context.Context, dir string, module []byte, met *fuel.Metered) (bytes int64, err error) {
	if dir, err = os.MkdirTemp(dir, "code"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, cache.Close(ctx)) }()
	r, err := newWazeroWith(ctx, wazero.NewRuntimeConfigCompiler().WithCompilationCache(cache), module, met)
	if err != nil {
		return 0, err
	}
	r.close(ctx)
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			var info fs.FileInfo
			if info, err = e.Info(); err == nil {
				bytes = max(bytes, info.Size()) // the other one is that of the host's functions
			}
		}
		return err
	})
	return bytes, err
}

func (r *wazeroRunner) compiled() time.Duration   { return r.took }
func (r *wazeroRunner) close(ctx context.Context) { _ = r.rt.Close(ctx) }

func (r *wazeroRunner) run(ctx context.Context) (string, time.Duration, uint64, error) {
	var out bytes.Buffer
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions().WithStdout(&out).WithStderr(os.Stderr).WithArgs("kernel")
	runtime.GC()
	mod, err := r.rt.InstantiateModule(ctx, r.mod, config)
	if err != nil {
		return "", 0, 0, err
	}
	defer func() { _ = mod.Close(ctx) }()
	var gauge api.MutableGlobal
	if r.met != nil {
		gauge = mod.ExportedGlobal(r.met.FuelGlobal).(api.MutableGlobal)
		gauge.Set(budget)
		mod.ExportedGlobal(r.met.DepthGlobal).(api.MutableGlobal).Set(fuel.DefaultDepth)
	}
	entry := mod.ExportedFunction("_start")
	start := cpuTime()
	_, err = entry.Call(ctx)
	cpu := cpuTime() - start
	var exit *sys.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 0) {
		return "", 0, 0, err
	}
	used := uint64(0)
	if gauge != nil {
		used = budget - gauge.Get()
	}
	return out.String(), cpu, used, nil
}

// instrument meters a module, again and again for a tenth of a second, and
// says how many megabytes of it (without custom sections) that makes a second.
func instrument(module []byte) (*fuel.Metered, float64, error) {
	m, err := wasm.Decode(module, wasm.DefaultLimits())
	if err != nil {
		return nil, 0, err
	}
	start, n := cpuTime(), 0
	for {
		met, err := fuel.Instrument(m, module, fuel.Options{})
		if err != nil {
			return nil, 0, err
		}
		n++
		if took := cpuTime() - start; took > time.Second/10 {
			return met, float64(n) * float64(met.Stats.BytesBefore) / 1e6 / took.Seconds(), nil
		}
	}
}
