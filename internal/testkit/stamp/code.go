package stamp

import "github.com/krmsafe/krmsafe/internal/testkit/asm"

// The instructions that asm does not name, by their names in the text format.
var (
	equal     = asm.Op(0x46)       // i32.eq
	differ    = asm.Op(0x47)       // i32.ne
	below     = asm.Op(0x49)       // i32.lt_u
	above     = asm.Op(0x4b)       // i32.gt_u
	divide    = asm.Op(0x6e)       // i32.div_u
	remainder = asm.Op(0x70)       // i32.rem_u
	both      = asm.Op(0x71)       // i32.and
	either    = asm.Op(0x72)       // i32.or
	shiftLeft = asm.Op(0x74)       // i32.shl
	load8     = asm.Op(0x2d, 0, 0) // i32.load8_u
	store8    = asm.Op(0x3a, 0, 0) // i32.store8
)

func seq(parts ...[]byte) []byte { return asm.Code(parts...) }

func num(v int32) []byte { return asm.I32Const(v) }

func eq(a, b []byte) []byte { return seq(a, b, equal) }

func ne(a, b []byte) []byte { return seq(a, b, differ) }

func sub(a, b []byte) []byte { return seq(a, b, asm.I32Sub) }

// when runs body if the top of the stack is not zero. A branch within body counts
// one label more.
func when(body ...[]byte) []byte { return asm.If(asm.Empty, body...) }

func byteAt(addr []byte) []byte { return seq(addr, load8) }

// transferred pushes the number of bytes that the last read or write moved.
func transferred() []byte { return seq(num(moved), asm.I32Load) }

func store(addr int32, value []byte) []byte { return seq(num(addr), value, asm.I32Store) }

// global is global.get, setGlobal is global.set.
func global(i uint32) []byte { return asm.Op(0x23, i) }

func setGlobal(i uint32) []byte { return asm.Op(0x24, i) }

// inc adds one to a local, bump to a global.
func inc(local uint32) []byte {
	return seq(asm.Get(local), num(1), asm.I32Add, asm.Set(local))
}

func bump(i uint32) []byte { return seq(global(i), num(1), asm.I32Add, setGlobal(i)) }
