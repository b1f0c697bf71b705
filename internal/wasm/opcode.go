package wasm

// Opcode is an instruction's opcode: its byte, or for the prefixed groups
// the prefix in the high byte and the secondary opcode in the low one, such as
// 0xfc0a for memory.copy. Every opcode of wasm 2.0 fits.
type Opcode uint16

// The opcodes that callers name; the others are known by their immediates only.
const (
	OpUnreachable  Opcode = 0x00
	OpNop          Opcode = 0x01
	OpBlock        Opcode = 0x02
	OpLoop         Opcode = 0x03
	OpIf           Opcode = 0x04
	OpElse         Opcode = 0x05
	OpEnd          Opcode = 0x0b
	OpBr           Opcode = 0x0c
	OpBrIf         Opcode = 0x0d
	OpBrTable      Opcode = 0x0e
	OpReturn       Opcode = 0x0f
	OpCall         Opcode = 0x10
	OpCallIndirect Opcode = 0x11
	OpDrop         Opcode = 0x1a
	OpSelect       Opcode = 0x1b
	OpSelectT      Opcode = 0x1c
	OpLocalGet     Opcode = 0x20
	OpLocalSet     Opcode = 0x21
	OpLocalTee     Opcode = 0x22
	OpGlobalGet    Opcode = 0x23
	OpGlobalSet    Opcode = 0x24
	OpTableGet     Opcode = 0x25
	OpTableSet     Opcode = 0x26
	OpI32Load      Opcode = 0x28
	OpI64Store32   Opcode = 0x3e
	OpMemorySize   Opcode = 0x3f
	OpMemoryGrow   Opcode = 0x40
	OpI32Const     Opcode = 0x41
	OpI64Const     Opcode = 0x42
	OpF32Const     Opcode = 0x43
	OpF64Const     Opcode = 0x44
	OpI32Eqz       Opcode = 0x45
	OpI64Extend32S Opcode = 0xc4
	OpRefNull      Opcode = 0xd0
	OpRefIsNull    Opcode = 0xd1
	OpRefFunc      Opcode = 0xd2

	OpMemoryInit Opcode = 0xfc08
	OpDataDrop   Opcode = 0xfc09
	OpMemoryCopy Opcode = 0xfc0a
	OpMemoryFill Opcode = 0xfc0b
	OpTableInit  Opcode = 0xfc0c
	OpElemDrop   Opcode = 0xfc0d
	OpTableCopy  Opcode = 0xfc0e
	OpTableGrow  Opcode = 0xfc0f
	OpTableSize  Opcode = 0xfc10
	OpTableFill  Opcode = 0xfc11

	OpV128Load     Opcode = 0xfd00
	OpV128Const    Opcode = 0xfd0c
	OpI8x16Shuffle Opcode = 0xfd0d
)

// Prefix bytes of the opcode groups.
const (
	prefixGC      = 0xfb
	prefixMisc    = 0xfc
	prefixSIMD    = 0xfd
	prefixThreads = 0xfe
)

// Imm is the shape of an instruction's immediates.
type Imm byte

// The shapes. What a Walker makes of each stands beside it.
const (
	ImmIllegal  Imm = iota // not an opcode of wasm 2.0
	ImmNone                // none
	ImmBlock               // block type: Int, as a signed 33-bit integer
	ImmIndex               // one index: A
	ImmIndex2              // two indices, in the order of the binary format: A, B
	ImmMem                 // alignment exponent and offset: A, B
	ImmMemLane             // alignment exponent, offset, lane: A, B, Lane
	ImmZero                // one zero byte, the memory index
	ImmI32                 // Int
	ImmI64                 // Int
	ImmF32                 // four bytes, from Imm on
	ImmF64                 // eight bytes, from Imm on
	ImmV128                // sixteen bytes, from Imm on
	ImmLane                // one byte: Lane
	ImmRefType             // one byte: Lane
	ImmTypes               // select's vector of types: A is its length, Imm its first byte
	ImmTable               // br_table: A counts the labels without the default, Imm is the first
	ImmIndexMem            // memory.init: data index A, then a zero byte
	ImmMemMem              // memory.copy: two zero bytes
)

// Immediates is the shape of op's immediates, ImmIllegal for what is not an
// opcode of wasm 2.0.
func (op Opcode) Immediates() Imm {
	lo := byte(op & 0xff)
	switch byte(op >> 8) {
	case 0:
		return imms[lo]
	case prefixMisc:
		if int(lo) < len(immsMisc) {
			return immsMisc[lo]
		}
	case prefixSIMD:
		return immsSIMD[lo]
	}
	return ImmIllegal
}

var imms = func() (t [256]Imm) {
	fill := func(from, to int, k Imm) {
		for i := from; i <= to; i++ {
			t[i] = k
		}
	}
	fill(0x00, 0x01, ImmNone)
	fill(0x02, 0x04, ImmBlock)
	t[0x05], t[0x0b], t[0x0f] = ImmNone, ImmNone, ImmNone
	t[0x0c], t[0x0d], t[0x0e] = ImmIndex, ImmIndex, ImmTable
	t[0x10], t[0x11] = ImmIndex, ImmIndex2
	t[0x1a], t[0x1b], t[0x1c] = ImmNone, ImmNone, ImmTypes
	fill(0x20, 0x26, ImmIndex)
	fill(0x28, 0x3e, ImmMem)
	fill(0x3f, 0x40, ImmZero)
	t[0x41], t[0x42], t[0x43], t[0x44] = ImmI32, ImmI64, ImmF32, ImmF64
	fill(0x45, 0xc4, ImmNone)
	t[0xd0], t[0xd1], t[0xd2] = ImmRefType, ImmNone, ImmIndex
	return t
}()

var immsMisc = [18]Imm{
	ImmNone, ImmNone, ImmNone, ImmNone, ImmNone, ImmNone, ImmNone, ImmNone, // saturating conversions
	ImmIndexMem, ImmIndex, ImmMemMem, ImmZero, // memory.init, data.drop, memory.copy, memory.fill
	ImmIndex2, ImmIndex, ImmIndex2, ImmIndex, ImmIndex, ImmIndex, // table.init, elem.drop, table.copy, grow, size, fill
}

var immsSIMD = func() (t [256]Imm) {
	for i := range t {
		t[i] = ImmNone
	}
	for i := 0x00; i <= 0x0b; i++ {
		t[i] = ImmMem
	}
	t[0x0c], t[0x0d] = ImmV128, ImmV128
	for i := 0x15; i <= 0x22; i++ {
		t[i] = ImmLane
	}
	for i := 0x54; i <= 0x5b; i++ {
		t[i] = ImmMemLane
	}
	t[0x5c], t[0x5d] = ImmMem, ImmMem
	for _, hole := range []int{
		0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6,
		0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee,
	} {
		t[hole] = ImmIllegal
	}
	return t
}()
