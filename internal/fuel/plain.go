package fuel

import "github.com/krmsafe/krmsafe/internal/wasm"

// Shapes of the instructions that only cost: nearly all of a module's.
const (
	slow    uint8 = iota // left to step
	bare                 // no immediates
	number               // one integer
	access               // two integers
	reading              // local.get
	writing              // local.set, local.tee
)

var shapes = func() (t [256]uint8) {
	for op := range t {
		switch wasm.Opcode(op).Immediates() {
		case wasm.ImmNone:
			t[op] = bare
		case wasm.ImmI32, wasm.ImmI64:
			t[op] = number
		case wasm.ImmMem:
			t[op] = access
		}
	}
	for _, op := range []wasm.Opcode{wasm.OpUnreachable, wasm.OpElse, wasm.OpEnd, wasm.OpReturn} {
		t[op] = slow
	}
	t[wasm.OpGlobalGet], t[wasm.OpGlobalSet] = number, number
	t[wasm.OpLocalGet], t[wasm.OpLocalSet], t[wasm.OpLocalTee] = reading, writing, writing
	return t
}()

// plain goes over the instructions from pos on that only cost, pays for them, and
// gives the offset of the first one that step must see. It leaves to step what
// follows a call, whose result may be about to decide a branch.
func (s *scanner) plain(code []byte, pos int) int {
	var price, count uint32
	last, before := -1, -1 // the last instructions
	if s.seen.callEnd == pos && pos < len(code) && (shapes[code[pos]] == writing || code[pos] == byte(wasm.OpGlobalGet)) {
		return pos
	}
	start := pos
	for pos < len(code) {
		op := code[pos]
		shape := shapes[op]
		if shape == slow {
			break
		}
		end := past(code, pos, shape)
		if end > len(code) {
			break // step says why
		}
		if shape == writing {
			local, _ := wasm.U32(code[pos+1:])
			s.assign(local)
		}
		if (shape == number || shape == access) && code[end-1] == 0 {
			s.trim(code, end, op == byte(wasm.OpI32Const) || op == byte(wasm.OpI64Const))
		}
		price += uint32(weights[op])
		count++
		before, last, pos = last, pos, end
	}
	s.nodes[s.cur].w += price
	s.instrs += count
	if pos > start {
		s.remember(code, before, last, pos)
	}
	return pos
}

// skipPlain gives the offset of the first instruction from pos on that is not
// plain.
func skipPlain(code []byte, pos int) int {
	for pos < len(code) {
		shape := shapes[code[pos]]
		if shape == slow {
			break
		}
		end := past(code, pos, shape)
		if end > len(code) {
			break
		}
		pos = end
	}
	return pos
}

// past is the offset behind the plain instruction at pos; beyond the code if it
// does not end.
func past(code []byte, pos int, shape uint8) int {
	pos++
	if shape == bare {
		return pos
	}
	if pos = pastNumber(code, pos); shape == access {
		pos = pastNumber(code, pos)
	}
	return pos
}

// pastNumber is the offset behind the integer at pos; beyond the code if it does
// not end.
func pastNumber(code []byte, pos int) int {
	for pos < len(code) && code[pos] >= 0x80 {
		pos++
	}
	return pos + 1
}

// remember notes what the last two instructions, which end at end, have set up for
// a branch.
func (s *scanner) remember(code []byte, before, last, end int) {
	switch shapes[code[last]] {
	case reading:
		s.seen.got, _ = wasm.U32(code[last+1:])
		s.seen.getEnd = end
	case writing:
		if before >= 0 && code[before] == byte(wasm.OpI32Const) {
			s.seen.set, _ = wasm.U32(code[last+1:])
			value, _ := wasm.S32(code[before+1:])
			s.seen.setValue, s.seen.setEnd = int64(value), end
		}
	}
}

// Linkers leave room for numbers that they fill in late: an address or an index of
// five bytes may need one or two. What metering adds to C and Rust is a third less where
// such numbers are cut to what they need.

// trim notes that the number that ends at end, in zeros, is longer than it need be, if it
// is. signed says how it is read.
func (s *scanner) trim(code []byte, end int, signed bool) {
	if code[end-1] != 0 || code[end-2] < 0x80 {
		return
	}
	needed := end - 1
	for code[needed-1] == 0x80 {
		needed--
	}
	// Before a number stands a byte below 0x80: an opcode, or the end of another number.
	if code[needed-1] < 0x80 || signed && code[needed-1]&0x40 != 0 {
		needed++ // a zero is all of it, or keeps it from being negative
	}
	if needed < end {
		s.long = append(s.long, longNumber{int32(needed), int32(end)}) //nolint:gosec // bodies are shorter than 2 GiB
	}
}
