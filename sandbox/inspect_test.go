package sandbox_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// everything is a module that has one of each thing that Facts tells.
func everything() []byte {
	m := &asm.Module{}
	m.WASI("path_open", nil, nil)
	m.WASI("fd_write", nil, nil)
	m.WASI("sock_send", nil, nil)
	m.ImportFunc("env", "thing", nil, nil)
	m.Export("memory", wasm.KindMemory, m.Memory(2, 16))
	m.Table(asm.FuncRef, 3, -1)
	m.Table(asm.ExternRef, 1, 4)
	m.Global(asm.I32, true, asm.I32Const(1))
	f := m.Func(nil, nil, nil, asm.Block(asm.Empty, asm.Block(asm.Empty)))
	m.ExportFunc("_start", f)
	m.Start(f)
	m.Data(0, []byte("data"))
	m.Custom("producers", []byte("\x01\x08language\x01\x02Go\x04go1x"))
	m.Custom("zeta", []byte{1, 2, 3})
	m.Custom("alpha", nil)
	return m.Bytes()
}

// The facts are a contract with policies: what they are called and hold is kept.
func TestFacts(t *testing.T) {
	got, err := json.MarshalIndent(inspect(t, everything()).Facts(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/facts.json", append(got, '\n'))
}

// Every list is there, also where there is nothing to list.
func TestFactsOfNothing(t *testing.T) {
	got, err := json.MarshalIndent(inspect(t, wasm.AppendHeader(nil)).Facts(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/facts_empty.json", append(got, '\n'))
}

func TestInspectNamesWhatItRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, code string
		module     []byte
	}{
		{"a component", "module.component", []byte("\x00asm\x0d\x00\x01\x00")},
		{"text", "module.magic", []byte("(module)")},
	} {
		_, err := sandbox.Inspect(tc.module)
		var refused *sandbox.ModuleError
		if !errors.As(err, &refused) || refused.Code != tc.code || refused.Hint == "" {
			t.Errorf("Inspect(%s) = %+v, want %s with a hint", tc.name, refused, tc.code)
		}
	}
}
