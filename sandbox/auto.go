package sandbox

// choose resolves EngineAuto for a module and an input of n bytes.
func (e Engine) choose(m *Module, n int) Engine {
	if e != EngineAuto {
		return e
	}
	if m.decoded.CodeBytes > interpretAbove && n < interpretBelow {
		return EngineInterpreter
	}
	return EngineCompiler
}

const (
	interpretAbove = 1 << 20
	interpretBelow = 64 << 10
)
