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
