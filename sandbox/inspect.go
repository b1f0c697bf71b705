package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/krmsafe/krmsafe/internal/hashed"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// Module is a module that Inspect accepted. It is never changed and may be
// shared and run any number of times, concurrently.
type Module struct {
	bytes  []byte
	digest string
	known  knowledge
	seen   bool // it was looked into by an earlier process too
}

// knowledge is what a run needs to know of a module and what a policy is told.
type knowledge struct {
	Facts Facts `json:"facts"`
	// Foreign is the first import that no sandbox has.
	Foreign *Import `json:"foreign,omitempty"`
}

func (k *knowledge) encode() []byte {
	text, err := json.Marshal(k)
	if err != nil {
		panic(err) // strings and numbers can always be written
	}
	return text
}

func (k *knowledge) decode(text []byte) error { return json.Unmarshal(text, k) }

// ModuleError says why bytes are not a module that can run: it is what Inspect
// returns for anything it refuses.
type ModuleError struct {
	// Code is a stable, dotted reason that begins with "module.".
	Code string
	// Offset is the byte at which the reason was found.
	Offset int64
	// Message says what was found and where; foreign text in it is quoted.
	Message string
	// Hint says what to build instead. It may be empty.
	Hint string
}

// Error gives the message.
func (e *ModuleError) Error() string { return e.Message }

// Inspect decodes and validates a module of at most 64 MiB without executing
// anything or handing a byte to the engine. It accepts exactly WebAssembly 2.0,
// within bounds on everything that makes a compiler slow; all else is a
// *ModuleError. The bytes are kept and must not be changed afterwards.
func Inspect(module []byte) (*Module, error) { return inspect(hashed.Of(module)) }

func inspect(module hashed.Bytes) (*Module, error) {
	digest := module.Digest()
	decoded, err := wasm.Decode(module.Data(), wasm.DefaultLimits())
	if err != nil {
		var refused *wasm.Error
		if errors.As(err, &refused) {
			return nil, &ModuleError{Code: refused.Code, Offset: refused.Offset, Message: "module: " + refused.Error(), Hint: refused.Hint}
		}
		return nil, fmt.Errorf("inspecting the module: %w", err)
	}
	m := &Module{bytes: module.Data(), digest: digest, known: knowledge{Facts: factsOf(decoded, digest)}}
	for _, i := range decoded.Imports {
		kind := i.Kind.String()
		if importClass(i.Module, i.Name, kind) == ClassOther {
			m.known.Foreign = &Import{Module: i.Module, Name: i.Name, Kind: kind}
			break
		}
	}
	return m, nil
}

// Digest is the SHA-256 of the module's bytes, as "sha256:" and lower-case hex.
func (m *Module) Digest() string { return m.digest }

// Size is the module's length in bytes.
func (m *Module) Size() int { return len(m.bytes) }

// Facts is what a module's bytes say of it: the module part of the document that
// a policy decides on. Every list is sorted and none is null. Producers and
// custom sections are claims of whoever made the module.
type Facts struct {
	Digest               string          `json:"digest"`
	SizeBytes            int64           `json:"sizeBytes"`
	Imports              []Import        `json:"imports"`
	ImportClasses        []string        `json:"importClasses"`
	Exports              []Export        `json:"exports"`
	Memory               Memory          `json:"memory"`
	Tables               []Table         `json:"tables"`
	Globals              int             `json:"globals"`
	StartSection         bool            `json:"startSection"`
	EntryPoint           string          `json:"entryPoint"`
	Features             []string        `json:"features"`
	Functions            int             `json:"functions"`
	CodeBytes            int64           `json:"codeBytes"`
	DataBytes            int64           `json:"dataBytes"`
	DataSegments         int             `json:"dataSegments"`
	LargestFunctionBytes int64           `json:"largestFunctionBytes"`
	DeepestNesting       int             `json:"deepestNesting"`
	Producers            []Producer      `json:"producers"`
	CustomSections       []CustomSection `json:"customSections"`
}

// Import is one import, with the class of capability that it is for.
type Import struct {
	Module string `json:"module"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Class  string `json:"class"`
}

// Export is one export.
type Export struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// Memory is the linear memory, in pages of 64 KiB. Without a maximum MaxPages is
// what a memory can have at most, 65536; without a memory all is zero.
type Memory struct {
	Declared bool   `json:"declared"`
	Imported bool   `json:"imported"`
	MinPages uint32 `json:"minPages"`
	MaxPages uint32 `json:"maxPages"`
	HasMax   bool   `json:"hasMax"`
}

// Table is one table, imported or defined, in the order of the module. Without a
// maximum MaxElements is 4294967295.
type Table struct {
	Type        string `json:"type"`
	MinElements uint32 `json:"minElements"`
	MaxElements uint32 `json:"maxElements"`
	HasMax      bool   `json:"hasMax"`
}

// Producer is one line of the producers section.
type Producer struct {
	Field   string `json:"field"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

// CustomSection is one custom section. None of them reaches the engine.
type CustomSection struct {
	Name      string `json:"name"`
	SizeBytes int64  `json:"sizeBytes"`
}

// entryPoint is what a command exports (WASI preview 1, application ABI).
const entryPoint = "_start"

// Facts lists what Inspect found. The caller may change the result.
func (m *Module) Facts() Facts {
	f := m.known.Facts
	f.Imports, f.ImportClasses = slices.Clone(f.Imports), slices.Clone(f.ImportClasses)
	f.Exports, f.Tables, f.Features = slices.Clone(f.Exports), slices.Clone(f.Tables), slices.Clone(f.Features)
	f.Producers, f.CustomSections = slices.Clone(f.Producers), slices.Clone(f.CustomSections)
	return f
}

func factsOf(d *wasm.Module, digest string) Facts {
	f := Facts{
		Digest: digest, SizeBytes: int64(d.Size), Imports: []Import{}, ImportClasses: []string{},
		Exports: []Export{}, Tables: []Table{}, Globals: len(d.Globals) - d.ImportedGlobals, StartSection: d.HasStart,
		Features: append([]string{}, d.Features.Names()...), Functions: len(d.Bodies),
		CodeBytes: int64(d.CodeBytes), DataBytes: int64(d.DataBytes), DataSegments: len(d.Data),
		LargestFunctionBytes: int64(d.LargestBody), DeepestNesting: d.DeepestNesting,
		Producers: []Producer{}, CustomSections: []CustomSection{}, Memory: memoryFact(d),
	}
	if hasEntryPoint(d) {
		f.EntryPoint = entryPoint
	}
	for _, i := range d.Imports {
		kind := i.Kind.String()
		f.Imports = append(f.Imports, Import{i.Module, i.Name, kind, importClass(i.Module, i.Name, kind)})
	}
	slices.SortFunc(f.Imports, func(a, b Import) int {
		return strings.Compare(a.Module+"\x00"+a.Name+"\x00"+a.Kind, b.Module+"\x00"+b.Name+"\x00"+b.Kind)
	})
	for _, i := range f.Imports {
		f.ImportClasses = append(f.ImportClasses, i.Class)
	}
	slices.Sort(f.ImportClasses)
	f.ImportClasses = slices.Compact(f.ImportClasses)
	for _, e := range d.Exports {
		f.Exports = append(f.Exports, Export{e.Name, e.Kind.String()})
	}
	slices.SortFunc(f.Exports, func(a, b Export) int { return strings.Compare(a.Name, b.Name) })
	for _, t := range d.Tables {
		f.Tables = append(f.Tables, tableFact(t))
	}
	for _, p := range d.Producers {
		f.Producers = append(f.Producers, Producer(p))
	}
	slices.SortFunc(f.Producers, func(a, b Producer) int {
		return strings.Compare(a.Field+"\x00"+a.Name+"\x00"+a.Version, b.Field+"\x00"+b.Name+"\x00"+b.Version)
	})
	for _, c := range d.Customs {
		f.CustomSections = append(f.CustomSections, CustomSection{c.Name, int64(c.End - c.Start)})
	}
	slices.SortStableFunc(f.CustomSections, func(a, b CustomSection) int { return strings.Compare(a.Name, b.Name) })
	return f
}

func tableFact(t wasm.Table) Table {
	out := Table{Type: t.Type.String(), MinElements: t.Size.Min, MaxElements: t.Size.Max, HasMax: t.Size.HasMax}
	if !out.HasMax {
		out.MaxElements = 1<<32 - 1
	}
	return out
}

func memoryFact(d *wasm.Module) Memory {
	if len(d.Memories) == 0 {
		return Memory{}
	}
	size, imported := d.Memories[0], d.ImportedMemories > 0
	out := Memory{Declared: !imported, Imported: imported, MinPages: size.Min, MaxPages: size.Max, HasMax: size.HasMax}
	if !out.HasMax {
		out.MaxPages = maxMemoryPages
	}
	return out
}

// hasEntryPoint reports whether _start is a function of the type that a command
// has.
func hasEntryPoint(d *wasm.Module) bool {
	e, ok := d.Export(entryPoint)
	if !ok || e.Kind != wasm.KindFunc {
		return false
	}
	t := d.FuncType(e.Index)
	return len(t.Params) == 0 && len(t.Results) == 0
}

// builtByGo reports whether the module claims to come from Go, whose runtime
// reads GOGC and GOMEMLIMIT. A false claim only changes two variables.
func (m *Module) builtByGo() bool {
	for _, p := range m.known.Facts.Producers {
		if p.Field == "language" && p.Name == "Go" {
			return true
		}
	}
	return false
}
