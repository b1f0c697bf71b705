package wasm

import (
	"fmt"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (v *validator) fail(code, format string, args ...any) bool {
	return v.failWith(&Error{Code: code, Message: fmt.Sprintf(format, args...)})
}

func (v *validator) failWith(e *Error) bool {
	if v.err == nil {
		e.Offset = int64(v.base + v.start)
		v.err = e
	}
	return false
}

func (v *validator) push(t ValType) { v.operands = append(v.operands, t) }

// pop takes a value of type want off the stack.
func (v *validator) pop(want ValType) bool {
	n := len(v.operands) - 1
	if n >= v.floor && v.operands[n] == want {
		v.operands = v.operands[:n]
		return true
	}
	return v.popSlow(want)
}

func (v *validator) popSlow(want ValType) bool {
	got, ok := v.popAny()
	if !ok {
		return v.fail(CodeInvalidType, "type mismatch: the stack is empty where %s is wanted", want)
	}
	if got != want && got != anyType && want != anyType {
		return v.fail(CodeInvalidType, "type mismatch: %s where %s is wanted", got, want)
	}
	return true
}

// popAny takes a value of whatever type off the stack; below an unconditional
// branch there is always one, of the bottom type.
func (v *validator) popAny() (ValType, bool) {
	n := len(v.operands) - 1
	if n < v.floor {
		return anyType, v.frames[len(v.frames)-1].unreachable
	}
	t := v.operands[n]
	v.operands = v.operands[:n]
	return t, true
}

func (v *validator) popList(ts []ValType) bool {
	for i := len(ts) - 1; i >= 0; i-- {
		if !v.pop(ts[i]) {
			return false
		}
	}
	return true
}

func (v *validator) pushList(ts []ValType) { v.operands = append(v.operands, ts...) }

// checkHeight bounds the operand stack where it grows by lists, and at the
// end of every block.
func (v *validator) checkHeight() bool {
	h := len(v.operands)
	if h > v.maxOperands {
		v.maxOperands = h
		if uint64(h) > uint64(v.limits.Operands) {
			return v.failWith(limitError(CodeLimitOperands, "operands on the stack", uint64(h), uint64(v.limits.Operands), 0))
		}
	}
	return true
}

func (v *validator) u32() (uint32, bool) {
	if v.pos < len(v.code) {
		if b := v.code[v.pos]; b < 0x80 {
			v.pos++
			return uint32(b), true
		}
	}
	return v.u32Slow()
}

func (v *validator) u32Slow() (uint32, bool) {
	x, n := U32(v.code[min(v.pos, len(v.code)):])
	if n <= 0 {
		return 0, v.failLEB(n)
	}
	v.pos += n
	return x, true
}

func (v *validator) signed(bits uint) (int64, bool) {
	x, n := signedLEB(v.code[v.pos:], bits)
	if n <= 0 {
		return 0, v.failLEB(n)
	}
	v.pos += n
	return x, true
}

func (v *validator) failLEB(n int) bool {
	switch n {
	case lebTruncated:
		return v.fail(CodeTruncated, "unexpected end of the body")
	case lebTooLong:
		return v.fail(CodeInteger, "integer representation too long")
	default:
		return v.fail(CodeInteger, "integer too large")
	}
}

func (v *validator) byte() (byte, bool) {
	if v.pos >= len(v.code) {
		return 0, v.fail(CodeTruncated, "unexpected end of the body")
	}
	b := v.code[v.pos]
	v.pos++
	return b, true
}

func (v *validator) skip(n int) bool {
	if n > len(v.code)-v.pos {
		return v.fail(CodeTruncated, "unexpected end of the body")
	}
	v.pos += n
	return true
}

func (v *validator) valType() (ValType, bool) {
	b, ok := v.byte()
	if !ok {
		return 0, false
	}
	t := ValType(b)
	if !t.valid() {
		return 0, v.failWith(refuseType(b, 0))
	}
	v.m.useType(t)
	return t, true
}

func (v *validator) refType() (ValType, bool) {
	b, ok := v.byte()
	if !ok {
		return 0, false
	}
	if t := ValType(b); t == FuncRef || t == ExternRef {
		return t, true
	}
	return 0, v.failWith(refuseType(b, 0))
}

// index reads an index and checks it against the size of its space.
func (v *validator) index(what string, space int) (uint32, bool) {
	i, ok := v.u32()
	if !ok {
		return 0, false
	}
	if int64(i) >= int64(space) {
		return 0, v.fail(CodeInvalidIndex, "unknown %s %d, there are %d", what, i, space)
	}
	return i, true
}
