package hashed_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/krmsafe/krmsafe/internal/hashed"
)

func TestOfIsTheDigestOfAllBytes(t *testing.T) {
	for _, n := range []int{0, 1, 256<<10 - 1, 256 << 10, 256<<10 + 1, 3<<20 + 7} {
		data := bytes.Repeat([]byte("krm"), n/3+1)[:n]
		sum := sha256.Sum256(data)
		want := "sha256:" + hex.EncodeToString(sum[:])
		b := hashed.Of(data)
		if b.Digest() != want || !b.Is(want) || b.Is("") || b.Len() != n || !bytes.Equal(b.Data(), data) {
			t.Errorf("Of(%d bytes) is %d bytes of %s, want %s", n, b.Len(), b.Digest(), want)
		}
	}
}

// TestZeroHasNoDigest holds the closed zero value: what was never hashed is nothing, whatever digest is asked for.
func TestZeroHasNoDigest(t *testing.T) {
	var zero hashed.Bytes
	if zero.Digest() != "" || zero.Is("") || zero.Is(hashed.Of(nil).Digest()) || zero.Data() != nil {
		t.Errorf("the zero Bytes is %q of %s", zero.Data(), zero.Digest())
	}
}
