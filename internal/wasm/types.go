package wasm

import "fmt"

// ValType is a value type's byte in the binary format (spec 5.3.1).
type ValType byte

// The value types of wasm 2.0.
const (
	I32       ValType = 0x7f
	I64       ValType = 0x7e
	F32       ValType = 0x7d
	F64       ValType = 0x7c
	V128      ValType = 0x7b
	FuncRef   ValType = 0x70
	ExternRef ValType = 0x6f
)

// anyType is the validator's bottom type: what a stack made polymorphic by an
// unconditional branch yields (spec appendix, "Validation Algorithm").
const anyType ValType = 0

// String is the type's name in the text format.
func (t ValType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	case anyType:
		return "any"
	}
	return fmt.Sprintf("unknown (0x%02x)", byte(t))
}

func (t ValType) isRef() bool { return t == FuncRef || t == ExternRef || t == anyType }
func (t ValType) valid() bool { return t >= V128 && t <= I32 || t == FuncRef || t == ExternRef }

// FuncType is a function's parameters and results. The slices share memory
// with the decoded module and must not be changed.
type FuncType struct {
	Params, Results []ValType
}

// SizeRange is the size range of a table or memory, in elements or pages.
type SizeRange struct {
	Min, Max uint32
	// HasMax tells a maximum of zero from none.
	HasMax bool
}

// ExternKind says what an import or export is (spec 5.5.5).
type ExternKind byte

// The kinds of imports and exports.
const (
	KindFunc   ExternKind = 0
	KindTable  ExternKind = 1
	KindMemory ExternKind = 2
	KindGlobal ExternKind = 3
)

// String is the kind's name in the text format.
func (k ExternKind) String() string {
	switch k {
	case KindFunc:
		return "func"
	case KindTable:
		return "table"
	case KindMemory:
		return "memory"
	case KindGlobal:
		return "global"
	}
	return fmt.Sprintf("unknown (0x%02x)", byte(k))
}
