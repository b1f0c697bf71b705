package wasm

import "fmt"

func (d *decoder) types() {
	n := d.vector(2, CodeLimitTypes, "types", d.limits.Types)
	// Each value type is one byte: what is left bounds them all together, and
	// one array holds them.
	arena := make([]ValType, 0, d.r.Left())
	d.m.Types = make([]FuncType, 0, n)
	list := func(code, what string, limit uint32) []ValType {
		k := d.vector(1, code, what, limit)
		start := len(arena)
		for range k {
			arena = append(arena, d.valType())
		}
		return arena[start:len(arena):len(arena)]
	}
	for range n {
		at := d.r.Offset()
		if form := d.r.Byte(); d.ok() && form != 0x60 {
			d.r.fail(refuseTypeForm(form, at))
		}
		t := FuncType{
			Params:  list(CodeLimitParams, "parameters", d.limits.Params),
			Results: list(CodeLimitResults, "results", d.limits.Results),
		}
		if !d.ok() {
			return
		}
		if len(t.Results) > 1 {
			d.m.use(FeatureMultiValue)
		}
		d.m.Types = append(d.m.Types, t)
	}
}

func (d *decoder) imports() {
	n := d.vector(4, CodeLimitImports, "imports", d.limits.Imports)
	d.m.Imports = make([]Import, 0, n)
	for range n {
		at := d.r.Offset()
		im := Import{Module: d.name(), Name: d.name()}
		if d.ok() && (im.Module == "gojs" || im.Module == "go") {
			d.r.fail(&Error{
				Code: CodeGoJS, Offset: int64(at),
				Message: fmt.Sprintf("a Go module for JavaScript hosts (GOOS=js): it imports from %q", im.Module),
				Hint:    "build it for WASI instead: GOOS=wasip1 GOARCH=wasm go build",
			})
		}
		d.importDesc(&im)
		if !d.ok() {
			return
		}
		d.m.Imports = append(d.m.Imports, im)
	}
	d.m.ImportedFunctions, d.m.ImportedTables = len(d.m.Functions), len(d.m.Tables)
	d.m.ImportedMemories, d.m.ImportedGlobals = len(d.m.Memories), len(d.m.Globals)
}

func (d *decoder) importDesc(im *Import) {
	at := d.r.Offset()
	im.Kind = ExternKind(d.r.Byte())
	switch im.Kind {
	case KindFunc:
		im.Type = d.index("type", len(d.m.Types))
		d.m.Functions = append(d.m.Functions, im.Type)
	case KindTable:
		im.Table = d.table()
		d.m.Tables = append(d.m.Tables, im.Table)
	case KindMemory:
		im.Memory = d.memory()
		d.m.Memories = append(d.m.Memories, im.Memory)
	case KindGlobal:
		im.Global = d.globalType()
		if im.Global.Mutable {
			d.m.use(FeatureMutableGlobals)
		}
		d.m.Globals = append(d.m.Globals, im.Global)
	case 4:
		d.feature(CodeFeatureExceptions, at, "an imported tag")
	default:
		d.failAt(at, CodeMalformed, "malformed import kind 0x%02x", byte(im.Kind))
	}
}

func (d *decoder) functions() {
	n := d.vector(1, CodeLimitFunctions, "functions", d.limits.Functions)
	all := make([]uint32, 0, len(d.m.Functions)+n)
	d.m.Functions = append(all, d.m.Functions...)
	for i := 0; i < n && d.ok(); i++ {
		d.m.Functions = append(d.m.Functions, d.index("type", len(d.m.Types)))
	}
}

func (d *decoder) tables() {
	n := d.vector(3, CodeLimitTables, "tables", d.limits.Tables)
	for i := 0; i < n && d.ok(); i++ {
		d.m.Tables = append(d.m.Tables, d.table())
	}
}

func (d *decoder) table() Table {
	at := d.r.Offset()
	if d.r.Left() > 0 && d.r.buf[d.r.pos] == 0x40 {
		d.feature(CodeFeatureTypedRefs, at, "a table with an initial value")
	}
	t := Table{Type: d.refType(), Size: d.limitsOf("table", 1<<32-1)}
	d.tableElements += uint64(t.Size.Min)
	d.bound(CodeLimitTables, "tables", uint64(len(d.m.Tables))+1, d.limits.Tables)
	d.bound(CodeLimitTableElements, "table elements", d.tableElements, d.limits.TableElements)
	if len(d.m.Tables) > 0 {
		d.m.use(FeatureReferenceTypes)
	}
	return t
}

func (d *decoder) memories() {
	n := d.r.Count(2)
	for i := uint32(0); i < n && d.ok(); i++ {
		d.m.Memories = append(d.m.Memories, d.memory())
	}
}

func (d *decoder) memory() SizeRange {
	at := d.r.Offset()
	if len(d.m.Memories) > 0 {
		d.feature(CodeFeatureMultiMemory, at, "a second memory")
	}
	s := d.limitsOf("memory", 65536)
	d.bound(CodeLimitMemoryPages, "memory pages", uint64(s.Min), d.limits.MemoryPages)
	return s
}

// limitsOf reads a size range (spec 5.3.7) and checks it against the range
// that 32-bit indices allow (spec 3.2.4, 3.2.5).
func (d *decoder) limitsOf(what string, most uint32) SizeRange {
	at := d.r.Offset()
	flags := d.r.Byte()
	if d.ok() && flags > 1 {
		d.r.fail(refuseLimits(flags, at))
	}
	s := SizeRange{Min: d.r.U32(), HasMax: flags == 1}
	if s.HasMax {
		s.Max = d.r.U32()
	}
	switch {
	case s.Min > most || s.Max > most:
		d.failAt(at, CodeInvalidLimits, "%s size must be at most %d", what, most)
	case s.HasMax && s.Min > s.Max:
		d.failAt(at, CodeInvalidLimits, "%s minimum %d is above its maximum %d", what, s.Min, s.Max)
	}
	return s
}

func (d *decoder) globalType() Global {
	g := Global{Type: d.valType()}
	at := d.r.Offset()
	switch mut := d.r.Byte(); mut {
	case 0:
	case 1:
		g.Mutable = true
	case 2, 3:
		d.feature(CodeFeatureThreads, at, "a shared global")
	default:
		d.failAt(at, CodeMalformed, "malformed mutability 0x%02x", mut)
	}
	d.bound(CodeLimitGlobals, "globals", uint64(len(d.m.Globals))+1, d.limits.Globals)
	return g
}

func (d *decoder) globals() {
	n := d.vector(3, CodeLimitGlobals, "globals", d.limits.Globals)
	all := make([]Global, 0, len(d.m.Globals)+n)
	d.m.Globals = append(all, d.m.Globals...)
	for i := 0; i < n && d.ok(); i++ {
		g := d.globalType()
		d.constExpr(g.Type)
		d.m.Globals = append(d.m.Globals, g)
	}
}
