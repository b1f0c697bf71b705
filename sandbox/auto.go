package sandbox

// EngineAuto's bounds, measured with functions built by Go and kyaml: compiling
// takes 0.5 to 0.6 s of processor time for each megabyte of code, once; the
// interpreter takes a fifth of that to get ready, and then about 50 s for each
// megabyte of input, where machine code takes one. The two meet where the input
// is a hundredth of the code. Half of that leaves room for functions that do
// more with their input, which the interpreter would keep from ending in time.
const (
	// compileAlways is the code size, in bytes, up to which compiling is over
	// in a tenth of a second.
	compileAlways = 256 << 10
	// codePerInput is how many bytes of code stand against one of input.
	codePerInput = 200
)

// choose resolves EngineAuto for a module and an input of n bytes, where no compiled
// code is at hand.
func (e Engine) choose(m *Module, n int) Engine {
	if e != EngineAuto {
		return e
	}
	if code := m.known.Facts.CodeBytes; code > compileAlways && int64(n)*codePerInput < code {
		return EngineInterpreter
	}
	return EngineCompiler
}
