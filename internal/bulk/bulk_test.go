package bulk_test

import (
	"testing"

	"github.com/krmsafe/krmsafe/internal/bulk"
)

// Memory is as large as was asked for, zero, and may be written to in whole,
// wherever huge pages begin and end in it.
func TestMake(t *testing.T) {
	for _, n := range []int{0, 1, 4<<20 - 1, 4 << 20, 4<<20 + 1, 6<<20 - 4096, 27 << 20} {
		b := bulk.Make(n)
		if len(b) != n {
			t.Fatalf("got %d bytes, want %d", len(b), n)
		}
		for i := range b {
			if b[i] != 0 {
				t.Fatalf("byte %d of %d is %d", i, n, b[i])
			}
			b[i] = 1
		}
	}
}
