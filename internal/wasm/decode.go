package wasm

// Decode reads a module, checks that it is well-formed and valid WebAssembly
// 2.0 within the limits, and returns what it found. It executes nothing, and
// allocates in proportion to the module's length. The error is always an
// *Error, and then the module is nil. The result does not keep the input.
func Decode(module []byte, limits Limits) (*Module, error) {
	if uint64(len(module)) > uint64(limits.ModuleBytes) {
		e := limitError(CodeLimitSize, "bytes", uint64(len(module)), uint64(limits.ModuleBytes), 0)
		e.Section = "module"
		return nil, e
	}
	sections, err := splitSections(module, limits.CustomSections)
	if err != nil {
		return nil, err
	}
	d := decoder{module: module, limits: limits, m: &Module{Size: len(module), Sections: sections}}
	for _, s := range sections {
		if e := d.section(s); e != nil {
			e.Section = s.ID.String()
			return nil, e
		}
	}
	if e := d.finish(); e != nil {
		e.Section = "module"
		return nil, e
	}
	return d.m, nil
}

// decoder reads sections one after the other. Its methods record the first
// error in r and return early once there is one.
type decoder struct {
	module []byte
	limits Limits
	m      *Module
	r      Reader
	// declared marks the functions that ref.func may name (spec 3.4.10, C.refs).
	declared      []uint64
	tableElements uint64
	elementItems  uint64
}

func (d *decoder) section(s Section) *Error {
	d.r = NewReader(s.Payload(d.module), s.Start)
	switch s.ID {
	case SectionCustom:
		d.custom(s)
	case SectionType:
		d.types()
	case SectionImport:
		d.imports()
	case SectionFunction:
		d.functions()
	case SectionTable:
		d.tables()
	case SectionMemory:
		d.memories()
	case SectionGlobal:
		d.globals()
	case SectionExport:
		d.exports()
	case SectionStart:
		d.start()
	case SectionElement:
		d.elements()
	case SectionDataCount:
		d.m.DataCount, d.m.HasDataCount = d.r.U32(), true
		d.m.use(FeatureBulkMemory)
		d.bound(CodeLimitData, "data segments", uint64(d.m.DataCount), d.limits.DataSegments)
	case SectionCode:
		d.code()
	case SectionData:
		d.data()
	}
	if d.r.err == nil && d.r.Left() > 0 {
		d.fail(CodeTrailing, "%d bytes are left at the end of the section", d.r.Left())
	}
	return d.r.err
}

// finish checks what holds between sections.
func (d *decoder) finish() *Error {
	m := d.m
	if defined := len(m.Functions) - m.ImportedFunctions; defined != len(m.Bodies) {
		return errorAt(CodeMalformed, m.Size, "the function section declares %d functions and the code section has %d bodies", defined, len(m.Bodies))
	}
	if m.HasDataCount && int(m.DataCount) != len(m.Data) {
		return errorAt(CodeDataCount, m.Size, "the data count section promises %d segments and there are %d", m.DataCount, len(m.Data))
	}
	return nil
}

func (d *decoder) ok() bool { return d.r.err == nil }

func (d *decoder) fail(code, format string, args ...any) {
	d.failAt(d.r.Offset(), code, format, args...)
}

func (d *decoder) failAt(at int, code, format string, args ...any) {
	if d.ok() {
		d.r.fail(errorAt(code, at, format, args...))
	}
}

func (d *decoder) feature(code string, at int, format string, args ...any) {
	if d.ok() {
		e := errorAt(code, at, format, args...)
		d.r.fail(featureError(code, at, e.Message))
	}
}

// bound refuses a count above its limit and says whether it may be believed.
func (d *decoder) bound(code, what string, got uint64, limit uint32) bool {
	if d.ok() && got > uint64(limit) {
		d.r.fail(limitError(code, what, got, uint64(limit), d.r.Offset()))
	}
	return d.ok()
}

// vector reads a vector's length, whose elements have at least minBytes, and
// returns 0 after an error.
func (d *decoder) vector(minBytes uint64, code, what string, limit uint32) int {
	n := d.r.U32()
	if !d.bound(code, what, uint64(n), limit) {
		return 0
	}
	if uint64(n)*minBytes > d.r.left() {
		d.fail(CodeTruncated, "a count promises %d %s and only %d bytes are left", n, what, d.r.Left())
		return 0
	}
	return int(n)
}

func (d *decoder) name() string {
	at := d.r.Offset()
	b := d.r.Name()
	if d.ok() && uint64(len(b)) > uint64(d.limits.NameBytes) {
		d.r.fail(limitError(CodeLimitNameBytes, "bytes in a name", uint64(len(b)), uint64(d.limits.NameBytes), at))
	}
	if !d.ok() {
		return ""
	}
	return string(b)
}

func (d *decoder) index(what string, space int) uint32 {
	at := d.r.Offset()
	i := d.r.U32()
	if d.ok() && int64(i) >= int64(space) {
		d.failAt(at, CodeInvalidIndex, "unknown %s %d, there are %d", what, i, space)
		return 0
	}
	return i
}

func (d *decoder) valType() ValType {
	at := d.r.Offset()
	t := ValType(d.r.Byte())
	if d.ok() && !t.valid() {
		d.r.fail(refuseType(byte(t), at))
	}
	d.m.useType(t)
	return t
}

func (d *decoder) refType() ValType {
	at := d.r.Offset()
	t := ValType(d.r.Byte())
	if d.ok() && t != FuncRef && t != ExternRef {
		d.r.fail(refuseType(byte(t), at))
	}
	d.m.useType(t)
	return t
}
