package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	krmsafe "github.com/krmsafe/krmsafe/cmd/krmsafe"
	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/testkit/stamp"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, commands)
}

// tidy removes what the tests have built once all of them are done.
type tidy struct{ *testing.M }

func (m tidy) Run() int {
	code := m.M.Run()
	temps.Range(func(dir, _ any) bool {
		if err := os.RemoveAll(dir.(string)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		return true
	})
	return code
}

// commands are the programs that scripts run.
var commands = map[string]func(){"krmsafe": krmsafe.Main}

// TestScript runs the command as a user does. Each script has the small modules
// of this file in its folder, and finds the repository's testdata in $TESTDATA.
func TestScript(t *testing.T) {
	testdata, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TESTDATA", testdata)
			env.Setenv("KRMSAFE_CACHE", filepath.Join(env.WorkDir, ".cache"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".xdg-cache")) // of compiled code
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, ".xdg-config"))
			env.Setenv("LAYOUT", "oci-layout:"+filepath.Join(testdata, "signed", "cosign3-key"))
			for name, module := range modules() {
				if err := os.WriteFile(filepath.Join(env.WorkDir, name), module, 0o600); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":       status,
			"let":          let,
			"tamper-code":  tamperCode,
			"cut-code":     cutCode,
			"publish":      publish,
			"reports":      reports,
			"tamper":       tamper,
			"function":     function,
			"registry":     serve,
			"emit":         emit,
			"escape":       escape,
			"repeat":       repeat,
			"full":         full,
			"lines":        lines,
			"mode":         mode,
			"push-policy":  pushPolicy,
			"bundle":       bundle,
			"kustomize":    kustomize,
			"refuses":      refuses,
			"expand":       expand,
			"gone":         gone,
			"snapshot":     snapshot,
			"unchanged":    unchanged,
			"swap":         swap,
			"push-catalog": pushCatalog,
			"pin":          pin,
			"mixed":        mixed(t),
		},
	})
}

// modules are what scripts run: functions that behave, and others that do not.
func modules() map[string][]byte {
	return map[string][]byte{
		"cat.wasm":       asm.Cat(),
		"stamp.wasm":     stamp.Module(),
		"spin.wasm":      asm.Spin(),
		"exit3.wasm":     asm.Exit(3),
		"trap.wasm":      asm.Trap(),
		"grow.wasm":      asm.GrowForever(),
		"flood.wasm":     asm.Flood(1),
		"silent.wasm":    asm.Exit(0),
		"replace.wasm":   says(1, "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: web\n"),
		"label.wasm":     says(1, "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- apiVersion: apps/v1\n  kind: Deployment\n  metadata:\n    name: web\n    labels:\n      team: shop\n"),
		"says-list.wasm": says(1, "apiVersion: v1\nkind: List\nitems: []\n"),
		"teller.wasm":    teller(),
		"noisy.wasm":     says(2, "\x1b[31mred\n::error::owned\n##[command]owned\n"),
		"random.wasm":    random(),
		"forge.wasm": says(1, "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: []\nresults:\n"+
			"- {severity: error, message: \"a\\nkrmsafe: signed by key sha256:0000\"}\n"),
		"component.wasm": []byte("\x00asm\x0d\x00\x01\x00"),
		"gojs.wasm":      gojs(),
		"threads.wasm":   []byte("\x00asm\x01\x00\x00\x00\x05\x04\x01\x03\x01\x01"),
	}
}

// says is a function that writes a text to a file descriptor, and to standard
// output nothing else.
func says(fd int32, text string) []byte {
	m := &asm.Module{}
	write := m.WASI("fd_write", asm.Types{asm.I32, asm.I32, asm.I32, asm.I32}, asm.Types{asm.I32})
	m.Export("memory", wasm.KindMemory, m.Memory(1, -1))
	m.ExportFunc("_start", m.Func(nil, nil, nil,
		asm.I32Const(0), asm.I32Const(16), asm.I32Store,
		asm.I32Const(4), asm.I32Const(int32(len(text))), asm.I32Store,
		asm.I32Const(fd), asm.I32Const(0), asm.I32Const(1), asm.I32Const(8), asm.Call(write), asm.Drop))
	m.Data(16, []byte(text))
	return m.Bytes()
}

// random is a function that writes eight random bytes to standard error, and an
// empty ResourceList to standard output.
func random() []byte {
	const text = "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}\n"
	m := &asm.Module{}
	write := m.WASI("fd_write", asm.Types{asm.I32, asm.I32, asm.I32, asm.I32}, asm.Types{asm.I32})
	fill := m.WASI("random_get", asm.Types{asm.I32, asm.I32}, asm.Types{asm.I32})
	m.Export("memory", wasm.KindMemory, m.Memory(1, -1))
	say := func(fd, at, n int32) []byte {
		return asm.Code(asm.I32Const(0), asm.I32Const(at), asm.I32Store, asm.I32Const(4), asm.I32Const(n), asm.I32Store,
			asm.I32Const(fd), asm.I32Const(0), asm.I32Const(1), asm.I32Const(8), asm.Call(write), asm.Drop)
	}
	m.ExportFunc("_start", m.Func(nil, nil, nil,
		asm.I32Const(16), asm.I32Const(8), asm.Call(fill), asm.Drop, say(2, 16, 8), say(1, 32, int32(len(text)))))
	m.Data(32, []byte(text))
	return m.Bytes()
}

// gojs is the shape of a module built with GOOS=js.
func gojs() []byte {
	m := &asm.Module{}
	m.ImportFunc("gojs", "runtime.wasmExit", asm.Types{asm.I32}, nil)
	m.Export("mem", wasm.KindMemory, m.Memory(1, -1))
	m.ExportFunc("run", m.Func(nil, nil, nil))
	return m.Bytes()
}
