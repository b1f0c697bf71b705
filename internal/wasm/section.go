package wasm

import "fmt"

// SectionID is the first byte of a section (spec 5.5.2).
type SectionID byte

// The sections of wasm 2.0, and the two that later proposals added, which are
// known so that they can be refused by name.
const (
	SectionCustom    SectionID = 0
	SectionType      SectionID = 1
	SectionImport    SectionID = 2
	SectionFunction  SectionID = 3
	SectionTable     SectionID = 4
	SectionMemory    SectionID = 5
	SectionGlobal    SectionID = 6
	SectionExport    SectionID = 7
	SectionStart     SectionID = 8
	SectionElement   SectionID = 9
	SectionCode      SectionID = 10
	SectionData      SectionID = 11
	SectionDataCount SectionID = 12
	sectionTag       SectionID = 13
	sectionStringref SectionID = 14
)

var sectionNames = [...]string{
	"custom", "type", "import", "function", "table", "memory", "global", "export",
	"start", "element", "code", "data", "data count", "tag", "string",
}

// String is the name the specification gives the section.
func (id SectionID) String() string {
	if int(id) < len(sectionNames) {
		return sectionNames[id]
	}
	return fmt.Sprintf("unknown (%d)", byte(id))
}

// sectionOrder gives the place of each section in a module: the data count
// section stands between element and code (spec 5.5.16).
var sectionOrder = [...]int{
	SectionType: 1, SectionImport: 2, SectionFunction: 3, SectionTable: 4, SectionMemory: 5,
	SectionGlobal: 6, SectionExport: 7, SectionStart: 8, SectionElement: 9, SectionDataCount: 10,
	SectionCode: 11, SectionData: 12,
}

// Section is one section of a module: where it starts (its id byte), where its
// payload starts and ends. Offsets count from the module's first byte.
type Section struct {
	ID                 SectionID
	Offset, Start, End int
}

// Payload is the section's contents, shared with the module.
func (s Section) Payload(module []byte) []byte { return module[s.Start:s.End:s.End] }

// splitSections checks the header and cuts the module into sections: known ids
// only, each at most once and in order, custom ones anywhere but no more than
// limit of them, and no byte left over.
func splitSections(module []byte, customs uint32) ([]Section, error) {
	if err := checkHeader(module); err != nil {
		return nil, err
	}
	sections := make([]Section, 0, 24)
	r := NewReader(module[HeaderBytes:], HeaderBytes)
	last, seenCustoms := 0, uint32(0)
	for r.Left() > 0 {
		at := r.Offset()
		id := SectionID(r.Byte())
		if err := checkSectionID(id, at); err != nil {
			err.Section = id.String()
			return nil, err
		}
		size := r.U32()
		start := r.Offset()
		r.Bytes(size)
		end := r.Offset()
		if id == SectionCustom {
			if seenCustoms++; seenCustoms > customs {
				r.fail(limitError(CodeLimitCustoms, "custom sections", uint64(seenCustoms), uint64(customs), at))
			}
		} else {
			place := sectionOrder[id]
			if place == last {
				r.fail(errorAt(CodeSectionDuplicate, at, "the module has two %s sections", id))
			}
			if place < last {
				r.fail(errorAt(CodeSectionOrder, at, "the %s section stands out of order", id))
			}
			last = place
		}
		if r.err != nil {
			r.err.Section = id.String()
			return nil, r.err
		}
		sections = append(sections, Section{ID: id, Offset: at, Start: start, End: end})
	}
	return sections, nil
}

func checkSectionID(id SectionID, at int) *Error {
	switch {
	case id <= SectionDataCount:
		return nil
	case id == sectionTag:
		return featureError(CodeFeatureExceptions, at, "a tag section")
	case id == sectionStringref:
		return featureError(CodeFeatureGC, at, "a string literal section")
	default:
		return errorAt(CodeMalformed, at, "malformed section id %d", byte(id))
	}
}

// Strip returns the module without its custom sections (names, DWARF,
// producers and the like), which have no meaning to an engine but whose text
// reaches trap messages and whose size costs memory. The result shares nothing
// with the input. It fails only where cutting the module into sections fails.
func Strip(module []byte) ([]byte, error) {
	sections, err := splitSections(module, ^uint32(0))
	if err != nil {
		return nil, err
	}
	return stripSections(module, sections), nil
}

func stripSections(module []byte, sections []Section) []byte {
	size := HeaderBytes
	for _, s := range sections {
		if s.ID != SectionCustom {
			size += s.End - s.Offset
		}
	}
	out := AppendHeader(make([]byte, 0, size))
	for _, s := range sections {
		if s.ID != SectionCustom {
			out = append(out, module[s.Offset:s.End]...)
		}
	}
	return out
}
