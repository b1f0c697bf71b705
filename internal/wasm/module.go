package wasm

// Module is what Decode learned of a module. Index spaces hold imports first,
// as in the specification. Offsets count bytes from the start of the module.
// A Module is never changed after Decode and may be shared.
type Module struct {
	// Size is the length of the module in bytes.
	Size int
	// Sections are all sections, custom ones included, in order.
	Sections []Section
	// Types is the type section.
	Types []FuncType
	// Imports are in order of the import section.
	Imports []Import
	// Functions holds the type index of every function; the first
	// ImportedFunctions of them are imported.
	Functions         []uint32
	ImportedFunctions int
	Tables            []Table
	ImportedTables    int
	Memories          []SizeRange
	ImportedMemories  int
	Globals           []Global
	ImportedGlobals   int
	Exports           []Export
	// Start is the start function's index if HasStart.
	Start    uint32
	HasStart bool
	Elements []Element
	// DataCount is the count that the data count section gives, if HasDataCount.
	DataCount    uint32
	HasDataCount bool
	// Bodies are the defined functions, so that Bodies[i] is function
	// ImportedFunctions+i.
	Bodies []Body
	Data   []Data
	// Customs are the custom sections, in order.
	Customs []Custom
	// Features are those that the module uses beyond wasm 1.0.
	Features Features
	// CodeBytes and DataBytes are sums over bodies and data segments,
	// LargestBody and DeepestNesting maxima over bodies.
	CodeBytes, DataBytes, LargestBody, DeepestNesting int
	// Producers is what the producers section claims; nobody has checked it.
	Producers []Producer
	// Cost holds the figures that the limits on functions are about.
	Cost Cost
}

// Import is one import. Which of the descriptions counts depends on Kind.
type Import struct {
	Module, Name string
	Kind         ExternKind
	Type         uint32 // of a function
	Table        Table
	Memory       SizeRange
	Global       Global
}

// Export is one export: an index in the index space of Kind.
type Export struct {
	Name  string
	Kind  ExternKind
	Index uint32
}

// Table is a table's element type and size.
type Table struct {
	Type ValType
	Size SizeRange
}

// Global is a global's type.
type Global struct {
	Type    ValType
	Mutable bool
}

// SegmentMode says when a segment is copied (spec 2.5.7, 2.5.8).
type SegmentMode byte

// The modes of element and data segments.
const (
	Active SegmentMode = iota
	Passive
	Declarative
)

// Element is an element segment.
type Element struct {
	Mode  SegmentMode
	Type  ValType
	Table uint32
	Count uint32
}

// Data is a data segment; its bytes are module[Start:End].
type Data struct {
	Start, End uint32
	Mode       SegmentMode
}

// Body is a defined function's body.
type Body struct {
	// Start is the first byte of the locals, Code that of the first
	// instruction; End is the first byte after the final end instruction.
	Start, Code, End int
	// Locals counts declared locals, without parameters; LocalGroups the runs
	// of equal type in which they are declared.
	Locals, LocalGroups uint32
}

// Custom is a custom section; its contents after the name are
// module[Start:End].
type Custom struct {
	Name               string
	Offset, Start, End int
}

// Producer is one entry of the producers section, by convention
// (tool-conventions, ProducersSection.md).
type Producer struct {
	Field   string `json:"field"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Cost holds maxima over all functions of what makes compilers slow.
type Cost struct {
	Locals, Loops, LoopNesting, BranchTargets, Blocks, Operands uint32
	Complexity                                                  uint64
	TotalLocals, TotalArity                                     uint64
}

// FuncType is the type of the function at index in the function index space.
// The index must be valid.
func (m *Module) FuncType(index uint32) FuncType { return m.Types[m.Functions[index]] }

// Section returns the first section with the id and whether there is one.
func (m *Module) Section(id SectionID) (Section, bool) {
	for _, s := range m.Sections {
		if s.ID == id {
			return s, true
		}
	}
	return Section{}, false
}

// Export returns the export of a name and whether there is one.
func (m *Module) Export(name string) (Export, bool) {
	for _, e := range m.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}
