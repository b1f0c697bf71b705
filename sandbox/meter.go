package sandbox

import (
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"

	"github.com/krmsafe/krmsafe/internal/fuel"
	"github.com/krmsafe/krmsafe/internal/wasm"
)

// prepare makes of a module's bytes what the engine may see: decoded and
// validated once more, on this side of the pipe, metered, without custom
// sections, and with tables that cannot outgrow the limit.
func prepare(module []byte, l Limits) (*fuel.Metered, error) {
	decoded, err := wasm.Decode(module, wasm.DefaultLimits())
	if err != nil {
		return nil, err
	}
	metered, err := fuel.Instrument(decoded, module, fuel.Options{})
	if err != nil {
		return nil, err
	}
	metered.Module, err = clampTables(metered.Module, decoded.Tables, l.TableElements)
	return metered, err
}

// clampTables lowers the tables' maxima so that together they stay within limit.
// What the declared minima leave is shared equally: growing a table beyond its
// share gives -1, as a failed growth does (core specification 4.4.6, table.grow).
func clampTables(module []byte, tables []wasm.Table, limit uint32) ([]byte, error) {
	if len(tables) == 0 {
		return module, nil
	}
	var least uint64
	for _, t := range tables {
		least += uint64(t.Size.Min)
	}
	if least > uint64(limit) {
		return nil, fmt.Errorf("tables of %d entries, at most %d are allowed", least, limit)
	}
	share := (uint64(limit) - least) / uint64(len(tables))
	section := wasm.AppendU32(nil, uint32(len(tables))) //nolint:gosec // G115: the decoder bounds it
	for _, t := range tables {
		most := uint64(t.Size.Min) + share
		if t.Size.HasMax {
			most = min(most, uint64(t.Size.Max))
		}
		section = append(section, byte(t.Type), 1)
		section = wasm.AppendU32(section, t.Size.Min)
		section = wasm.AppendU32(section, uint32(most)) //nolint:gosec // G115: at most limit
	}
	return replaceSection(module, wasm.SectionTable, section)
}

// replaceSection gives a module with one section's contents replaced.
func replaceSection(module []byte, id wasm.SectionID, payload []byte) ([]byte, error) {
	r := wasm.NewReader(module, 0)
	r.Bytes(wasm.HeaderBytes)
	for r.Left() > 0 {
		start := r.Offset()
		got := wasm.SectionID(r.Byte())
		r.Bytes(r.U32())
		if err := r.Err(); err != nil {
			return nil, err
		}
		if got != id {
			continue
		}
		out := make([]byte, 0, len(module)+len(payload))
		out = wasm.AppendSection(append(out, module[:start]...), id, payload)
		return append(out, module[r.Offset():]...), nil
	}
	return nil, errors.New("the section to replace is not there")
}

// meter is the two counters of an instance.
type meter struct {
	fuel, depth     api.MutableGlobal
	budget          uint64
	maxDepth        uint32
	ranOut, tooDeep bool
}

// callDepth is the depth that holds on both engines alike.
func callDepth(l Limits) uint32 { return min(l.CallDepth, fuel.MaxDepth) }

func newMeter(instance api.Module, m counterNames, l Limits) (*meter, error) {
	out := &meter{budget: l.Fuel, maxDepth: callDepth(l)}
	for _, c := range []struct {
		name string
		to   *api.MutableGlobal
	}{{m.fuel, &out.fuel}, {m.depth, &out.depth}} {
		g, ok := instance.ExportedGlobal(c.name).(api.MutableGlobal)
		if !ok {
			return nil, fmt.Errorf("the metered module has no counter %q", c.name)
		}
		*c.to = g
	}
	out.fuel.Set(l.Fuel)
	return out, nil
}

// arm sets the depth before a call from outside: a call that did not return has
// left it anywhere.
func (m *meter) arm() { m.depth.Set(uint64(m.maxDepth)) }

// read looks at both counters after a call.
func (m *meter) read() {
	m.ranOut = int64(m.fuel.Get()) < 0                //nolint:gosec // G115: the counter is signed
	m.tooDeep = !m.ranOut && int64(m.depth.Get()) < 0 //nolint:gosec // G115: the counter is signed
}

// used is the fuel burnt so far, at most the budget.
func (m *meter) used() uint64 {
	left := m.fuel.Get()
	if left > m.budget { // negative, or not the counter it was
		return m.budget
	}
	return m.budget - left
}
