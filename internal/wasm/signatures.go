package wasm

// signature is the type of an instruction without immediates: it pops a, b, c
// (c first) as far as pops says, and pushes out.
type signature struct {
	pops    uint8
	a, b, c ValType
	out     ValType
	feature Features
}

// accessType is the type of a load or store.
type accessType struct {
	typ   ValType
	align uint32
	store bool
}

// plain holds the signatures of the one-byte opcodes from i32.eqz on.
var plain = func() (t [256]signature) {
	unary := func(from, to int, in, out ValType) {
		for i := from; i <= to; i++ {
			t[i] = signature{pops: 1, a: in, out: out}
		}
	}
	binary := func(from, to int, in, out ValType) {
		for i := from; i <= to; i++ {
			t[i] = signature{pops: 2, a: in, b: in, out: out}
		}
	}
	unary(0x45, 0x45, I32, I32) // eqz
	binary(0x46, 0x4f, I32, I32)
	unary(0x50, 0x50, I64, I32)
	binary(0x51, 0x5a, I64, I32)
	binary(0x5b, 0x60, F32, I32)
	binary(0x61, 0x66, F64, I32)
	unary(0x67, 0x69, I32, I32) // clz, ctz, popcnt
	binary(0x6a, 0x78, I32, I32)
	unary(0x79, 0x7b, I64, I64)
	binary(0x7c, 0x8a, I64, I64)
	unary(0x8b, 0x91, F32, F32)
	binary(0x92, 0x98, F32, F32)
	unary(0x99, 0x9f, F64, F64)
	binary(0xa0, 0xa6, F64, F64)
	unary(0xa7, 0xa7, I64, I32) // i32.wrap_i64
	unary(0xa8, 0xa9, F32, I32)
	unary(0xaa, 0xab, F64, I32)
	unary(0xac, 0xad, I32, I64)
	unary(0xae, 0xaf, F32, I64)
	unary(0xb0, 0xb1, F64, I64)
	unary(0xb2, 0xb3, I32, F32)
	unary(0xb4, 0xb5, I64, F32)
	unary(0xb6, 0xb6, F64, F32)
	unary(0xb7, 0xb8, I32, F64)
	unary(0xb9, 0xba, I64, F64)
	unary(0xbb, 0xbb, F32, F64)
	unary(0xbc, 0xbc, F32, I32) // reinterpret
	unary(0xbd, 0xbd, F64, I64)
	unary(0xbe, 0xbe, I32, F32)
	unary(0xbf, 0xbf, I64, F64)
	unary(0xc0, 0xc1, I32, I32) // sign extension
	unary(0xc2, 0xc4, I64, I64)
	for i := 0xc0; i <= 0xc4; i++ {
		t[i].feature = FeatureSignExtension
	}
	return t
}()

// saturating holds the signatures of 0xfc 0 to 7.
var saturating = func() (t [8]signature) {
	for i, ft := range [8][2]ValType{
		{F32, I32}, {F32, I32}, {F64, I32}, {F64, I32}, {F32, I64}, {F32, I64}, {F64, I64}, {F64, I64},
	} {
		t[i] = signature{pops: 1, a: ft[0], out: ft[1], feature: FeatureSaturating}
	}
	return t
}()

// accesses holds the loads and stores from i32.load on.
var accesses = [...]accessType{
	{I32, 2, false},
	{I64, 3, false},
	{F32, 2, false},
	{F64, 3, false},
	{I32, 0, false}, // i32.load8_s
	{I32, 0, false},
	{I32, 1, false},
	{I32, 1, false},
	{I64, 0, false}, // i64.load8_s
	{I64, 0, false},
	{I64, 1, false},
	{I64, 1, false},
	{I64, 2, false},
	{I64, 2, false},
	{I32, 2, true}, // i32.store
	{I64, 3, true},
	{F32, 2, true},
	{F64, 3, true},
	{I32, 0, true},
	{I32, 1, true},
	{I64, 0, true},
	{I64, 1, true},
	{I64, 2, true},
}
