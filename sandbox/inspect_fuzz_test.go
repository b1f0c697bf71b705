package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// engineAccepts compiles a module in the engine's interpreter, in this
// process: only for modules that the inspector has accepted.
func engineAccepts(ctx context.Context, module []byte) (wazero.CompiledModule, func(), error) {
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	c, err := r.CompileModule(ctx, module)
	return c, func() { _ = r.Close(ctx) }, err
}

// agree decodes a module and, if it is accepted, holds what was found against
// what the engine finds in it, which gets it without custom sections as it
// does in a run.
func agree(t *testing.T, name string, module []byte) (accepted bool) {
	t.Helper()
	m, err := wasm.Decode(module, wasm.DefaultLimits())
	if err != nil {
		return false
	}
	if slices.ContainsFunc(m.Imports, func(i wasm.Import) bool { return i.Module == "" }) || padded(module, m) {
		return true // valid, and refused by the interpreter with an error
	}
	c, done, err := engineAccepts(t.Context(), stripped(t, module))
	defer done()
	if err != nil {
		t.Errorf("%s: accepted, and the engine refuses it: %v", name, err)
		return true
	}
	if got := len(c.ImportedFunctions()); got != m.ImportedFunctions {
		t.Errorf("%s: %d imported functions, the engine sees %d", name, m.ImportedFunctions, got)
	}
	exported := 0
	for _, e := range m.Exports {
		if e.Kind != wasm.KindFunc {
			continue
		}
		exported++
		f, typ := c.ExportedFunctions()[e.Name], m.FuncType(e.Index)
		if f == nil || !sameTypes(f.ParamTypes(), typ.Params) || !sameTypes(f.ResultTypes(), typ.Results) {
			t.Errorf("%s: export %q of type %v, the engine sees %v", name, e.Name, typ, f)
		}
	}
	if got := len(c.ExportedFunctions()); got != exported {
		t.Errorf("%s: %d exported functions, the engine sees %d", name, exported, got)
	}
	for _, memory := range c.ExportedMemories() {
		if maximum, has := memory.Max(); memory.Min() != m.Memories[0].Min || has != m.Memories[0].HasMax || has && maximum != m.Memories[0].Max {
			t.Errorf("%s: memory %v, the engine sees %d to %d", name, m.Memories[0], memory.Min(), maximum)
		}
	}
	return true
}

// padded says whether an opcode of the bulk or saturating group is not in its
// shortest form, which the specification allows.
func padded(module []byte, m *wasm.Module) bool {
	for _, b := range m.Bodies {
		for w := wasm.NewWalker(module[b.Code:b.End], b.Code); w.Next(); {
			if w.Op>>8 == 0xfc && w.Imm-w.Start > 2 {
				return true
			}
		}
	}
	return false
}

func stripped(t *testing.T, module []byte) []byte {
	t.Helper()
	b, err := wasm.Strip(module)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sameTypes(engine []api.ValueType, ours []wasm.ValType) bool {
	if len(engine) != len(ours) {
		return false
	}
	for i := range engine {
		if engine[i] != byte(ours[i]) {
			return false
		}
	}
	return true
}

// specModules reads every module of the official testsuite, with its name.
func specModules(t *testing.T) (names []string, modules [][]byte) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatalf("finding the wazero module, whose files hold the spec testsuite: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest", "v*", "testdata", "*.wasm"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the spec testsuite is not in the module cache: %v", err)
	}
	for _, f := range files {
		module, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		names, modules = append(names, filepath.Base(f)), append(modules, module)
	}
	return names, modules
}

// TestInspectorAgreesWithEngine compiles every module of the official
// testsuite that the inspector accepts.
func TestInspectorAgreesWithEngine(t *testing.T) {
	names, modules := specModules(t)
	accepted := 0
	for i, module := range modules {
		if agree(t, names[i], module) {
			accepted++
		}
	}
	if accepted < 2500 {
		t.Errorf("only %d of %d modules were accepted", accepted, len(modules))
	}
}

// TestInspectorAgreesOnMutants changes a byte or two of the testsuite's modules,
// the same ones in every run, and compiles what the inspector still accepts.
func TestInspectorAgreesOnMutants(t *testing.T) {
	_, modules := specModules(t)
	modules = slices.DeleteFunc(modules, func(m []byte) bool { return len(m) < 16 || len(m) > 3000 })
	rnd := rand.New(rand.NewPCG(2, 0))
	accepted := 0
	for range 50_000 {
		mutant := slices.Clone(modules[rnd.IntN(len(modules))])
		for range 1 + rnd.IntN(2) {
			i := wasm.HeaderBytes + rnd.IntN(len(mutant)-wasm.HeaderBytes)
			switch rnd.IntN(3) {
			case 0:
				mutant[i] = byte(rnd.IntN(256))
			case 1:
				mutant[i] ^= 1 << rnd.IntN(8)
			default:
				mutant[i] = mutant[wasm.HeaderBytes+rnd.IntN(len(mutant)-wasm.HeaderBytes)]
			}
		}
		if agree(t, fmt.Sprintf("mutant %x", mutant), mutant) {
			accepted++
		}
	}
	if accepted < 5000 {
		t.Errorf("only %d mutants were accepted", accepted)
	}
}

// FuzzInspectAgainstEngine: what the inspector accepts, the engine accepts too
// and sees alike.
func FuzzInspectAgainstEngine(f *testing.F) {
	for _, m := range [][]byte{asm.Cat(), asm.Spin(), asm.Exit(1), asm.Trap(), asm.GrowForever(), asm.Flood(2)} {
		f.Add(m)
	}
	var m asm.Module
	m.ImportTable("env", "t", asm.FuncRef, 1, 2)
	m.ImportGlobal("env", "g", asm.I32, false)
	fn := m.Func(asm.Types{asm.I32}, asm.Types{asm.I32}, asm.Types{asm.V128},
		asm.Block(asm.Result(asm.I32), asm.Get(0), asm.Get(0), asm.BrTable([]uint32{0, 1}, 0)))
	m.Memory(1, 2)
	m.ExportFunc("f", fn)
	m.Elements(0, fn)
	m.Data(0, []byte("x"))
	m.PassiveData([]byte("y"))
	f.Add(m.Bytes())
	f.Fuzz(func(t *testing.T, module []byte) {
		if len(module) > 1<<16 {
			return
		}
		agree(t, "module", module)
	})
}

// interpret runs a module in this process, with stdin and at most 64 pages.
func interpret(t *testing.T, module, stdin []byte) ([]byte, error) {
	t.Helper()
	ctx := t.Context()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithMemoryLimitPages(64))
	defer func() { _ = r.Close(ctx) }()
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	var out bytes.Buffer
	_, err := r.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithStdin(bytes.NewReader(stdin)).WithStdout(&out))
	return out.Bytes(), err
}

// TestTinyPrograms runs the ready-made programs that other tests rely on.
func TestTinyPrograms(t *testing.T) {
	for _, n := range []int{0, 1, 65519, 65520, 65521, 300_000} {
		in := bytes.Repeat([]byte("krm\n"), n/4+1)[:n]
		if out, err := interpret(t, asm.Cat(), in); err != nil || !bytes.Equal(in, out) {
			t.Errorf("Cat of %d bytes gave %d bytes: %v", n, len(out), err)
		}
	}
	var exit *sys.ExitError
	if _, err := interpret(t, asm.Exit(7), nil); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("Exit(7) = %v", err)
	}
	for name, module := range map[string][]byte{"Trap": asm.Trap(), "GrowForever": asm.GrowForever()} {
		if _, err := interpret(t, module, nil); err == nil || !strings.Contains(err.Error(), "unreachable") {
			t.Errorf("%s = %v, want a trap", name, err)
		}
	}
}
