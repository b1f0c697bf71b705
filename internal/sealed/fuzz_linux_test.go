package sealed_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/krmsafe/krmsafe/internal/sealed"
)

// FuzzEntry puts any bytes in the place of an entry: it is given only if they are those
// that were written, and otherwise doubted, without reading beyond them.
func FuzzEntry(f *testing.F) {
	dir := home(f)
	s := open(f, config(dir))
	small := sealed.Content{Head: []byte("head"), Bulk: [][]byte{bytes.Repeat([]byte("x"), 100)}}
	save(f, s, binding, small)
	name := file(f, dir)
	whole, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:200])
	f.Add(append(bytes.Clone(whole), 0))
	f.Add([]byte("KRMSEAL1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = os.Remove(name)
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := s.Load(binding)
		if err != nil {
			return
		}
		defer func() { _ = e.Close() }()
		if !bytes.Equal(data, whole) || !bytes.Equal(e.Head, small.Head) {
			t.Errorf("an entry of %d bytes was given that nobody wrote (%s)", len(data), filepath.Base(name))
		}
	})
}
