package wasm

// constExpr reads a constant expression that must yield want: one constant
// instruction, then end (spec 3.3.10; with one instruction nothing else can
// have the right type).
func (d *decoder) constExpr(want ValType) {
	at := d.r.Offset()
	got := d.constInstr(at)
	d.constEnd()
	if d.ok() && got != want {
		d.failAt(at, CodeInvalidType, "type mismatch: a constant expression of type %s where %s is wanted", got, want)
	}
}

// constEnd reads the end of a constant expression. What else may stand there
// is read on, to tell a value too many from arithmetic on values, which the
// extended-const proposal allows.
func (d *decoder) constEnd() {
	for more := false; d.ok(); more = true {
		at := d.r.Offset()
		if d.r.Left() > 0 && isConst(Opcode(d.r.buf[d.r.pos])) {
			d.constInstr(at)
			continue
		}
		b := d.r.Byte()
		switch {
		case Opcode(b) == OpEnd && more:
			d.failAt(at, CodeInvalidType, "type mismatch: a constant expression with more than one value")
		case Opcode(b) == OpEnd:
			return
		case d.ok():
			d.r.fail(refuseConst(b, at))
		}
	}
}

func isConst(op Opcode) bool {
	switch op {
	case OpI32Const, OpI64Const, OpF32Const, OpF64Const, OpRefNull, OpRefFunc, OpGlobalGet:
		return true
	}
	return false
}

func (d *decoder) constInstr(at int) ValType {
	b := d.r.Byte()
	switch Opcode(b) {
	case OpI32Const:
		d.r.S32()
		return I32
	case OpI64Const:
		d.r.S64()
		return I64
	case OpF32Const:
		d.r.Bytes(4)
		return F32
	case OpF64Const:
		d.r.Bytes(8)
		return F64
	case prefixSIMD:
		start := d.r.Offset()
		sub := d.r.U32()
		if d.ok() && sub != 0x0c {
			d.failAt(at, CodeInvalidConst, "constant expression required")
		}
		if d.ok() && d.r.Offset()-start != 1 {
			e := paddedOpcode(prefixSIMD, sub)
			e.Offset = int64(at)
			d.r.fail(e)
		}
		d.r.Bytes(16)
		d.m.use(FeatureSIMD)
		return V128
	case OpRefNull:
		d.m.use(FeatureReferenceTypes)
		return d.refType()
	case OpRefFunc:
		d.m.use(FeatureReferenceTypes)
		d.declare(d.index("function", len(d.m.Functions)))
		return FuncRef
	case OpGlobalGet:
		return d.constGlobal(at)
	case OpEnd:
		d.failAt(at, CodeInvalidType, "type mismatch: a constant expression without a value")
	default:
		if d.ok() {
			d.r.fail(refuseConst(b, at))
		}
	}
	return anyType
}

// constGlobal allows what wasm 2.0 does: an imported immutable global.
func (d *decoder) constGlobal(at int) ValType {
	i := d.index("global", len(d.m.Globals))
	if !d.ok() {
		return anyType
	}
	g := d.m.Globals[i]
	if int(i) >= d.m.ImportedGlobals {
		d.failAt(at, CodeInvalidIndex, "unknown global %d: a constant expression may read imported globals only", i)
	} else if g.Mutable {
		d.failAt(at, CodeInvalidConst, "constant expression required: global %d is mutable", i)
	}
	return g.Type
}

// refuseConst says why an opcode may not stand in a constant expression.
func refuseConst(b byte, at int) *Error {
	switch b {
	case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e:
		return featureError(CodeFeatureExtendedConst, at, "arithmetic in a constant expression")
	case prefixGC:
		return featureError(CodeFeatureGC, at, "opcode 0xfb in a constant expression")
	}
	if Opcode(b).Immediates() == ImmIllegal && b != prefixMisc && b != prefixSIMD {
		e := refuseOpcode(b, 0)
		e.Offset = int64(at)
		return e
	}
	return errorAt(CodeInvalidConst, at, "constant expression required, not opcode 0x%02x", b)
}
