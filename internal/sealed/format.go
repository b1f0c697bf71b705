package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
)

// An entry's file is a fixed part, the binding, the head, zeros up to the next
// page, and the bulk. All numbers are little-endian.
const (
	magic = "KRMSEAL1"

	offBinding = 8  // length of the binding, 4 bytes
	offHead    = 12 // length of the head, 4 bytes
	offBulk    = 16 // length of the bulk, 8 bytes
	offSalt    = 24 // of the bulk's key, 32 bytes
	offTag     = 56 // of the bulk, 16 bytes
	offMAC     = 72 // of everything before, and of name, binding and head, 32 bytes
	fixedBytes = 104

	keyBytes   = 32
	saltBytes  = 32
	tagBytes   = 16
	maxBinding = 64 << 10
	maxHead    = 64 << 20
	maxBulk    = 2 << 30
	pageBytes  = 64 << 10 // no machine has larger pages
)

// fixed is an entry's fixed part.
type fixed struct {
	binding, head uint32
	bulk          uint64
	salt          [saltBytes]byte
	tag           [tagBytes]byte
}

// small is the length of everything but the bulk.
func (f fixed) small() int64 { return fixedBytes + int64(f.binding) + int64(f.head) }

// bulkOffset is where the bulk begins.
func (f fixed) bulkOffset() int64 { return pages(f.small()) }

// size is the length of the whole file.
func (f fixed) size() int64 {
	if f.bulk == 0 {
		return f.small()
	}
	return f.bulkOffset() + int64(f.bulk) //nolint:gosec // G115: parseFixed bounds it
}

// pages rounds up to whole pages.
func pages(n int64) int64 { return (n + pageBytes - 1) &^ (pageBytes - 1) }

// encode gives the fixed part without its MAC.
func (f fixed) encode() []byte {
	b := make([]byte, 0, fixedBytes)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, f.binding)
	b = binary.LittleEndian.AppendUint32(b, f.head)
	b = binary.LittleEndian.AppendUint64(b, f.bulk)
	b = append(b, f.salt[:]...)
	return append(b, f.tag[:]...)
}

var errLength = errors.New("gives a length that cannot be")

// parseFixed reads a fixed part and bounds every length in it, before anything is
// read or reserved by them.
func parseFixed(b []byte, fileBytes int64) (fixed, error) {
	if len(b) != fixedBytes || string(b[:len(magic)]) != magic {
		return fixed{}, errors.New("is not a sealed entry of this version")
	}
	f := fixed{
		binding: binary.LittleEndian.Uint32(b[offBinding:]), head: binary.LittleEndian.Uint32(b[offHead:]),
		bulk: binary.LittleEndian.Uint64(b[offBulk:]),
	}
	copy(f.salt[:], b[offSalt:])
	copy(f.tag[:], b[offTag:])
	if f.binding > maxBinding || f.head > maxHead || f.bulk > maxBulk {
		return fixed{}, errLength
	}
	if f.size() != fileBytes {
		return fixed{}, fmt.Errorf("is %d bytes long, and should be %d", fileBytes, f.size())
	}
	return f, nil
}

// key is what tags are made with.
type key [keyBytes]byte

// mac is the tag over the fixed part, name, binding and head; the bulk is in it by
// its own tag.
func (k *key) mac(name string, fixedPart, binding, head []byte) []byte {
	h := k.begin("head")
	part(h, []byte(name))
	part(h, fixedPart)
	part(h, binding)
	part(h, head)
	return h.Sum(nil)
}

func (k *key) begin(purpose string) hash.Hash {
	h := hmac.New(sha256.New, k[:])
	part(h, []byte("krmsafe sealed 1 "+purpose))
	return h
}

func part(h hash.Hash, b []byte) {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(len(b)))
	h.Write(n[:])
	h.Write(b)
}

// bulkTag is the bulk's tag under the one key that salt stands for. The nonce is
// constant, as the key is used once.
func (k *key) bulkTag(salt [saltBytes]byte, bulk []byte) ([tagBytes]byte, error) {
	h := k.begin("bulk")
	part(h, salt[:])
	block, err := aes.NewCipher(h.Sum(nil))
	if err != nil {
		return [tagBytes]byte{}, fmt.Errorf("preparing a tag: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return [tagBytes]byte{}, fmt.Errorf("preparing a tag: %w", err)
	}
	var nonce [12]byte
	return [tagBytes]byte(gcm.Seal(nil, nonce[:], nil, bulk)), nil
}

// suffix ends the name of every entry.
const suffix = ".sealed"

// nameOf is the file of a binding.
func nameOf(binding []byte) string {
	sum := sha256.Sum256(binding)
	return hex.EncodeToString(sum[:]) + suffix
}
