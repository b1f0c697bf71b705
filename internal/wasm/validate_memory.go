package wasm

// access checks a load or store.
func (v *validator) access(a *accessType) bool {
	if !v.memarg(a.align) {
		return false
	}
	if a.store {
		return v.pop(a.typ) && v.pop(I32)
	}
	n := len(v.operands) - 1
	if n >= v.floor && v.operands[n] == I32 {
		v.operands[n] = a.typ
		return true
	}
	if !v.pop(I32) {
		return false
	}
	v.push(a.typ)
	return true
}

// memarg reads an alignment, which must not exceed the natural one, and an
// offset.
func (v *validator) memarg(natural uint32) bool {
	if !v.memory() {
		return false
	}
	align, ok := v.u32()
	if !ok {
		return false
	}
	if align > natural {
		if align >= 64 && align < 128 {
			return v.failWith(featureError(CodeFeatureMultiMemory, 0, "a memory index in a memory instruction"))
		}
		return v.fail(CodeInvalidAlign, "alignment 2^%d is larger than natural 2^%d", align, natural)
	}
	_, ok = v.u32()
	return ok
}

func (v *validator) memory() bool {
	if len(v.m.Memories) == 0 {
		return v.fail(CodeInvalidIndex, "unknown memory 0, there is none")
	}
	return true
}

// zero reads the byte where later proposals have a memory index.
func (v *validator) zero() bool {
	b, ok := v.byte()
	if !ok {
		return false
	}
	if b != 0 {
		return v.failWith(featureError(CodeFeatureMultiMemory, 0, "a memory index other than zero"))
	}
	return true
}

func (v *validator) tableAccess(op Opcode) bool {
	v.m.use(FeatureReferenceTypes)
	i, ok := v.index("table", len(v.m.Tables))
	if !ok {
		return false
	}
	t := v.m.Tables[i].Type
	if op == OpTableSet {
		return v.pop(t) && v.pop(I32)
	}
	if !v.pop(I32) {
		return false
	}
	v.push(t)
	return true
}

func (v *validator) reference(op Opcode) bool {
	v.m.use(FeatureReferenceTypes)
	switch op {
	case OpRefNull:
		t, ok := v.refType()
		if !ok {
			return false
		}
		v.push(t)
	case OpRefIsNull:
		t, ok := v.popAny()
		if !ok || !t.isRef() {
			return v.fail(CodeInvalidType, "type mismatch: ref.is_null needs a reference")
		}
		v.push(I32)
	default:
		i, ok := v.index("function", len(v.m.Functions))
		if !ok {
			return false
		}
		if !v.d.isDeclared(i) {
			return v.fail(CodeInvalid, "undeclared function reference %d", i)
		}
		v.push(FuncRef)
	}
	return v.checkHeight()
}

// misc checks the group of prefix 0xfc.
func (v *validator) misc() bool {
	sub, ok := v.u32()
	if !ok {
		return false
	}
	if sub < uint32(len(saturating)) {
		return v.apply(&saturating[sub])
	}
	if sub > 17 {
		return v.failWith(refuseOpcode(prefixMisc, sub))
	}
	switch op := Opcode(prefixMisc)<<8 | Opcode(sub); op {
	case OpMemoryInit, OpDataDrop, OpMemoryCopy, OpMemoryFill:
		v.m.use(FeatureBulkMemory)
		return v.bulkMemory(op)
	case OpTableInit, OpElemDrop, OpTableCopy:
		v.m.use(FeatureBulkMemory)
		return v.bulkTable(op)
	default:
		v.m.use(FeatureReferenceTypes)
		return v.tableSize(op)
	}
}

// threeI32 is what bulk operations take: destination, source or value, length.
var threeI32 = []ValType{I32, I32, I32}

func (v *validator) three() bool { return v.popList(threeI32) }

func (v *validator) bulkMemory(op Opcode) bool {
	if op == OpMemoryInit || op == OpDataDrop {
		i, ok := v.u32()
		if !ok {
			return false
		}
		if !v.m.HasDataCount {
			return v.fail(CodeDataCount, "data count section required")
		}
		if i >= v.m.DataCount {
			return v.fail(CodeInvalidIndex, "unknown data segment %d, there are %d", i, v.m.DataCount)
		}
		if op == OpDataDrop {
			return true
		}
	}
	if op == OpMemoryCopy && !v.zero() {
		return false
	}
	return v.zero() && v.memory() && v.three()
}

func (v *validator) bulkTable(op Opcode) bool {
	if op == OpTableCopy {
		dst, ok := v.index("table", len(v.m.Tables))
		if !ok {
			return false
		}
		src, ok := v.index("table", len(v.m.Tables))
		if !ok {
			return false
		}
		if d, s := v.m.Tables[dst].Type, v.m.Tables[src].Type; d != s {
			return v.fail(CodeInvalidType, "type mismatch: table.copy from %s to %s", s, d)
		}
		return v.three()
	}
	seg, ok := v.index("element segment", len(v.m.Elements))
	if !ok || op == OpElemDrop {
		return ok
	}
	table, ok := v.index("table", len(v.m.Tables))
	if !ok {
		return false
	}
	if d, s := v.m.Tables[table].Type, v.m.Elements[seg].Type; d != s {
		return v.fail(CodeInvalidType, "type mismatch: table.init of %s with %s", d, s)
	}
	return v.three()
}

// tableSize checks table.grow, table.size and table.fill.
func (v *validator) tableSize(op Opcode) bool {
	i, ok := v.index("table", len(v.m.Tables))
	if !ok {
		return false
	}
	t := v.m.Tables[i].Type
	switch op {
	case OpTableGrow:
		if !v.pop(I32) || !v.pop(t) {
			return false
		}
	case OpTableFill:
		return v.pop(I32) && v.pop(t) && v.pop(I32)
	}
	v.push(I32)
	return v.checkHeight()
}
