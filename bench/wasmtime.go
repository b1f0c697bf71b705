//go:build cgo

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/bytecodealliance/wasmtime-go/v39"
)

// wasmtimeRunner is wasmtime, compiled ahead of time.
type wasmtimeRunner struct {
	engine *wasmtime.Engine
	module *wasmtime.Module
	linker *wasmtime.Linker
	fuel   bool
	dir    string
	took   time.Duration
}

func newWasmtime(module []byte, withFuel bool) (runner, error) {
	config := wasmtime.NewConfig()
	config.SetConsumeFuel(withFuel)
	engine := wasmtime.NewEngineWithConfig(config)
	start := time.Now()
	m, err := wasmtime.NewModule(engine, module)
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	linker := wasmtime.NewLinker(engine)
	if err := linker.DefineWasi(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	return &wasmtimeRunner{engine: engine, module: m, linker: linker, fuel: withFuel, dir: dir, took: took}, nil
}

func (r *wasmtimeRunner) compiled() time.Duration { return r.took }
func (r *wasmtimeRunner) close(context.Context)   { _ = os.RemoveAll(r.dir) }

func (r *wasmtimeRunner) run(context.Context) (string, time.Duration, uint64, error) {
	stdout := filepath.Join(r.dir, "stdout")
	config := wasmtime.NewWasiConfig()
	config.SetArgv([]string{"kernel"})
	if err := config.SetStdoutFile(stdout); err != nil {
		return "", 0, 0, err
	}
	config.InheritStderr()
	store := wasmtime.NewStore(r.engine)
	defer store.Close()
	store.SetWasi(config)
	if r.fuel {
		if err := store.SetFuel(budget); err != nil {
			return "", 0, 0, err
		}
	}
	inst, err := r.linker.Instantiate(store, r.module)
	if err != nil {
		return "", 0, 0, err
	}
	entry := inst.GetFunc(store, "_start")
	if entry == nil {
		return "", 0, 0, fmt.Errorf("no _start")
	}
	start := cpuTime()
	_, err = entry.Call(store)
	cpu := cpuTime() - start
	if err != nil {
		var e *wasmtime.Error
		if !errors.As(err, &e) {
			return "", 0, 0, err
		}
		if code, ok := e.ExitStatus(); !ok || code != 0 {
			return "", 0, 0, err
		}
	}
	used := uint64(0)
	if r.fuel {
		left, err := store.GetFuel()
		if err != nil {
			return "", 0, 0, err
		}
		used = budget - left
	}
	out, err := os.ReadFile(stdout)
	return string(out), cpu, used, err
}
