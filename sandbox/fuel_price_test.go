package sandbox_test

import (
	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// meterEach is a meter of the plainest kind: it charges every instruction
// immediately before it, and takes its prices from docs/fuel.md rather than
// from the package under test. It counts no depth.
func meterEach(m *wasm.Module, module []byte) *fuel.Metered {
	counter := uint32(len(m.Globals))
	var code []byte
	code = wasm.AppendU32(code, uint32(len(m.Bodies)))
	for i, b := range m.Bodies {
		body := meterBody(m, module, uint32(m.ImportedFunctions+i), b, counter)
		code = wasm.AppendU32(code, uint32(len(body)))
		code = append(code, body...)
	}
	met := &fuel.Metered{FuelGlobal: "price.fuel", DepthGlobal: "price.depth"}
	out := wasm.AppendHeader(nil)
	for _, s := range m.Sections {
		p := s.Payload(module)
		switch s.ID {
		case wasm.SectionCustom:
			continue
		case wasm.SectionStart:
			continue
		case wasm.SectionGlobal:
			p = more(p, byte(wasm.I64), 1, 0x42, 0, 0x0b, byte(wasm.I64), 1, 0x42, 0, 0x0b)
		case wasm.SectionExport:
			var e []byte
			e = append(wasm.AppendName(e, met.FuelGlobal), byte(wasm.KindGlobal))
			e = wasm.AppendU32(e, counter)
			e = append(wasm.AppendName(e, met.DepthGlobal), byte(wasm.KindGlobal))
			e = wasm.AppendU32(e, counter+1)
			if m.HasStart {
				met.StartFunction = "price.start"
				e = append(wasm.AppendName(e, met.StartFunction), byte(wasm.KindFunc))
				e = wasm.AppendU32(e, m.Start)
				p = moreBy(p, 1)
			}
			p = more(p, e...)
		case wasm.SectionCode:
			p = code
		}
		out = wasm.AppendSection(out, s.ID, p)
	}
	met.Module = out
	return met
}

// more appends two entries to a vector.
func more(payload []byte, entries ...byte) []byte { return append(moreBy(payload, 2), entries...) }

func moreBy(payload []byte, by uint32) []byte {
	count, n := wasm.U32(payload)
	return append(wasm.AppendU32(nil, count+by), payload[n:]...)
}

func meterBody(m *wasm.Module, module []byte, index uint32, b wasm.Body, counter uint32) []byte {
	scratch := uint32(len(m.FuncType(index).Params)) + b.Locals
	groups, n := wasm.U32(module[b.Start:])
	out := wasm.AppendU32(nil, groups+1)
	out = append(out, module[b.Start+n:b.Code]...)
	out = append(out, 1, byte(wasm.I32))
	charge := func(units int64) {
		if units == 0 {
			return
		}
		out = wasm.AppendU32(append(out, 0x23), counter)
		out = wasm.AppendS64(append(out, 0x42), units)
		out = wasm.AppendU32(append(out, 0x7d, 0x24), counter)
	}
	charge(int64(b.Locals) / 8)
	w := wasm.NewWalker(module[b.Code:b.End], b.Code)
	for w.Next() {
		price, length := listPrice(m, &w)
		charge(price)
		if length != nil {
			out = wasm.AppendU32(append(out, 0x22), scratch)
			out = wasm.AppendU32(append(out, 0x23), counter)
			out = wasm.AppendU32(append(out, 0x20), scratch)
			out = append(append(out, 0xad), length...)
			out = wasm.AppendU32(append(out, 0x7d, 0x24), counter)
		}
		out = append(out, w.Bytes()...)
	}
	return out
}

// listPrice is the price list of fuel/v1: what an instruction costs, and how
// an i64 length becomes a price.
func listPrice(m *wasm.Module, w *wasm.Walker) (int64, []byte) {
	switch w.Op {
	case 0x01, 0x02, 0x03, 0x05, 0x0b, 0x1a: // nop, block, loop, else, end, drop
		return 0, nil
	case 0x10:
		if int(w.A) < m.ImportedFunctions {
			return 256, nil
		}
		return 2, nil
	case 0x11:
		return 4, nil
	case 0x40: // memory.grow: n*1024
		return 64, []byte{0x42, 10, 0x86}
	case 0xfc08, 0xfc0a, 0xfc0b: // memory.init, copy, fill: n/16
		return 16, []byte{0x42, 4, 0x88}
	case 0xfc0c, 0xfc0e, 0xfc11: // table.init, copy, fill: n
		return 16, []byte{}
	case 0xfc0f: // table.grow: n*8
		return 64, []byte{0x42, 3, 0x86}
	case 0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82, 0x91, 0x95, 0x9f, 0xa3,
		0xfde3, 0xfde7, 0xfdef, 0xfdf3: // division, remainder, square root
		return 4, nil
	}
	return 1, nil
}
