package wasm

// run checks the instructions of a body up to and including its final end.
func (v *validator) run() bool {
	for {
		if v.pos >= len(v.code) {
			v.start = v.pos
			return v.fail(CodeTruncated, "the body ends without its final end instruction")
		}
		v.start = v.pos
		b := v.code[v.pos]
		v.pos++
		if s := &plain[b]; s.pops != 0 {
			if !v.apply(s) {
				return false
			}
			continue
		}
		if Opcode(b) == OpEnd {
			if !v.end() {
				return false
			}
			if len(v.frames) == 0 {
				break
			}
			continue
		}
		if !v.instr(b) {
			return false
		}
	}
	if v.pos != len(v.code) {
		return v.fail(CodeTrailing, "%d bytes are left after the final end instruction", len(v.code)-v.pos)
	}
	return true
}

// apply checks an instruction whose type is fixed and that has no immediates.
func (v *validator) apply(s *signature) bool {
	n := len(v.operands) - 1
	if s.pops == 2 {
		if n > v.floor && v.operands[n] == s.b && v.operands[n-1] == s.a {
			v.operands = v.operands[:n]
			v.operands[n-1] = s.out
			v.m.Features |= s.feature
			return true
		}
	} else if s.pops == 1 && n >= v.floor && v.operands[n] == s.a {
		v.operands[n] = s.out
		v.m.Features |= s.feature
		return true
	}
	return v.applySlow(s)
}

func (v *validator) applySlow(s *signature) bool {
	v.m.Features |= s.feature
	if s.pops > 2 && !v.pop(s.c) || s.pops > 1 && !v.pop(s.b) || !v.pop(s.a) {
		return false
	}
	v.push(s.out)
	return true
}

// instr checks the instructions that have immediates or a type of their own;
// the frequent ones stand first.
func (v *validator) instr(b byte) bool {
	switch op := Opcode(b); op {
	case OpLocalGet, OpLocalSet, OpLocalTee:
		return v.local(op)
	case OpI32Const:
		v.push(I32)
		return v.constant(32)
	case OpI64Const:
		v.push(I64)
		return v.constant(64)
	case OpGlobalGet, OpGlobalSet:
		return v.global(op)
	case OpBlock, OpLoop, OpIf:
		return v.block(op)
	case OpElse:
		return v.otherwise()
	case OpBr, OpBrIf:
		return v.branch(op)
	case OpCall:
		f, ok := v.index("function", len(v.m.Functions))
		return ok && v.call(v.m.FuncType(f))
	case OpCallIndirect:
		return v.callIndirect()
	case OpReturn:
		return v.countArity(len(v.frames[0].results)) && v.popList(v.frames[0].results) && v.unreachable()
	case OpUnreachable:
		return v.unreachable()
	case OpNop:
		return true
	case OpDrop:
		return v.drop()
	case OpSelect:
		return v.selectAny()
	case OpBrTable:
		return v.branchTable()
	case OpF32Const:
		v.push(F32)
		return v.skip(4) && v.checkHeight()
	case OpF64Const:
		v.push(F64)
		return v.skip(8) && v.checkHeight()
	}
	if b >= byte(OpI32Load) && b <= byte(OpI64Store32) {
		return v.access(&accesses[b-byte(OpI32Load)])
	}
	return v.rare(b)
}

// rare checks what ordinary code seldom has.
func (v *validator) rare(b byte) bool {
	switch op := Opcode(b); op {
	case OpMemorySize, OpMemoryGrow:
		if !v.memory() || !v.zero() {
			return false
		}
		if op == OpMemoryGrow && !v.pop(I32) {
			return false
		}
		v.push(I32)
		return v.checkHeight()
	case OpSelectT:
		return v.selectTyped()
	case OpTableGet, OpTableSet:
		return v.tableAccess(op)
	case OpRefNull, OpRefIsNull, OpRefFunc:
		return v.reference(op)
	case prefixMisc:
		return v.misc()
	case prefixSIMD:
		return v.simd()
	}
	sub := uint32(0)
	if b == prefixGC || b == prefixThreads {
		sub, _ = U32(v.code[v.pos:])
	}
	return v.failWith(refuseOpcode(b, sub))
}

// constant skips an integer immediate of the given width.
func (v *validator) constant(bits uint) bool {
	if len(v.operands) > v.maxOperands && !v.checkHeight() {
		return false
	}
	if v.pos < len(v.code) && v.code[v.pos] < 0x80 {
		v.pos++
		return true
	}
	_, ok := v.signed(bits)
	return ok
}

func (v *validator) local(op Opcode) bool {
	i, ok := v.u32()
	if !ok {
		return false
	}
	if uint64(i) >= uint64(len(v.locals)) {
		return v.fail(CodeInvalidIndex, "unknown local %d, there are %d", i, len(v.locals))
	}
	t := v.locals[i]
	switch op {
	case OpLocalGet:
		v.push(t)
		return len(v.operands) <= v.maxOperands || v.checkHeight()
	case OpLocalSet:
		return v.pop(t)
	default:
		if !v.pop(t) {
			return false
		}
		v.push(t)
		return len(v.operands) <= v.maxOperands || v.checkHeight()
	}
}

func (v *validator) global(op Opcode) bool {
	i, ok := v.index("global", len(v.m.Globals))
	if !ok {
		return false
	}
	g := v.m.Globals[i]
	if op == OpGlobalGet {
		v.push(g.Type)
		return len(v.operands) <= v.maxOperands || v.checkHeight()
	}
	if !g.Mutable {
		return v.fail(CodeInvalid, "global %d is immutable", i)
	}
	return v.pop(g.Type)
}

func (v *validator) drop() bool {
	if _, ok := v.popAny(); !ok {
		return v.fail(CodeInvalidType, "type mismatch: nothing to drop")
	}
	return true
}
