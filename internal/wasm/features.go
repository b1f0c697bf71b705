package wasm

// Features is a set of what came after wasm 1.0 and is part of 2.0.
type Features uint16

// The features, in the order of their names.
const (
	FeatureBulkMemory Features = 1 << iota
	FeatureMultiValue
	FeatureMutableGlobals
	FeatureReferenceTypes
	FeatureSaturating
	FeatureSignExtension
	FeatureSIMD
)

var featureList = [...]string{
	"bulk-memory", "multi-value", "mutable-globals", "reference-types",
	"saturating-float-to-int", "sign-extension", "simd",
}

// Names lists the features of the set, sorted; it is empty, not nil, for none.
func (f Features) Names() []string {
	names := []string{}
	for i, name := range featureList {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

func (m *Module) use(f Features) { m.Features |= f }

func (m *Module) useType(t ValType) {
	switch t {
	case V128:
		m.use(FeatureSIMD)
	case ExternRef:
		m.use(FeatureReferenceTypes)
	}
}
