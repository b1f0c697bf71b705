package wasm

import "fmt"

// refuseOpcode names the proposal that an opcode outside wasm 2.0 belongs to.
func refuseOpcode(b byte, sub uint32) *Error {
	what := fmt.Sprintf("opcode 0x%02x", b)
	switch {
	case b == prefixThreads:
		return featureError(CodeFeatureThreads, 0, fmt.Sprintf("opcode 0xfe %d", sub))
	case b == prefixGC:
		return featureError(CodeFeatureGC, 0, fmt.Sprintf("opcode 0xfb %d", sub))
	case b == prefixSIMD && sub >= 0x100 && sub <= 0x12f:
		return featureError(CodeFeatureRelaxedSIMD, 0, fmt.Sprintf("opcode 0xfd %d", sub))
	case b == prefixMisc && sub >= 19 && sub <= 22:
		return featureError(CodeFeatureWideArith, 0, fmt.Sprintf("opcode 0xfc %d", sub))
	case b == prefixMisc || b == prefixSIMD:
		return &Error{Code: CodeOpcode, Message: fmt.Sprintf("illegal opcode 0x%02x %d", b, sub)}
	case b == 0x12 || b == 0x13:
		return featureError(CodeFeatureTailCall, 0, what)
	case b >= 0x06 && b <= 0x0a || b == 0x18 || b == 0x19 || b == 0x1f:
		return featureError(CodeFeatureExceptions, 0, what)
	case b == 0x14 || b == 0x15 || b == 0xd4 || b == 0xd5 || b == 0xd6:
		return featureError(CodeFeatureTypedRefs, 0, what)
	case b == 0xd3:
		return featureError(CodeFeatureGC, 0, what)
	case b >= 0xe0 && b <= 0xe6:
		return featureError(CodeFeatureStackSwitch, 0, what)
	}
	return &Error{Code: CodeOpcode, Message: "illegal " + what}
}

// paddedOpcode refuses a vector opcode, or the length in a typed select, that
// is not in its shortest form. The specification allows padding and no
// toolchain pads these; engines differ in how they read them, and what two
// readers read differently hides code from one of them.
func paddedOpcode(b byte, sub uint32) *Error {
	return &Error{
		Code: CodePadded, Message: fmt.Sprintf("opcode 0x%02x %d is not in its shortest form", b, sub),
		Hint: "re-encode the module with a current toolchain, for example wasm-opt or wasm-tools",
	}
}

// refuseType names the proposal that a value type outside wasm 2.0 belongs to.
func refuseType(b byte, at int) *Error {
	what := fmt.Sprintf("value type 0x%02x", b)
	switch b {
	case 0x63, 0x64:
		return featureError(CodeFeatureTypedRefs, at, what)
	case 0x69, 0x74:
		return featureError(CodeFeatureExceptions, at, what)
	case 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x71, 0x72, 0x73, 0x67:
		return featureError(CodeFeatureGC, at, what)
	case 0x68, 0x75:
		return featureError(CodeFeatureStackSwitch, at, what)
	}
	return errorAt(CodeMalformed, at, "malformed %s", what)
}

// refuseTypeForm names the proposal of a form in the type section that is not
// a function type.
func refuseTypeForm(b byte, at int) *Error {
	switch b {
	case 0x4e, 0x4f, 0x50, 0x5e, 0x5f:
		return featureError(CodeFeatureGC, at, fmt.Sprintf("type form 0x%02x", b))
	case 0x5d:
		return featureError(CodeFeatureStackSwitch, at, "type form 0x5d")
	}
	return errorAt(CodeMalformed, at, "malformed type form 0x%02x", b)
}

// refuseLimits names the proposal that the flags of a size range belong to.
func refuseLimits(flags byte, at int) *Error {
	what := fmt.Sprintf("limits flag 0x%02x", flags)
	switch {
	case flags >= 0x10:
		return errorAt(CodeMalformed, at, "malformed %s", what)
	case flags&0x08 != 0:
		return featureError(CodeFeaturePageSizes, at, what)
	case flags&0x04 != 0:
		return featureError(CodeFeatureMemory64, at, what)
	}
	return featureError(CodeFeatureThreads, at, what)
}
