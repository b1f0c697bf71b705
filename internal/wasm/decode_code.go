package wasm

// code reads the code section and validates every body.
func (d *decoder) code() {
	m := d.m
	n := d.vector(3, CodeLimitFunctions, "functions", d.limits.Functions)
	defined := len(m.Functions) - m.ImportedFunctions
	if d.ok() && n != defined {
		d.fail(CodeMalformed, "the function section declares %d functions and the code section has %d bodies", defined, n)
	}
	if !d.ok() {
		return
	}
	m.Bodies = make([]Body, 0, n)
	v := validator{d: d, m: m, limits: &d.limits}
	for i := range n {
		at := d.r.Offset()
		size := d.r.U32()
		if !d.bound(CodeLimitBodyBytes, "bytes in a function body", uint64(size), d.limits.BodyBytes) {
			return
		}
		start := d.r.Offset()
		body := d.r.Bytes(size)
		if !d.ok() {
			d.r.err.Offset = int64(at)
			return
		}
		b, err := v.body(body, start, m.ImportedFunctions+i)
		if err != nil {
			d.r.fail(err)
			return
		}
		m.Bodies = append(m.Bodies, b)
		m.CodeBytes += int(size)
		m.LargestBody = max(m.LargestBody, int(size))
	}
}
