package fuel

import (
	"fmt"
	"strings"

	"github.com/krmsafe/krmsafe/internal/wasm"
)

// A writer puts the rewritten module together.
type writer struct {
	m      *wasm.Module
	module []byte
	types  typeList
}

// sectionOrder is the order of the sections in the rewritten module.
var sectionOrder = []wasm.SectionID{
	wasm.SectionType, wasm.SectionImport, wasm.SectionFunction, wasm.SectionTable, wasm.SectionMemory,
	wasm.SectionGlobal, wasm.SectionExport, wasm.SectionElement, wasm.SectionDataCount,
	wasm.SectionCode, wasm.SectionData,
}

func (w *writer) write(opt Options) (*Metered, error) {
	r := newRewriter(w.m, w.module, &w.types, opt)
	// The code comes first: it may add functions and types.
	code, err := w.code(r)
	if err != nil {
		return nil, fmt.Errorf("metering a module: %w", err)
	}
	if len(r.helpers.shifts) > 0 {
		w.types.index([]wasm.ValType{wasm.I32}, []wasm.ValType{wasm.I32})
	}
	met := &Metered{Model: Model}
	w.names(met)
	r.stats.BytesBefore = wasm.HeaderBytes
	out := wasm.AppendHeader(make([]byte, 0, len(w.module)+len(code)/4+1024))
	for _, id := range sectionOrder {
		s, ok := w.m.Section(id)
		var payload []byte
		if ok {
			payload = s.Payload(w.module)
			r.stats.BytesBefore += s.End - s.Offset
		}
		switch id {
		case wasm.SectionType:
			payload = w.typeSection(payload)
		case wasm.SectionGlobal:
			payload = w.globals(payload)
		case wasm.SectionExport:
			payload = w.exports(payload, met)
		case wasm.SectionFunction:
			payload = w.functions(payload, r.helpers)
		case wasm.SectionCode:
			payload = code
		}
		if !ok && len(payload) == 0 {
			continue
		}
		if id == wasm.SectionCode {
			out = appendCode(out, len(w.m.Bodies)+len(r.helpers.shifts), payload)
			continue
		}
		out = wasm.AppendSection(out, id, payload)
	}
	met.Module = out
	r.stats.BytesAfter = len(out)
	met.Stats = r.stats
	return met, nil
}

// code gives the payload of the code section, nil if there is none.
func (w *writer) code(r *rewriter) ([]byte, error) {
	s, ok := w.m.Section(wasm.SectionCode)
	if !ok {
		return nil, nil
	}
	size := s.End - s.Start
	out := make([]byte, 0, size+size/4+1024)
	for i, b := range w.m.Bodies {
		body, err := r.body(r.out[:0], uint32(w.m.ImportedFunctions+i), b) //nolint:gosec // bounded by the module's length
		if err != nil {
			return nil, err
		}
		r.out = body
		out = wasm.AppendU32(out, uint32(len(body))) //nolint:gosec // bounded by the module's length
		out = append(out, body...)
	}
	for _, shift := range r.helpers.shifts {
		out = r.helper(out, shift)
	}
	r.stats.Functions = len(w.m.Bodies)
	return out, nil
}

// appendCode appends the code section, given its bodies.
func appendCode(dst []byte, count int, bodies []byte) []byte {
	n := uint32(count)                                    //nolint:gosec // bounded by the module's length
	size := uint32(wasm.SizeU32(n)) + uint32(len(bodies)) //nolint:gosec // bounded by the module's length
	dst = wasm.AppendU32(append(dst, byte(wasm.SectionCode)), size)
	return append(wasm.AppendU32(dst, n), bodies...)
}

// functions adds the helpers to the function section.
func (w *writer) functions(payload []byte, l helperList) []byte {
	if len(l.shifts) == 0 {
		return payload
	}
	var entries []byte
	one := []wasm.ValType{wasm.I32}
	for range l.shifts {
		entries = wasm.AppendU32(entries, w.types.index(one, one))
	}
	return extend(payload, len(w.m.Bodies), len(l.shifts), entries)
}

// extend appends added entries to a section that is a vector.
func extend(payload []byte, count int, added int, entries []byte) []byte {
	_, n := wasm.U32(payload)
	out := wasm.AppendU32(make([]byte, 0, len(payload)+len(entries)+5), uint32(count+added)) //nolint:gosec // bounded by the module's length
	if n > 0 {
		out = append(out, payload[n:]...)
	}
	return append(out, entries...)
}

func (w *writer) typeSection(payload []byte) []byte {
	added := int(w.types.count) - len(w.m.Types)
	if added == 0 {
		return payload
	}
	return extend(payload, len(w.m.Types), added, w.types.added)
}

func (w *writer) globals(payload []byte) []byte {
	var entries []byte
	for range 2 {
		entries = append(entries, byte(wasm.I64), 1, byte(wasm.OpI64Const), 0, byte(wasm.OpEnd))
	}
	return extend(payload, len(w.m.Globals)-w.m.ImportedGlobals, 2, entries)
}

func (w *writer) exports(payload []byte, met *Metered) []byte {
	n := uint32(len(w.m.Globals)) //nolint:gosec // bounded by the module's length
	entries := appendExport(nil, met.FuelGlobal, wasm.KindGlobal, n)
	entries = appendExport(entries, met.DepthGlobal, wasm.KindGlobal, n+1)
	added := 2
	if w.m.HasStart {
		entries = appendExport(entries, met.StartFunction, wasm.KindFunc, w.m.Start)
		added++
	}
	return extend(payload, len(w.m.Exports), added, entries)
}

func appendExport(dst []byte, name string, kind wasm.ExternKind, index uint32) []byte {
	dst = wasm.AppendName(dst, name)
	dst = append(dst, byte(kind))
	return wasm.AppendU32(dst, index)
}

// names chooses export names that the module does not use: the plain ones
// followed by as many primes as it takes.
func (w *writer) names(met *Metered) {
	suffix := 0
	for i := range w.m.Exports {
		for _, plain := range []string{"krmsafe.fuel", "krmsafe.depth", "krmsafe.start"} {
			if rest, ok := strings.CutPrefix(w.m.Exports[i].Name, plain); ok && strings.Trim(rest, "'") == "" {
				suffix = max(suffix, len(rest)+1)
			}
		}
	}
	primes := strings.Repeat("'", suffix)
	met.FuelGlobal, met.DepthGlobal = "krmsafe.fuel"+primes, "krmsafe.depth"+primes
	if w.m.HasStart {
		met.StartFunction = "krmsafe.start" + primes
	}
}
