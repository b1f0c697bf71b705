package asm_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
)

func run(t *testing.T, module, stdin []byte) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCloseOnContextDone(true).WithMemoryLimitPages(64))
	t.Cleanup(func() { _ = r.Close(context.Background()) })
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	var out bytes.Buffer
	_, err := r.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithStdin(bytes.NewReader(stdin)).WithStdout(&out))
	return out.Bytes(), err
}

func TestCatIsIdentity(t *testing.T) {
	for _, n := range []int{0, 1, 65519, 65520, 65521, 300_000} {
		in := bytes.Repeat([]byte("krm\n"), n/4+1)[:n]
		out, err := run(t, asm.Cat(), in)
		if err != nil {
			t.Fatalf("Cat of %d bytes: %v", n, err)
		}
		if !bytes.Equal(in, out) {
			t.Errorf("Cat of %d bytes gave %d other bytes", n, len(out))
		}
	}
}

func TestPrograms(t *testing.T) {
	var exit *sys.ExitError
	if _, err := run(t, asm.Exit(7), nil); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("Exit(7) = %v", err)
	}
	for name, module := range map[string][]byte{"Trap": asm.Trap(), "GrowForever": asm.GrowForever()} {
		if _, err := run(t, module, nil); err == nil || !bytes.Contains([]byte(err.Error()), []byte("unreachable")) {
			t.Errorf("%s = %v, want a trap", name, err)
		}
	}
}
