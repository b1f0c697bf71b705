package wasm

// simdSignatures holds the vector instructions without immediates (spec
// 5.4.9); an entry that pops nothing is not one of them.
var simdSignatures = func() (t [256]signature) {
	set := func(s signature, from, to int) {
		s.feature = FeatureSIMD
		for i := from; i <= to; i++ {
			t[i] = s
		}
	}
	unary := signature{pops: 1, a: V128, out: V128}
	binary := signature{pops: 2, a: V128, b: V128, out: V128}
	shift := signature{pops: 2, a: V128, b: I32, out: V128}
	test := signature{pops: 1, a: V128, out: I32}
	splat := func(op int, in ValType) { set(signature{pops: 1, a: in, out: V128}, op, op) }

	set(binary, 0x0e, 0x0e) // swizzle
	splat(0x0f, I32)
	splat(0x10, I32)
	splat(0x11, I32)
	splat(0x12, I64)
	splat(0x13, F32)
	splat(0x14, F64)
	set(binary, 0x23, 0x4c) // comparisons
	set(unary, 0x4d, 0x4d)
	set(binary, 0x4e, 0x51)
	set(signature{pops: 3, a: V128, b: V128, c: V128, out: V128}, 0x52, 0x52)
	set(test, 0x53, 0x53)
	set(unary, 0x5e, 0x62)
	set(test, 0x63, 0x64)
	set(binary, 0x65, 0x66)
	set(unary, 0x67, 0x6a)
	set(shift, 0x6b, 0x6d)
	set(binary, 0x6e, 0x73)
	set(unary, 0x74, 0x75)
	set(binary, 0x76, 0x79)
	set(unary, 0x7a, 0x7a)
	set(binary, 0x7b, 0x7b)
	set(unary, 0x7c, 0x81)
	set(binary, 0x82, 0x82)
	set(test, 0x83, 0x84)
	set(binary, 0x85, 0x86)
	set(unary, 0x87, 0x8a)
	set(shift, 0x8b, 0x8d)
	set(binary, 0x8e, 0x93)
	set(unary, 0x94, 0x94)
	set(binary, 0x95, 0x9f)
	set(unary, 0xa0, 0xa1)
	set(test, 0xa3, 0xa4)
	set(unary, 0xa7, 0xaa)
	set(shift, 0xab, 0xad)
	set(binary, 0xae, 0xbf)
	set(unary, 0xc0, 0xc1)
	set(test, 0xc3, 0xc4)
	set(unary, 0xc7, 0xca)
	set(shift, 0xcb, 0xcd)
	set(binary, 0xce, 0xdf)
	set(unary, 0xe0, 0xe3)
	set(binary, 0xe4, 0xeb)
	set(unary, 0xec, 0xef)
	set(binary, 0xf0, 0xf7)
	set(unary, 0xf8, 0xff)
	for op, k := range immsSIMD {
		if k != ImmNone {
			t[op] = signature{}
		}
	}
	return t
}()

// simdLoads gives the natural alignments of v128.load to v128.load64_splat,
// v128.store and, from 12 on, v128.load32_zero and v128.load64_zero.
var simdLoads = [...]uint32{4, 3, 3, 3, 3, 3, 3, 0, 1, 2, 3, 4, 2, 3}

// lane describes extract_lane and replace_lane from 0x15 on.
type lane struct {
	typ     ValType
	lanes   byte
	replace bool
}

var simdLanes = [...]lane{
	{I32, 16, false},
	{I32, 16, false},
	{I32, 16, true},
	{I32, 8, false},
	{I32, 8, false},
	{I32, 8, true},
	{I32, 4, false},
	{I32, 4, true},
	{I64, 2, false},
	{I64, 2, true},
	{F32, 4, false},
	{F32, 4, true},
	{F64, 2, false},
	{F64, 2, true},
}

// simd checks the group of prefix 0xfd.
func (v *validator) simd() bool {
	sub, ok := v.vectorOpcode()
	if !ok {
		return false
	}
	if sub > 0xff || immsSIMD[sub] == ImmIllegal {
		return v.failWith(refuseOpcode(prefixSIMD, sub))
	}
	v.m.use(FeatureSIMD)
	if s := &simdSignatures[sub]; s.pops != 0 {
		return v.apply(s)
	}
	switch {
	case sub == 0x0b:
		return v.access(&accessType{V128, 4, true})
	case sub < 0x0b:
		return v.access(&accessType{V128, simdLoads[sub], false})
	case sub == 0x5c || sub == 0x5d:
		return v.access(&accessType{V128, simdLoads[sub-0x5c+12], false})
	case sub == 0x0c:
		v.push(V128)
		return v.skip(16) && v.checkHeight()
	case sub == 0x0d:
		return v.shuffle()
	case sub <= 0x22:
		return v.lane(simdLanes[sub-0x15])
	default:
		return v.laneAccess(sub - 0x54)
	}
}

// vectorOpcode reads the opcode after the prefix, in its shortest form only.
func (v *validator) vectorOpcode() (uint32, bool) {
	at := v.pos
	sub, ok := v.u32()
	if ok && v.pos-at != SizeU32(sub) {
		return 0, v.failWith(paddedOpcode(prefixSIMD, sub))
	}
	return sub, ok
}

func (v *validator) shuffle() bool {
	at := v.pos
	if !v.skip(16) {
		return false
	}
	for _, b := range v.code[at:v.pos] {
		if b >= 32 {
			return v.fail(CodeInvalid, "invalid lane index %d of a shuffle", b)
		}
	}
	return v.apply(&simdSignatures[0x0e]) // as i8x16.swizzle
}

func (v *validator) laneIndex(lanes byte) bool {
	b, ok := v.byte()
	if !ok {
		return false
	}
	if b >= lanes {
		return v.fail(CodeInvalid, "invalid lane index %d, there are %d lanes", b, lanes)
	}
	return true
}

func (v *validator) lane(l lane) bool {
	if !v.laneIndex(l.lanes) || l.replace && !v.pop(l.typ) || !v.pop(V128) {
		return false
	}
	if l.replace {
		v.push(V128)
	} else {
		v.push(l.typ)
	}
	return true
}

// laneAccess checks v128.load8_lane to v128.store64_lane.
func (v *validator) laneAccess(i uint32) bool {
	size := i % 4
	if !v.memarg(size) || !v.laneIndex(16>>size) || !v.pop(V128) || !v.pop(I32) {
		return false
	}
	if i < 4 {
		v.push(V128)
	}
	return true
}
