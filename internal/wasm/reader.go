package wasm

import "unicode/utf8"

// Reader reads the primitive values of the binary format (spec 5.2) from a
// byte slice, never beyond its end.
//
// Errors are sticky: the first one is kept, the position moves to the end, and
// every later read returns zero. A caller that loops over a count must bound
// that count by Left first, as Count does, and look at Err before it believes
// what it has read. A Reader must not be used concurrently. It does not copy:
// the slices that it hands out share memory with the input.
type Reader struct {
	buf  []byte
	pos  int
	base int
	err  *Error
}

// NewReader reads b, whose first byte is the module's byte number base;
// offsets in errors are offsets in the module.
func NewReader(b []byte, base int) Reader {
	return Reader{buf: b, base: base}
}

// Err is the first error that was met, or nil. It is always an *Error.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// Left is the number of bytes not read yet.
func (r *Reader) Left() int { return len(r.buf) - r.pos }

func (r *Reader) left() uint64 { return uint64(len(r.buf) - r.pos) } //nolint:gosec // pos never passes the end

// Offset is the position of the next byte in the module.
func (r *Reader) Offset() int { return r.base + r.pos }

// fail keeps the first error and ends the input.
func (r *Reader) fail(e *Error) {
	if r.err == nil {
		r.err = e
	}
	r.pos = len(r.buf)
}

func (r *Reader) failAt(pos int, code, message string) {
	r.fail(&Error{Code: code, Offset: int64(r.base + pos), Message: message})
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if r.pos < len(r.buf) {
		b := r.buf[r.pos]
		r.pos++
		return b
	}
	r.failAt(r.pos, CodeTruncated, "unexpected end of bytes")
	return 0
}

// Bytes returns the next n bytes without copying them.
func (r *Reader) Bytes(n uint32) []byte {
	if uint64(n) > r.left() {
		r.failAt(r.pos, CodeTruncated, "a length reaches beyond the end of its section")
		return nil
	}
	b := r.buf[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return b
}

// U32 reads an unsigned 32-bit LEB128 integer: at most five bytes, and no bit
// beyond the thirty-second. Padding within the five bytes is legal (spec 5.2.2).
func (r *Reader) U32() uint32 {
	if r.pos < len(r.buf) {
		if b := r.buf[r.pos]; b < 0x80 {
			r.pos++
			return uint32(b)
		}
	}
	return r.u32Slow()
}

func (r *Reader) u32Slow() uint32 {
	v, n := U32(r.buf[r.pos:])
	if n <= 0 {
		r.failLEB(n, "unsigned 32-bit")
		return 0
	}
	r.pos += n
	return v
}

// S32 reads a signed 32-bit LEB128 integer.
func (r *Reader) S32() int32 { return int32(r.signed(32)) } //nolint:gosec // signed has checked the range

// S64 reads a signed 64-bit LEB128 integer.
func (r *Reader) S64() int64 { return r.signed(64) }

func (r *Reader) signed(bits uint) int64 {
	v, n := signedLEB(r.buf[r.pos:], bits)
	if n <= 0 {
		r.failLEB(n, "signed")
		return 0
	}
	r.pos += n
	return v
}

func (r *Reader) failLEB(n int, kind string) {
	switch n {
	case lebTruncated:
		r.failAt(len(r.buf), CodeTruncated, "unexpected end of bytes in an integer")
	case lebTooLong:
		r.failAt(r.pos, CodeInteger, kind+" integer representation too long")
	default:
		r.failAt(r.pos, CodeInteger, kind+" integer too large")
	}
}

// Name reads a length-prefixed name and checks that it is UTF-8 (spec 5.2.4).
// The result shares memory with the input.
func (r *Reader) Name() []byte {
	start := r.pos
	b := r.Bytes(r.U32())
	if r.err == nil && !utf8.Valid(b) {
		r.failAt(start, CodeUTF8, "malformed UTF-8 encoding in a name")
		return nil
	}
	return b
}

// Count reads the length of a vector whose elements take at least minBytes
// each, and refuses one that the bytes left cannot hold: what comes back may
// be used to allocate.
func (r *Reader) Count(minBytes uint64) uint32 {
	start := r.pos
	n := r.U32()
	if r.err == nil && uint64(n)*max(minBytes, 1) > r.left() {
		r.failAt(start, CodeTruncated, "a count promises more elements than there are bytes left")
		return 0
	}
	return n
}

// Results of a failed LEB128 read, where success gives the bytes used.
const (
	lebTruncated = 0
	lebTooLong   = -1
	lebTooLarge  = -2
)

// U32 decodes an unsigned 32-bit LEB128 integer at the start of b and returns
// it with the number of bytes used. A count of 0 says that b ends within the
// integer, a negative one that it is too long or too large.
func U32(b []byte) (v uint32, n int) {
	for i := 0; i < 5; i++ {
		if i >= len(b) {
			return 0, lebTruncated
		}
		c := b[i]
		if i == 4 {
			if c >= 0x80 {
				return 0, lebTooLong
			}
			if c > 0x0f {
				return 0, lebTooLarge
			}
		}
		v |= uint32(c&0x7f) << (7 * i)
		if c < 0x80 {
			return v, i + 1
		}
	}
	return 0, lebTooLong
}

// S64 decodes a signed 64-bit LEB128 integer at the start of b, as U32 does.
func S64(b []byte) (v int64, n int) { return signedLEB(b, 64) }

// S33 decodes a signed 33-bit LEB128 integer at the start of b, as U32 does.
func S33(b []byte) (v int64, n int) { return signedLEB(b, 33) }

// S32 decodes a signed 32-bit LEB128 integer at the start of b, as U32 does.
func S32(b []byte) (v int32, n int) {
	w, n := signedLEB(b, 32)
	return int32(w), n //nolint:gosec // signedLEB has checked the range
}

// signedLEB decodes a sign-extended LEB128 integer of the given width. In the
// last byte that the width allows, the bits beyond it must repeat the sign.
func signedLEB(b []byte, bits uint) (v int64, n int) {
	last := int((bits + 6) / 7)
	for i := range last {
		if i >= len(b) {
			return 0, lebTruncated
		}
		c := b[i]
		v |= int64(c&0x7f) << (7 * i)
		if i == last-1 {
			if c >= 0x80 {
				return 0, lebTooLong
			}
			used := bits - 7*uint(last-1) // bits of this byte that carry value, sign included
			sign := int8(c<<1) >> used    //nolint:gosec // the shift keeps value bits out and repeats the sign
			if sign != 0 && sign != -1 {
				return 0, lebTooLarge
			}
		}
		if c < 0x80 {
			if shift := 7 * uint(i+1); shift < 64 && c&0x40 != 0 {
				v |= -1 << shift
			}
			return v, i + 1
		}
	}
	return 0, lebTooLong
}
