//go:build cgo

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/bytecodealliance/wasmtime-go/v39"
)

func engine(fuel bool) *wasmtime.Engine {
	config := wasmtime.NewConfig()
	config.SetConsumeFuel(fuel)
	return wasmtime.NewEngineWithConfig(config)
}

func compile(fuel bool, file, compiled string) error {
	module, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	m, err := wasmtime.NewModule(engine(fuel), module)
	if err != nil {
		return err
	}
	code, err := m.Serialize()
	if err != nil {
		return err
	}
	return os.WriteFile(compiled, code, 0o600)
}

func run(fuel bool, compiled string, env []string) error {
	e := engine(fuel)
	module, err := wasmtime.NewModuleDeserializeFile(e, compiled)
	if err != nil {
		return err
	}
	linker := wasmtime.NewLinker(e)
	if err := linker.DefineWasi(); err != nil {
		return err
	}
	config := wasmtime.NewWasiConfig()
	config.SetArgv([]string{"krm-function"})
	config.InheritStdin()
	config.InheritStdout()
	config.InheritStderr()
	var names, values []string
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		names, values = append(names, name), append(values, value)
	}
	config.SetEnv(names, values)
	store := wasmtime.NewStore(e)
	store.SetWasi(config)
	if fuel {
		if err := store.SetFuel(1 << 60); err != nil {
			return err
		}
	}
	instance, err := linker.Instantiate(store, module)
	if err != nil {
		return err
	}
	entry := instance.GetFunc(store, "_start")
	if entry == nil {
		return fmt.Errorf("the module exports no _start")
	}
	_, err = entry.Call(store)
	var exit *wasmtime.Error
	if errors.As(err, &exit) {
		if code, ok := exit.ExitStatus(); ok && code == 0 {
			return nil
		}
	}
	return err
}
