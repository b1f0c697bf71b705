package wasm

// oneType holds, for each value type, the list of it alone, which is what a
// block type in short form stands for.
var oneType = func() (t [256][]ValType) {
	for _, v := range []ValType{I32, I64, F32, F64, V128, FuncRef, ExternRef} {
		t[v] = []ValType{v}
	}
	return t
}()

// blockType reads a block type (spec 5.4.1): none, a value type, or a type
// index as a positive 33-bit integer.
func (v *validator) blockType() (params, results []ValType, ok bool) {
	if v.pos >= len(v.code) {
		return nil, nil, v.fail(CodeTruncated, "unexpected end of the body")
	}
	b := v.code[v.pos]
	if b == 0x40 {
		v.pos++
		return nil, nil, true
	}
	if b < 0x80 && b&0x40 != 0 {
		t, ok := v.valType()
		return nil, oneType[t], ok
	}
	i, ok := v.signed(33)
	if !ok {
		return nil, nil, false
	}
	if i < 0 {
		return nil, nil, v.fail(CodeMalformed, "malformed block type %d", i)
	}
	if i >= int64(len(v.m.Types)) {
		return nil, nil, v.fail(CodeInvalidIndex, "unknown type %d, there are %d", i, len(v.m.Types))
	}
	t := v.m.Types[i]
	if len(t.Params) > 0 || len(t.Results) > 1 {
		v.m.use(FeatureMultiValue)
	}
	return t.Params, t.Results, true
}

func (v *validator) block(op Opcode) bool {
	params, results, ok := v.blockType()
	if !ok || op == OpIf && !v.pop(I32) || !v.countBlock() {
		return false
	}
	if uint64(len(v.frames)) > uint64(v.limits.Nesting) {
		return v.failWith(limitError(CodeLimitNesting, "nested blocks", uint64(len(v.frames)), uint64(v.limits.Nesting), 0))
	}
	if op == OpLoop {
		v.openLoops++
		if v.openLoops > v.limits.LoopNesting {
			return v.failWith(limitError(CodeLimitLoopNesting, "nested loops", uint64(v.openLoops), uint64(v.limits.LoopNesting), 0))
		}
		v.m.Cost.LoopNesting = max(v.m.Cost.LoopNesting, v.openLoops)
		v.loops++
		if v.loops > v.limits.Loops {
			return v.failWith(limitError(CodeLimitLoops, "loops in a function", uint64(v.loops), uint64(v.limits.Loops), 0))
		}
	}
	v.m.DeepestNesting = max(v.m.DeepestNesting, len(v.frames))
	if len(params) > 0 && (!v.countArity(len(params)) || !v.popList(params)) {
		return false
	}
	v.floor = len(v.operands)
	v.frames = append(v.frames, frame{op: op, height: v.floor, params: params, results: results})
	v.pushList(params)
	return true
}

// close checks that the innermost frame leaves its results and no more.
func (v *validator) close() bool {
	f := &v.frames[len(v.frames)-1]
	if len(f.results) > 0 && (!v.countArity(len(f.results)) || !v.popList(f.results)) {
		return false
	}
	if len(v.operands) != v.floor {
		return v.fail(CodeInvalidType, "type mismatch: %d values too many at the end of a block", len(v.operands)-v.floor)
	}
	return true
}

func (v *validator) end() bool {
	if !v.close() {
		return false
	}
	f := v.frames[len(v.frames)-1]
	if f.op == OpIf && !sameTypes(f.params, f.results) {
		return v.fail(CodeInvalidType, "type mismatch: an if without else must leave what it takes")
	}
	if f.op == OpLoop {
		v.openLoops--
	}
	v.frames = v.frames[:len(v.frames)-1]
	v.floor = 0
	if len(v.frames) > 0 {
		v.floor = v.frames[len(v.frames)-1].height
	}
	v.pushList(f.results)
	return v.checkHeight()
}

func (v *validator) otherwise() bool {
	f := &v.frames[len(v.frames)-1]
	if f.op != OpIf {
		return v.fail(CodeMalformed, "else outside of an if")
	}
	if !v.close() || !v.countBlock() {
		return false
	}
	f.op, f.unreachable = OpElse, false
	v.pushList(f.params)
	return true
}

func sameTypes(a, b []ValType) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (v *validator) unreachable() bool {
	v.operands = v.operands[:v.floor]
	v.frames[len(v.frames)-1].unreachable = true
	return true
}

func (v *validator) target() (*frame, bool) {
	depth, ok := v.u32()
	if !ok {
		return nil, false
	}
	if uint64(depth) >= uint64(len(v.frames)) {
		return nil, v.fail(CodeInvalidIndex, "unknown label %d, there are %d", depth, len(v.frames))
	}
	return &v.frames[len(v.frames)-1-int(depth)], true
}

func (v *validator) branch(op Opcode) bool {
	f, ok := v.target()
	if !ok {
		return false
	}
	ts := f.label()
	if op == OpBrIf {
		if !v.pop(I32) || !v.countBlock() {
			return false
		}
		if len(ts) > 0 {
			if !v.countArity(len(ts)) || !v.popList(ts) {
				return false
			}
			v.pushList(ts)
			return v.checkHeight()
		}
		return true
	}
	return (len(ts) == 0 || v.countArity(len(ts)) && v.popList(ts)) && v.unreachable()
}

// branchTable checks every label against the operands, each frame once.
func (v *validator) branchTable() bool {
	n, ok := v.u32()
	if !ok || !v.pop(I32) {
		return false
	}
	if int64(n) >= int64(len(v.code)-v.pos) {
		return v.fail(CodeTruncated, "a br_table promises %d labels and only %d bytes are left", n, len(v.code)-v.pos)
	}
	if total := uint64(v.targets) + uint64(n) + 1; total > uint64(v.limits.BranchTargets) {
		return v.failWith(limitError(CodeLimitBranchTargets, "br_table labels in a function", total, uint64(v.limits.BranchTargets), 0))
	}
	v.targets += n + 1
	v.tables++
	arity := -1
	for range n + 1 {
		f, ok := v.target()
		if !ok {
			return false
		}
		if f.table == v.tables {
			continue
		}
		f.table = v.tables
		ts := f.label()
		if arity >= 0 && len(ts) != arity {
			return v.fail(CodeInvalidType, "type mismatch: labels of a br_table take %d and %d values", arity, len(ts))
		}
		arity = len(ts)
		if !v.peekList(ts) {
			return false
		}
	}
	return v.unreachable()
}

// peekList checks that the stack ends in the types, and leaves it as it is:
// below an unconditional branch, the bottom type must serve every label.
func (v *validator) peekList(ts []ValType) bool {
	if len(ts) == 0 {
		return true
	}
	if !v.countArity(len(ts)) {
		return false
	}
	unreachable := v.frames[len(v.frames)-1].unreachable
	for i := range ts {
		want := ts[len(ts)-1-i]
		at := len(v.operands) - 1 - i
		switch {
		case at < v.floor && unreachable:
			return true
		case at < v.floor:
			return v.fail(CodeInvalidType, "type mismatch: the stack is empty where %s is wanted", want)
		case v.operands[at] != want && v.operands[at] != anyType:
			return v.fail(CodeInvalidType, "type mismatch: %s where %s is wanted", v.operands[at], want)
		}
	}
	return true
}

func (v *validator) call(t FuncType) bool {
	if !v.countArity(len(t.Params)+len(t.Results)) || !v.popList(t.Params) {
		return false
	}
	v.pushList(t.Results)
	return v.checkHeight()
}

func (v *validator) callIndirect() bool {
	typ, ok := v.u32()
	if !ok {
		return false
	}
	table, ok := v.index("table", len(v.m.Tables))
	if !ok {
		return false
	}
	if table != 0 {
		v.m.use(FeatureReferenceTypes)
	}
	if uint64(typ) >= uint64(len(v.m.Types)) {
		return v.fail(CodeInvalidIndex, "unknown type %d, there are %d", typ, len(v.m.Types))
	}
	if t := v.m.Tables[table].Type; t != FuncRef {
		return v.fail(CodeInvalidType, "type mismatch: call_indirect through a table of %s", t)
	}
	return v.pop(I32) && v.call(v.m.Types[typ])
}

// selectAny is select without a type: two values of one numeric or vector type.
func (v *validator) selectAny() bool {
	if !v.pop(I32) {
		return false
	}
	a, okA := v.popAny()
	b, okB := v.popAny()
	switch {
	case !okA || !okB:
		return v.fail(CodeInvalidType, "type mismatch: select needs two values")
	case a.isRef() && a != anyType || b.isRef() && b != anyType:
		return v.fail(CodeInvalidType, "type mismatch: select of references needs a type")
	case a != b && a != anyType && b != anyType:
		return v.fail(CodeInvalidType, "type mismatch: select of %s and %s", b, a)
	}
	if a == anyType {
		a = b
	}
	v.push(a)
	return true
}

func (v *validator) selectTyped() bool {
	v.m.use(FeatureReferenceTypes)
	at := v.pos
	n, ok := v.u32()
	if !ok {
		return false
	}
	if n == 1 && v.pos-at != 1 {
		return v.failWith(paddedOpcode(byte(OpSelectT), n)) // its length is as good as part of the opcode
	}
	if n != 1 {
		return v.fail(CodeInvalid, "invalid result arity: select gives one value, not %d", n)
	}
	t, ok := v.valType()
	if !ok || !v.pop(I32) || !v.pop(t) || !v.pop(t) {
		return false
	}
	v.push(t)
	return true
}
