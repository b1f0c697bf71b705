package wasm

// validator type-checks function bodies by the algorithm of the
// specification's appendix: a stack of operand types, a stack of control
// frames, and a bottom type for what follows an unconditional branch. One
// validator serves all bodies of a module, so that its stacks are allocated
// once.
type validator struct {
	d      *decoder
	m      *Module
	limits *Limits

	code     []byte // the body, locals included
	pos      int
	base     int // offset of code in the module
	start    int // of the current instruction
	function int

	operands []ValType
	floor    int // height of the innermost frame
	frames   []frame
	locals   []ValType

	tables      uint32 // br_table instructions seen, to check each label type once
	blocks      uint32
	targets     uint32
	loops       uint32
	openLoops   uint32
	maxOperands int

	err *Error
}

// frame is a block that is open.
type frame struct {
	op              Opcode
	unreachable     bool
	height          int
	table           uint32 // the last br_table that checked this label
	params, results []ValType
}

// label gives the types that a branch to the frame takes.
func (f *frame) label() []ValType {
	if f.op == OpLoop {
		return f.params
	}
	return f.results
}

// body checks one body and returns its description.
func (v *validator) body(code []byte, base, function int) (Body, *Error) {
	v.code, v.pos, v.base, v.function = code, 0, base, function
	v.start = 0
	v.operands, v.frames, v.floor = v.operands[:0], v.frames[:0], 0
	v.blocks, v.targets, v.loops, v.openLoops, v.maxOperands = 0, 0, 0, 0, 0
	typ := v.m.FuncType(uint32(function)) //nolint:gosec // bounded by Limits.Functions and Limits.Imports
	groups, ok := v.declareLocals(typ.Params)
	b := Body{Start: base, Code: base + v.pos, End: base + len(code), LocalGroups: groups}
	if ok {
		b.Locals = uint32(len(v.locals) - len(typ.Params)) //nolint:gosec // bounded by Limits.Locals
		v.frames = append(v.frames, frame{op: OpBlock, results: typ.Results})
		ok = v.run() && v.account()
	}
	if !ok {
		v.err.Message = "function " + itoa(function) + ": " + v.err.Message
		return Body{}, v.err
	}
	return b, nil
}

// declareLocals fills the types of locals: parameters, then the declared runs.
func (v *validator) declareLocals(params []ValType) (groups uint32, ok bool) {
	v.locals = append(v.locals[:0], params...)
	groups, ok = v.u32()
	if !ok {
		return 0, false
	}
	if int64(groups)*2 > int64(len(v.code)-v.pos) {
		return 0, v.fail(CodeTruncated, "a count promises %d groups of locals and only %d bytes are left", groups, len(v.code)-v.pos)
	}
	for range groups {
		v.start = v.pos
		n, ok := v.u32()
		if !ok {
			return 0, false
		}
		if total := uint64(len(v.locals)) + uint64(n); total > uint64(v.limits.Locals) {
			return 0, v.failWith(limitError(CodeLimitLocals, "locals in a function", total, uint64(v.limits.Locals), 0))
		}
		t, ok := v.valType()
		if !ok {
			return 0, false
		}
		for range n {
			v.locals = append(v.locals, t)
		}
	}
	return groups, true
}

// account adds the body to the module's figures and checks those that need
// the whole body.
func (v *validator) account() bool {
	c := &v.m.Cost
	locals := uint32(len(v.locals)) //nolint:gosec // bounded by Limits.Locals
	product := uint64(v.blocks) * uint64(locals)
	if product > v.limits.Complexity {
		return v.failWith(limitError(CodeLimitComplexity, "blocks times locals in a function", product, v.limits.Complexity, 0))
	}
	c.TotalLocals += uint64(locals)
	if c.TotalLocals > v.limits.TotalLocals {
		return v.failWith(limitError(CodeLimitTotalLocals, "locals over all functions", c.TotalLocals, v.limits.TotalLocals, 0))
	}
	c.Locals, c.Blocks = max(c.Locals, locals), max(c.Blocks, v.blocks)
	c.Loops = max(c.Loops, v.loops)
	c.BranchTargets = max(c.BranchTargets, v.targets)
	c.Operands = max(c.Operands, uint32(v.maxOperands)) //nolint:gosec // bounded by Limits.Operands
	c.Complexity = max(c.Complexity, product)
	return true
}

// countBlock counts what starts a basic block.
func (v *validator) countBlock() bool {
	v.blocks++
	if v.blocks > v.limits.Blocks {
		return v.failWith(limitError(CodeLimitBlocks, "blocks and branches in a function", uint64(v.blocks), uint64(v.limits.Blocks), 0))
	}
	return true
}

// countArity bounds the work that lists of types cause: a call or branch of
// two bytes may pass as many values as a type allows.
func (v *validator) countArity(n int) bool {
	c := &v.m.Cost
	c.TotalArity += uint64(n) //nolint:gosec // lengths of lists
	if c.TotalArity > v.limits.TotalArity {
		return v.failWith(limitError(CodeLimitArity, "values passed by calls and branches", c.TotalArity, v.limits.TotalArity, 0))
	}
	return true
}
