// Package hashed carries bytes together with the digest that was computed of these very bytes, so that each is hashed
// once and no room has to take another's word for it. It knows SHA-256 and how an OCI digest is written; it does not
// know what the bytes are, nor which digest they should have.
//
// A digest that stands in a string beside its bytes may have been read somewhere. One that is asked of Bytes cannot:
// nothing but Of makes a Bytes that is not empty, and Of computes.
package hashed

import (
	"crypto/sha256"
	"encoding/hex"
)

// Bytes is content with its digest. The zero Bytes holds nothing and has no digest. It may be copied and shared.
type Bytes struct {
	data   []byte
	digest string
}

// step is how much is hashed at a time. The hash is assembly that Go cannot interrupt, and whoever wants to stop the
// world, such as the collector, would burn a processor while it waits for the end of 64 MiB.
const step = 256 << 10

// Of hashes data, which it keeps: nobody may change it from then on.
func Of(data []byte) Bytes {
	h := sha256.New()
	for at := 0; at < len(data); at += step {
		_, _ = h.Write(data[at:min(at+step, len(data))])
	}
	return Bytes{data: data, digest: "sha256:" + hex.EncodeToString(h.Sum(nil))}
}

// Data is the content. It must not be changed.
func (b Bytes) Data() []byte { return b.data }

// Len is the content's length in bytes.
func (b Bytes) Len() int { return len(b.data) }

// Digest is "sha256:" and lower-case hex, or empty for the zero Bytes, which is the content of nothing and not
// content of no bytes.
func (b Bytes) Digest() string { return b.digest }

// Is reports whether the content has the digest. The zero Bytes has none, not even the empty one.
func (b Bytes) Is(digest string) bool { return b.digest != "" && b.digest == digest }
