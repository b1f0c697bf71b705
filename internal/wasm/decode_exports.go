package wasm

func (d *decoder) exports() {
	n := d.vector(3, CodeLimitExports, "exports", d.limits.Exports)
	d.m.Exports = make([]Export, 0, n)
	seen := make(map[string]struct{}, n)
	for range n {
		at := d.r.Offset()
		e := Export{Name: d.name()}
		e.Kind = ExternKind(d.r.Byte())
		switch e.Kind {
		case KindFunc:
			e.Index = d.index("function", len(d.m.Functions))
			d.declare(e.Index)
		case KindTable:
			e.Index = d.index("table", len(d.m.Tables))
		case KindMemory:
			e.Index = d.index("memory", len(d.m.Memories))
		case KindGlobal:
			e.Index = d.index("global", len(d.m.Globals))
			if d.ok() && d.m.Globals[e.Index].Mutable {
				d.m.use(FeatureMutableGlobals)
			}
		case 4:
			d.feature(CodeFeatureExceptions, at, "an exported tag")
		default:
			d.failAt(at, CodeMalformed, "malformed export kind 0x%02x", byte(e.Kind))
		}
		if _, twice := seen[e.Name]; twice {
			d.failAt(at, CodeDuplicateExport, "duplicate export name %q", clip(e.Name))
		}
		if !d.ok() {
			return
		}
		seen[e.Name] = struct{}{}
		d.m.Exports = append(d.m.Exports, e)
	}
}

// clip shortens foreign text for a message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

func (d *decoder) start() {
	at := d.r.Offset()
	d.m.Start, d.m.HasStart = d.index("function", len(d.m.Functions)), true
	if !d.ok() {
		return
	}
	if t := d.m.FuncType(d.m.Start); len(t.Params)+len(t.Results) > 0 {
		d.failAt(at, CodeInvalidType, "the start function must take and return nothing")
	}
}

// declare marks a function as one that ref.func may name in a body.
func (d *decoder) declare(f uint32) {
	if d.declared == nil {
		d.declared = make([]uint64, len(d.m.Functions)/64+1)
	}
	if w := int(f / 64); w < len(d.declared) {
		d.declared[w] |= 1 << (f % 64)
	}
}

func (d *decoder) isDeclared(f uint32) bool {
	w := int(f / 64)
	return w < len(d.declared) && d.declared[w]&(1<<(f%64)) != 0
}
