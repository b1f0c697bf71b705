package wasm

// Walker goes through the instructions of a function body, one at a time and
// without allocating. It checks bounds and encodings, not types: it may be
// pointed at any bytes, but only a body that Decode accepted is known to make
// sense. Immediates that an instruction does not have keep old values.
//
//	w := wasm.NewWalker(module[body.Code:body.End], body.Code)
//	for w.Next() {
//		switch w.Op {
//		case wasm.OpBrTable:
//			for t := w.Targets(); t.Next(); { … t.Label … }
//		}
//	}
//	if err := w.Err(); err != nil { … }
type Walker struct {
	// Op is the instruction, Start its first byte, Imm the first byte after
	// its opcode, End the first byte after all of it. The three count from the
	// first byte of the walked code.
	Op              Opcode
	Start, Imm, End int
	// A, B, Int and Lane hold the immediates; see the Imm constants.
	A, B uint32
	Int  int64
	Lane byte

	code []byte
	base int
	err  *Error
}

// NewWalker walks code, which starts at byte base of its module; base is used
// in errors only.
func NewWalker(code []byte, base int) Walker { return Walker{code: code, base: base} }

// Err is why Next returned false, or nil at the end of the code.
func (w *Walker) Err() error {
	if w.err == nil {
		return nil
	}
	return w.err
}

// Bytes is the current instruction as it is encoded.
func (w *Walker) Bytes() []byte { return w.code[w.Start:w.End:w.End] }

// Next moves to the next instruction. It returns false at the end of the code
// and at the first byte that is not an instruction of wasm 2.0.
func (w *Walker) Next() bool {
	pos := w.End
	if pos >= len(w.code) || w.err != nil {
		return false
	}
	w.Start = pos
	b := w.code[pos]
	pos++
	w.Op = Opcode(b)
	kind := imms[b]
	if kind == ImmIllegal {
		if pos, kind = w.prefixed(b, pos); kind == ImmIllegal {
			return false
		}
	}
	w.Imm, w.End = pos, pos
	switch kind {
	case ImmNone:
		return true
	case ImmIndex:
		if pos < len(w.code) && w.code[pos] < 0x80 {
			w.A, w.End = uint32(w.code[pos]), pos+1
			return true
		}
		return w.u32(&w.A)
	case ImmMem:
		if pos+1 < len(w.code) && w.code[pos]|w.code[pos+1] < 0x80 {
			w.A, w.B, w.End = uint32(w.code[pos]), uint32(w.code[pos+1]), pos+2
			return true
		}
		return w.u32(&w.A) && w.u32(&w.B)
	case ImmI32:
		if pos < len(w.code) && w.code[pos] < 0x80 {
			w.Int, w.End = int64(int8(w.code[pos]<<1)>>1), pos+1 //nolint:gosec // sign-extends seven bits
			return true
		}
		return w.signed(32)
	case ImmI64:
		if pos < len(w.code) && w.code[pos] < 0x80 {
			w.Int, w.End = int64(int8(w.code[pos]<<1)>>1), pos+1 //nolint:gosec // sign-extends seven bits
			return true
		}
		return w.signed(64)
	case ImmBlock:
		return w.signed(33)
	default:
		return w.rare(kind)
	}
}

// rare reads the immediates that few instructions have.
func (w *Walker) rare(kind Imm) bool {
	switch kind {
	case ImmIndex2:
		return w.u32(&w.A) && w.u32(&w.B)
	case ImmMemLane:
		return w.u32(&w.A) && w.u32(&w.B) && w.lane()
	case ImmZero:
		return w.zero()
	case ImmIndexMem:
		return w.u32(&w.A) && w.zero()
	case ImmMemMem:
		return w.zero() && w.second()
	case ImmF32:
		return w.skip(4)
	case ImmF64:
		return w.skip(8)
	case ImmV128:
		return w.skip(16)
	case ImmLane, ImmRefType:
		return w.lane()
	case ImmTypes:
		if !w.u32(&w.A) {
			return false
		}
		if w.A == 1 && w.End != w.Imm+1 {
			return w.fail(paddedOpcode(byte(OpSelectT), w.A))
		}
		w.Imm = w.End
		return w.skip(w.A)
	default: // ImmTable
		return w.table()
	}
}

func (w *Walker) table() bool {
	if !w.u32(&w.A) {
		return false
	}
	if int64(w.A) >= int64(len(w.code)-w.End) {
		return w.fail(&Error{Code: CodeTruncated, Message: "a br_table promises more labels than there are bytes left"})
	}
	w.Imm = w.End
	var label uint32
	for range uint64(w.A) + 1 {
		if !w.u32(&label) {
			return false
		}
	}
	return true
}

// prefixed reads the secondary opcode of the groups that have one.
func (w *Walker) prefixed(b byte, pos int) (int, Imm) {
	if b == prefixMisc || b == prefixSIMD {
		sub, n := U32(w.code[pos:])
		if n <= 0 {
			w.End = pos
			w.failLEB(n)
			return pos, ImmIllegal
		}
		pos += n
		if b == prefixSIMD && n != SizeU32(sub) {
			w.fail(paddedOpcode(b, sub))
			return pos, ImmIllegal
		}
		if sub < 0x100 {
			w.Op = Opcode(b)<<8 | Opcode(sub)
			if k := w.Op.Immediates(); k != ImmIllegal {
				return pos, k
			}
		}
		w.fail(refuseOpcode(b, sub))
		return pos, ImmIllegal
	}
	var sub uint32
	if b == prefixGC || b == prefixThreads {
		sub, _ = U32(w.code[pos:])
	}
	w.fail(refuseOpcode(b, sub))
	return pos, ImmIllegal
}

func (w *Walker) u32(v *uint32) bool {
	x, n := U32(w.code[w.End:])
	if n <= 0 {
		return w.failLEB(n)
	}
	*v = x
	w.End += n
	return true
}

func (w *Walker) signed(bits uint) bool {
	x, n := signedLEB(w.code[w.End:], bits)
	if n <= 0 {
		return w.failLEB(n)
	}
	w.Int = x
	w.End += n
	return true
}

func (w *Walker) lane() bool {
	if !w.skip(1) {
		return false
	}
	w.Lane = w.code[w.End-1]
	return true
}

func (w *Walker) zero() bool {
	if !w.skip(1) {
		return false
	}
	if w.code[w.End-1] != 0 {
		return w.fail(featureError(CodeFeatureMultiMemory, 0, "a memory index other than zero"))
	}
	return true
}

// second reads the other zero byte of memory.copy.
func (w *Walker) second() bool { return w.zero() }

func (w *Walker) skip(n uint32) bool {
	if int64(n) > int64(len(w.code)-w.End) {
		return w.fail(&Error{Code: CodeTruncated, Message: "unexpected end of code in an instruction"})
	}
	w.End += int(n)
	return true
}

func (w *Walker) fail(e *Error) bool {
	e.Section, e.Offset = "code", int64(w.base+w.Start)
	w.err = e
	return false
}

func (w *Walker) failLEB(n int) bool {
	switch n {
	case lebTruncated:
		return w.fail(&Error{Code: CodeTruncated, Message: "unexpected end of code in an instruction"})
	case lebTooLong:
		return w.fail(&Error{Code: CodeInteger, Message: "integer representation too long"})
	default:
		return w.fail(&Error{Code: CodeInteger, Message: "integer too large"})
	}
}

// Targets iterates over the labels of the br_table at which w stands.
func (w *Walker) Targets() Targets {
	return Targets{code: w.code[w.Imm:w.End], left: uint64(w.A) + 1}
}

// Targets iterates over the labels of a br_table, its default last.
type Targets struct {
	// Label is the relative depth of the target.
	Label uint32
	// Default is true at the last label, which is taken for every larger index.
	Default bool

	code []byte
	left uint64
}

// Next moves to the next label and returns false after the default.
func (t *Targets) Next() bool {
	if t.left == 0 {
		return false
	}
	v, n := U32(t.code)
	if n <= 0 {
		t.left = 0
		return false
	}
	t.code = t.code[n:]
	t.left--
	t.Label, t.Default = v, t.left == 0
	return true
}
