package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	experimentalsys "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// programName is the module's argv[0]; some argument parsers fail without one.
const programName = "krm-function"

// features are what the inspector accepts, and nothing experimental.
const features = api.CoreFeaturesV2

// machine is one run inside the child: one runtime, one module, one instance.
type machine struct {
	job     job
	stdout  cappedWriter
	stderr  streamWriter
	memory  *memory
	runtime wazero.Runtime
	names   counterNames
	kept    *compiled // of wayKeep, until it is handed up
	module  wazero.CompiledModule
	meter   *meter
}

func newMachine(j job, stderr func([]byte) error) *machine {
	if j.way != wayMapped {
		debug.SetGCPercent(100) // whatever the program began with: compiling must not fill all that it may have
	}
	return &machine{
		job:    j,
		stdout: cappedWriter{limit: j.limits.OutputBytes},
		stderr: streamWriter{limit: j.limits.StderrBytes, send: stderr},
		memory: &memory{},
	}
}

// compile decodes and compiles the module, or takes its compiled code from where the
// job says. Deadlines are the parent's to keep: checks inside the code would not
// stop every loop and cost far more than a process to kill.
func (m *machine) compile(ctx context.Context, module []byte) (err error) {
	defer func() {
		// The engine panics where the kernel refuses it executable memory.
		if p := recover(); p != nil {
			err = fmt.Errorf("it gave up: %v", p)
		}
	}()
	switch m.job.way {
	case wayMapped:
		return m.mapCode(ctx, module)
	case wayKeep:
		return m.compileAndKeep(ctx, module)
	}
	metered, err := prepare(module, m.job.limits)
	if err != nil {
		return err
	}
	m.names = counterNames{metered.FuelGlobal, metered.DepthGlobal, metered.StartFunction}
	return m.build(ctx, metered.Module, nil)
}

// build hands a module to the engine.
func (m *machine) build(ctx context.Context, module []byte, cache wazero.CompilationCache) (err error) {
	config := wazero.NewRuntimeConfigInterpreter()
	if m.job.way != wayInterpreter {
		config = wazero.NewRuntimeConfigCompiler()
	}
	config = config.WithCoreFeatures(features).WithMemoryLimitPages(memoryPages(m.job.limits)).
		WithDebugInfoEnabled(false).WithCloseOnContextDone(false)
	if cache != nil {
		config = config.WithCompilationCache(cache)
	}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	if _, err = wasi_snapshot_preview1.Instantiate(ctx, m.runtime); err != nil {
		return fmt.Errorf("preparing the imports: %w", err)
	}
	m.module, err = m.runtime.CompileModule(ctx, module)
	return err
}

// compileAndKeep compiles the module and keeps the machine code and all that a later
// run needs besides. What cannot be kept is run all the same.
func (m *machine) compileAndKeep(ctx context.Context, module []byte) error {
	decoded, err := wasm.Decode(module, wasm.DefaultLimits())
	if err != nil {
		return err
	}
	metered, err := fuel.Instrument(decoded, module, fuel.Options{})
	if err != nil {
		return err
	}
	kept := &compiled{names: counterNames{metered.FuelGlobal, metered.DepthGlobal, metered.StartFunction}, tables: decoded.Tables}
	m.names = kept.names
	var pages uint32
	if len(decoded.Memories) > 0 && decoded.ImportedMemories == 0 {
		pages = decoded.Memories[0].Min
	}
	if kept.stub, kept.image, err = makeStub(metered.Module, pages); err != nil {
		return err
	}
	clamped, err := clampTables(metered.Module, decoded.Tables, m.job.limits.TableElements)
	if err != nil {
		return err
	}
	took := errNoEngineCache
	engine := &engineCache{take: func(serialized []byte) error {
		kept.prefix, kept.code, kept.suffix, took = split(serialized)
		return nil
	}}
	cache, _ := engine.wazeroCache()
	if err := m.build(ctx, clamped, cache); err != nil {
		return err
	}
	if took == nil && wholePages(int64(len(kept.code)))+wholePages(int64(len(kept.image))) <= m.job.codeBytes {
		m.kept = kept
	}
	return nil
}

// mapCode builds the stub, whose code the engine finds in the file.
func (m *machine) mapCode(ctx context.Context, head []byte) error {
	code, err := decodeHead(head)
	if err != nil {
		return err
	}
	if err := code.check(m.job.codeBytes); err != nil {
		return err
	}
	// The engine validates the stub; its tables cannot outgrow this run's limit.
	stub, err := clampTables(code.stub, code.tables, m.job.limits.TableElements)
	if err != nil {
		return err
	}
	engine := &engineCache{give: newMappedReader(code, m.job.codeOffset)}
	cache, err := engine.wazeroCache()
	if err != nil {
		return err
	}
	m.names = code.names
	m.memory.imageBytes, m.memory.imageOffset = code.imageBytes, m.job.codeOffset+wholePages(code.codeBytes)
	if err := m.build(ctx, stub, cache); err != nil {
		return err
	}
	if !engine.give.used() {
		return errors.New("the engine did not take the compiled code")
	}
	engine.give.forget()
	return nil
}

// memoryPages is what the engine may give a memory: one page less than all, as
// it counts bytes in 32 bits in some places.
func memoryPages(l Limits) uint32 { return min(l.MemoryPages, maxMemoryPages-1) }

// run instantiates and runs the compiled module.
func (m *machine) run(ctx context.Context, stdin []byte) outcome {
	ctx = experimental.WithMemoryAllocator(ctx, m.memory)
	instance, err := m.runtime.InstantiateModule(ctx, m.module, m.configure(stdin))
	instantiated := err == nil
	if instantiated {
		if m.meter, err = newMeter(instance, m.names, m.job.limits); err != nil {
			return outcome{code: CodeModuleEngine, detail: firstLine(err.Error())}
		}
		err = m.call(ctx, instance)
		m.meter.read()
	}
	o := m.classify(err, instantiated)
	if m.meter != nil {
		o.fuel = m.meter.used()
	}
	o.pages = m.memory.pages()
	if o.code == "" || o.code == CodeGuestExit {
		o.stdout = m.stdout.chunks
	}
	return o
}

// call runs the start function, which the rewriting has made an export so that
// it pays too, and then the entry point.
func (m *machine) call(ctx context.Context, instance api.Module) error {
	for _, name := range []string{m.names.start, entryPoint} {
		if name == "" {
			continue
		}
		m.meter.arm()
		if _, err := instance.ExportedFunction(name).Call(ctx); err != nil {
			return err
		}
		if m.meter.read(); m.meter.ranOut {
			return errMetered
		}
	}
	return nil
}

var errMetered = errors.New("out of fuel")

// configure gives the module its world: one name, constant variables, its input,
// two bounded streams, an empty root, and by default clocks and random numbers
// that are the same in every run.
func (m *machine) configure(stdin []byte) wazero.ModuleConfig {
	in := bytes.NewReader(stdin)
	root := &rootFS{}
	if m.job.grants.StdioPaths {
		root.streams = map[string]experimentalsys.File{
			"dev/stdin": streamFile{r: in}, "dev/stdout": streamFile{w: &m.stdout}, "dev/stderr": streamFile{w: &m.stderr},
		}
	}
	mounts := wazero.NewFSConfig().(sysfs.FSConfig).WithSysFSMount(root, "/")
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions().WithArgs(programName).
		WithStdin(in).WithStdout(&m.stdout).WithStderr(&m.stderr).WithFSConfig(mounts)
	for _, v := range guestEnv(m.job) {
		config = config.WithEnv(v[0], v[1])
	}
	if m.job.grants.Clock {
		config = config.WithSysWalltime().WithSysNanotime()
	}
	if m.job.grants.Random {
		config = config.WithRandSource(rand.Reader)
	}
	return config
}

// guestEnv is the module's whole environment, a documented constant: what kpt
// and kustomize set for functions, and for Go's runtime a garbage collector that
// works only when memory runs short.
func guestEnv(j job) [][2]string {
	env := [][2]string{{"LOG_TO_STDERR", "true"}, {"STRUCTURED_RESULTS", "true"}}
	if j.goGuest {
		limit := uint64(memoryPages(j.limits)) * 65536 / 4 * 3
		env = append(env, [2]string{"GOGC", "off"}, [2]string{"GOMEMLIMIT", fmt.Sprintf("%dB", limit)})
	}
	return env
}

// classify turns the engine's error into a code. Which limit ended the run is
// known from this package's own flags: the text and the exit code are the
// module's to choose.
func (m *machine) classify(err error, instantiated bool) outcome {
	var exit *sys.ExitError
	switch {
	case m.meter != nil && m.meter.ranOut:
		return outcome{code: CodeLimitFuel}
	case m.stdout.exceeded:
		return outcome{code: CodeLimitOutput}
	case m.stderr.exceeded:
		return outcome{code: CodeLimitStderr}
	case err == nil:
		return outcome{}
	case errors.As(err, &exit) && exit.ExitCode() == 0:
		return outcome{}
	case errors.As(err, &exit):
		return outcome{code: CodeGuestExit, exitCode: exit.ExitCode()}
	case m.memory.failed:
		return outcome{code: CodeLimitMemory}
	case m.meter != nil && m.meter.tooDeep:
		return outcome{code: CodeLimitDepth}
	}
	reason := trapReason(err)
	switch {
	case reason == trapStack:
		return outcome{code: CodeLimitStack}
	case reason == "" && !instantiated:
		return outcome{code: CodeModuleEngine, detail: firstLine(err.Error())}
	case reason == "" && strings.Contains(err.Error(), "(recovered by wazero)"):
		reason = "a host call could not take its arguments"
	case reason == "":
		reason = "the engine gave an unknown reason"
	}
	return outcome{code: CodeGuestTrap, detail: reason}
}

const trapStack = "stack overflow"

// trapReason gives the engine's own words for a trap, or nothing: the rest of an
// error's text is a stack trace with names that the module chose.
func trapReason(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	if segment, reason, _ := strings.Cut(line, ": "); strings.HasPrefix(segment, "data[") || strings.HasPrefix(segment, "element[") {
		line = "wasm error: " + reason // a segment that does not fit, when the module is instantiated
	}
	_, reason, ok := strings.Cut(line, "wasm error: ")
	if !ok {
		return ""
	}
	switch reason {
	case trapStack, "invalid conversion to integer", "integer overflow", "integer divide by zero", "unreachable",
		"out of bounds memory access", "out of bounds table access", "invalid table access", "indirect call type mismatch":
		return reason
	}
	return ""
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line[:min(len(line), 300)]
}
