package jail

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Encoder builds a frame's payload: fixed-width little-endian numbers, and byte
// strings after their 32-bit length. There is exactly one encoding of a value.
type Encoder struct{ buf []byte }

// Payload is what was appended so far.
func (e *Encoder) Payload() []byte { return e.buf }

// U8 appends one byte.
func (e *Encoder) U8(v uint8) { e.buf = append(e.buf, v) }

// Bool appends 0 or 1.
func (e *Encoder) Bool(v bool) {
	if v {
		e.U8(1)
		return
	}
	e.U8(0)
}

// U32 appends four bytes.
func (e *Encoder) U32(v uint32) { e.buf = binary.LittleEndian.AppendUint32(e.buf, v) }

// U64 appends eight bytes.
func (e *Encoder) U64(v uint64) { e.buf = binary.LittleEndian.AppendUint64(e.buf, v) }

// Bytes appends a byte string, which must be shorter than 4 GiB.
func (e *Encoder) Bytes(v []byte) {
	e.U32(uint32(len(v))) //nolint:gosec // G115: callers bound what they send far below 4 GiB
	e.buf = append(e.buf, v...)
}

// String appends a string as a byte string.
func (e *Encoder) String(v string) { e.Bytes([]byte(v)) }

// Decoder reads what an Encoder wrote, and nothing else: a short, long or odd
// payload is an error, which sticks and is returned by Close.
type Decoder struct {
	buf []byte
	err error
}

// NewDecoder reads from payload; byte strings it returns share its memory.
func NewDecoder(payload []byte) *Decoder { return &Decoder{buf: payload} }

var errShortPayload = errors.New("payload ends early")

func (d *Decoder) take(n int) []byte {
	if d.err != nil || n > len(d.buf) {
		if d.err == nil {
			d.err = errShortPayload
		}
		return nil
	}
	b := d.buf[:n:n]
	d.buf = d.buf[n:]
	return b
}

// U8 reads one byte, or gives 0 after an error.
func (d *Decoder) U8() uint8 {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Bool reads 0 or 1; any other byte is an error.
func (d *Decoder) Bool() bool {
	v := d.U8()
	if v > 1 && d.err == nil {
		d.err = fmt.Errorf("%d is not a truth value", v)
	}
	return v == 1 && d.err == nil
}

// U32 reads four bytes, or gives 0 after an error.
func (d *Decoder) U32() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 reads eight bytes, or gives 0 after an error.
func (d *Decoder) U64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Bytes reads a byte string of at most limit bytes.
func (d *Decoder) Bytes(limit int64) []byte {
	n := d.U32()
	if d.err == nil && int64(n) > limit {
		d.err = fmt.Errorf("byte string of %d bytes, at most %d are allowed", n, limit)
	}
	return d.take(int(n))
}

// String reads a byte string of at most limit bytes as text.
func (d *Decoder) String(limit int64) string { return string(d.Bytes(limit)) }

// Close gives the first error; bytes left over are one.
func (d *Decoder) Close() error {
	if d.err == nil && len(d.buf) > 0 {
		d.err = fmt.Errorf("%d bytes after the payload's end", len(d.buf))
	}
	return d.err
}
