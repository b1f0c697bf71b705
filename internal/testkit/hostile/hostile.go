// Package hostile builds modules that attack whoever reads, compiles or runs
// them, one for each class of attack that is known, and says how each of them
// must end. It is imported by tests only. Every module is made here, from
// source; none is stored.
package hostile

import (
	"time"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/wasm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// Case is one attack.
type Case struct {
	// Name says what the module does, Class what it attacks.
	Name, Class string
	// Module builds the module.
	Module func() []byte
	// Want lists the codes that are right: of the inspector's refusal or of the
	// run's end, where empty is a run that ends well. A code that ends in a dot
	// stands for all that begin with it.
	Want []string
	// Limits changes the limits under which it runs; nil leaves them.
	Limits func(*sandbox.Limits)
}

// Classes of attacks.
const (
	Malformed = "malformed"  // counts and lengths that are not so
	Features  = "features"   // what WebAssembly 2.0 does not have
	Compile   = "compile"    // small modules that take long or much to compile
	Processor = "processor"  // code that does not end
	Memory    = "memory"     // linear memory
	Tables    = "tables"     // table entries
	Stack     = "stack"      // nested calls
	HostCalls = "host calls" // the functions that the engine offers
	Deception = "deception"  // ends that look like others, names that look like messages
	Linking   = "linking"    // imports and exports
)

// Cases lists all attacks, in a fixed order.
func Cases() []Case {
	var all []Case
	for _, group := range [][]Case{
		malformed(), features(), compileBombs(), burners(), memoryBombs(), tableBombs(), stackBombs(), hostCalls(), deceptions(), linking(),
	} {
		all = append(all, group...)
	}
	return all
}

// types that the cases use.
var (
	i32x1 = asm.Types{asm.I32}
	i32x2 = asm.Types{asm.I32, asm.I32}
	i32x3 = asm.Types{asm.I32, asm.I32, asm.I32}
	i32x4 = asm.Types{asm.I32, asm.I32, asm.I32, asm.I32}
)

// command is a module with a memory of some pages and a _start that build
// makes.
func command(pages uint32, build func(m *asm.Module) uint32) func() []byte {
	return func() []byte {
		m := &asm.Module{}
		m.Export("memory", wasm.KindMemory, m.Memory(pages, -1))
		m.ExportFunc("_start", build(m))
		return m.Bytes()
	}
}

// body is a command whose _start has locals and code.
func body(locals asm.Types, code ...[]byte) func() []byte {
	return command(1, func(m *asm.Module) uint32 { return m.Func(nil, nil, locals, code...) })
}

// section is a module of one section whose contents are given as they are.
func section(id wasm.SectionID, payload ...byte) func() []byte {
	return func() []byte { return wasm.AppendSection(wasm.AppendHeader(nil), id, payload) }
}

func fuel(n uint64) func(*sandbox.Limits) { return func(l *sandbox.Limits) { l.Fuel = n } }

func clock(d time.Duration) func(*sandbox.Limits) { return func(l *sandbox.Limits) { l.Timeout = d } }
