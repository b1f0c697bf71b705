package wasm

// elements reads the element section, whose eight forms are told apart by
// three bits (spec 5.5.12): passive or declarative, explicit table or
// declarative, expressions instead of function indices.
func (d *decoder) elements() {
	n := d.vector(2, CodeLimitElements, "element segments", d.limits.Elements)
	d.m.Elements = make([]Element, 0, n)
	for i := 0; i < n && d.ok(); i++ {
		d.m.Elements = append(d.m.Elements, d.element())
	}
}

func (d *decoder) element() Element {
	at := d.r.Offset()
	flags := d.r.U32()
	if d.ok() && flags > 7 {
		d.failAt(at, CodeMalformed, "malformed element segment kind %d", flags)
		return Element{}
	}
	e := Element{Type: FuncRef}
	switch {
	case flags&1 == 0:
		if flags&2 != 0 {
			e.Table = d.r.U32()
		}
		if d.ok() && uint64(e.Table) >= uint64(len(d.m.Tables)) {
			d.failAt(at, CodeInvalidIndex, "unknown table %d, there are %d", e.Table, len(d.m.Tables))
		}
		d.constExpr(I32)
	case flags&2 == 0:
		e.Mode = Passive
		d.m.use(FeatureBulkMemory)
	default:
		e.Mode = Declarative
		d.m.use(FeatureReferenceTypes)
	}
	expressions := flags&4 != 0
	if expressions {
		d.m.use(FeatureReferenceTypes)
	}
	if flags&3 != 0 {
		e.Type = d.elementType(expressions)
	}
	if d.ok() && e.Mode == Active && d.m.Tables[e.Table].Type != e.Type {
		d.failAt(at, CodeInvalidType, "type mismatch: %s elements for a table of %s", e.Type, d.m.Tables[e.Table].Type)
	}
	e.Count = d.items(expressions, e.Type)
	return e
}

func (d *decoder) elementType(expressions bool) ValType {
	if expressions {
		return d.refType()
	}
	at := d.r.Offset()
	if kind := d.r.Byte(); d.ok() && kind != 0 {
		d.failAt(at, CodeMalformed, "malformed element kind 0x%02x", kind)
	}
	return FuncRef
}

func (d *decoder) items(expressions bool, t ValType) uint32 {
	size := uint64(1)
	if expressions {
		size = 3
	}
	n := d.vector(size, CodeLimitElementItems, "element items", d.limits.ElementItems)
	d.elementItems += uint64(n) //nolint:gosec // n came from a uint32
	d.bound(CodeLimitElementItems, "element items", d.elementItems, d.limits.ElementItems)
	for i := 0; i < n && d.ok(); i++ {
		if expressions {
			d.constExpr(t)
			continue
		}
		d.declare(d.index("function", len(d.m.Functions)))
	}
	return uint32(n) //nolint:gosec // n came from a uint32
}

func (d *decoder) data() {
	n := d.vector(2, CodeLimitData, "data segments", d.limits.DataSegments)
	d.m.Data = make([]Data, 0, n)
	for range n {
		seg := d.dataMode()
		size := d.r.U32()
		seg.Start = uint32(d.r.Offset()) //nolint:gosec // module sizes are bounded by a uint32
		d.r.Bytes(size)
		seg.End = uint32(d.r.Offset()) //nolint:gosec // module sizes are bounded by a uint32
		if !d.ok() {
			return
		}
		d.m.DataBytes += int(size)
		d.m.Data = append(d.m.Data, seg)
	}
}

func (d *decoder) dataMode() Data {
	at := d.r.Offset()
	switch flags := d.r.U32(); flags {
	case 1:
		d.m.use(FeatureBulkMemory)
		return Data{Mode: Passive}
	case 0, 2:
		memory := uint32(0)
		if flags == 2 {
			memory = d.r.U32()
		}
		if memory != 0 && len(d.m.Memories) > 0 {
			d.feature(CodeFeatureMultiMemory, at, "a data segment for memory %d", memory)
		}
		if len(d.m.Memories) == 0 {
			d.failAt(at, CodeInvalidIndex, "unknown memory %d, there is none", memory)
		}
		d.constExpr(I32)
	default:
		d.failAt(at, CodeMalformed, "malformed data segment kind %d", flags)
	}
	return Data{}
}
