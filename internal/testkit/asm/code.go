package asm

import "github.com/krmsafe/krmsafe/internal/wasm"

// Empty is the block type without parameters and results.
const Empty = -64

// Op is an instruction whose immediates are all unsigned integers, or absent.
func Op(op wasm.Opcode, immediates ...uint32) []byte {
	var b []byte
	if op >= 0x100 {
		b = wasm.AppendU32([]byte{byte(op >> 8)}, uint32(op&0xff))
	} else {
		b = []byte{byte(op)}
	}
	for _, v := range immediates {
		b = wasm.AppendU32(b, v)
	}
	return b
}

// Code joins instructions.
func Code(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func structured(op wasm.Opcode, blockType int64, body [][]byte) []byte {
	b := wasm.AppendS64(Op(op), blockType)
	return append(append(b, Code(body...)...), byte(wasm.OpEnd))
}

// Result is the block type of one result.
func Result(t wasm.ValType) int64 { return int64(t) - 0x80 }

// Block is a block around body, its end included. The block type is Empty,
// Result or a type index.
func Block(blockType int64, body ...[]byte) []byte {
	return structured(wasm.OpBlock, blockType, body)
}

// Loop is a loop around body, as Block is.
func Loop(blockType int64, body ...[]byte) []byte { return structured(wasm.OpLoop, blockType, body) }

// If is an if without else around body, as Block is.
func If(blockType int64, body ...[]byte) []byte { return structured(wasm.OpIf, blockType, body) }

// I32Const pushes v.
func I32Const(v int32) []byte { return wasm.AppendS32([]byte{byte(wasm.OpI32Const)}, v) }

// I64Const pushes v.
func I64Const(v int64) []byte { return wasm.AppendS64([]byte{byte(wasm.OpI64Const)}, v) }

// BrTable branches by index to labels, or to the default.
func BrTable(labels []uint32, otherwise uint32) []byte {
	b := wasm.AppendU32([]byte{byte(wasm.OpBrTable)}, size(len(labels)))
	for _, l := range labels {
		b = wasm.AppendU32(b, l)
	}
	return wasm.AppendU32(b, otherwise)
}

// The instructions that tests use most.
var (
	Unreachable = Op(wasm.OpUnreachable)
	Drop        = Op(wasm.OpDrop)
	Return      = Op(wasm.OpReturn)
	End         = Op(wasm.OpEnd)
	Else        = Op(wasm.OpElse)
	I32Eqz      = Op(wasm.OpI32Eqz)
	I32Add      = Op(0x6a)
	I32Sub      = Op(0x6b)
	I32Load     = Op(wasm.OpI32Load, 2, 0)
	I32Store    = Op(0x36, 2, 0)
	MemorySize  = Op(wasm.OpMemorySize, 0)
	MemoryGrow  = Op(wasm.OpMemoryGrow, 0)
)

// Call calls a function.
func Call(f uint32) []byte { return Op(wasm.OpCall, f) }

// Br branches to a label.
func Br(label uint32) []byte { return Op(wasm.OpBr, label) }

// BrIf branches to a label if the top of the stack is not zero.
func BrIf(label uint32) []byte { return Op(wasm.OpBrIf, label) }

// Get pushes a local.
func Get(local uint32) []byte { return Op(wasm.OpLocalGet, local) }

// Set pops into a local.
func Set(local uint32) []byte { return Op(wasm.OpLocalSet, local) }

// Tee sets a local and keeps the value.
func Tee(local uint32) []byte { return Op(wasm.OpLocalTee, local) }
