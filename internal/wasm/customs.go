package wasm

import "strings"

func (d *decoder) custom(s Section) {
	name := d.name()
	if !d.ok() {
		return
	}
	d.m.Customs = append(d.m.Customs, Custom{Name: name, Offset: s.Offset, Start: d.r.Offset(), End: s.End})
	if name == "producers" && d.m.Producers == nil {
		d.m.Producers = producers(d.module[d.r.Offset():s.End])
	}
	d.r.pos = len(d.r.buf)
}

// Bounds on what is kept of a producers section.
const (
	maxProducers     = 64
	maxProducerBytes = 256
)

// producers reads as much of a producers section as makes sense. The section
// is a claim by whoever built the module, so that a broken one is no reason
// to refuse the module, and nothing in it may be believed.
func producers(b []byte) []Producer {
	r := NewReader(b, 0)
	text := func() string {
		t := r.Bytes(r.U32())
		return strings.ToValidUTF8(string(t[:min(len(t), maxProducerBytes)]), "\uFFFD")
	}
	var list []Producer
	for range min(r.U32(), maxProducers) {
		field := text()
		for range min(r.U32(), maxProducers) {
			p := Producer{Field: field, Name: text(), Version: text()}
			if r.err != nil || len(list) >= maxProducers {
				return list
			}
			list = append(list, p)
		}
	}
	return list
}
