package wasm

import "encoding/binary"

// Magic and version open every core module (spec 5.5.16).
const (
	Magic   = "\x00asm"
	Version = "\x01\x00\x00\x00"
	// HeaderBytes is the length of magic and version together.
	HeaderBytes = 8
)

// AppendHeader appends magic and version.
func AppendHeader(dst []byte) []byte { return append(dst, Magic+Version...) }

// AppendU32 appends v as the shortest unsigned LEB128.
func AppendU32(dst []byte, v uint32) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// AppendS32 appends v as the shortest signed LEB128.
func AppendS32(dst []byte, v int32) []byte { return AppendS64(dst, int64(v)) }

// AppendS64 appends v as the shortest signed LEB128; it serves s33 as well.
func AppendS64(dst []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if (v == 0 && c&0x40 == 0) || (v == -1 && c&0x40 != 0) {
			return append(dst, c)
		}
		dst = append(dst, c|0x80)
	}
}

// AppendF32 appends the four bytes of an f32 given by its bits.
func AppendF32(dst []byte, bits uint32) []byte { return binary.LittleEndian.AppendUint32(dst, bits) }

// AppendF64 appends the eight bytes of an f64 given by its bits.
func AppendF64(dst []byte, bits uint64) []byte { return binary.LittleEndian.AppendUint64(dst, bits) }

// AppendName appends a length-prefixed name.
func AppendName(dst []byte, name string) []byte {
	dst = AppendU32(dst, uint32(len(name))) //nolint:gosec // names are far below 4 GiB
	return append(dst, name...)
}

// AppendSection appends a section: its id, the size of payload, payload.
func AppendSection(dst []byte, id SectionID, payload []byte) []byte {
	dst = append(dst, byte(id))
	dst = AppendU32(dst, uint32(len(payload))) //nolint:gosec // payloads are far below 4 GiB
	return append(dst, payload...)
}

// SizeU32 is the number of bytes that AppendU32 appends for v.
func SizeU32(v uint32) int {
	n := 1
	for v >= 0x80 {
		v >>= 7
		n++
	}
	return n
}

// PutPaddedU32 writes v into exactly five bytes, the longest legal form, for
// sizes that are known only after what follows them. dst must hold five bytes.
func PutPaddedU32(dst []byte, v uint32) {
	_ = dst[4]
	dst[0] = byte(v&0x7f) | 0x80
	dst[1] = byte(v>>7&0x7f) | 0x80
	dst[2] = byte(v>>14&0x7f) | 0x80
	dst[3] = byte(v>>21&0x7f) | 0x80
	dst[4] = byte(v >> 28)
}
