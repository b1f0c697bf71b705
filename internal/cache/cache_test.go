package cache_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/internal/cache"
)

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// clock moves by a second with each reading.
func clock() func() time.Time {
	var mu sync.Mutex
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(time.Second)
		return at
	}
}

func open(t *testing.T, dir string, maxBytes int64) *cache.Blobs {
	t.Helper()
	b, err := cache.Open(dir, maxBytes, clock())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestStoreLoad(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "new"), 1<<20)
	body := []byte("content")
	if _, ok := b.Load(digest(body), 100); ok {
		t.Error("Load of what was never stored found something")
	}
	b.Store(digest(body), body)
	if got, ok := b.Load(digest(body), 100); !ok || !bytes.Equal(got.Data(), body) {
		t.Errorf("Load = %q, %v, want %q, true", got, ok, body)
	}
	if _, ok := b.Load(digest(body), 3); ok {
		t.Error("Load gave more than the limit")
	}
}

// TestTamperedBlobIsNotLoaded changes a blob on disk: it is neither given out nor
// kept.
func TestTamperedBlobIsNotLoaded(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir, 1<<20)
	body := []byte("content")
	b.Store(digest(body), body)
	file := onlyFile(t, dir)
	if err := os.WriteFile(file, []byte("CONTENT"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, ok := b.Load(digest(body), 100); ok {
		t.Errorf("Load gave tampered bytes %q", got)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the tampered blob is still there")
	}
}

// TestPlantedBlobIsNotLoaded puts links in a blob's place.
func TestPlantedBlobIsNotLoaded(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	body := []byte("content")
	if err := os.WriteFile(outside, body, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	sum := strings.TrimPrefix(digest(body), "sha256:")
	if err := os.Mkdir(filepath.Join(dir, sum[:2]), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, sum[:2], sum)); err != nil {
		t.Fatal(err)
	}
	if _, ok := open(t, dir, 1<<20).Load(digest(body), 100); ok {
		t.Error("Load followed a link out of the folder")
	}
}

func TestWrongDigestIsNotStored(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, 1<<20)
	for _, d := range []string{digest([]byte("other")), "sha256:../../x", "sha512:" + strings.Repeat("a", 64), strings.ToUpper(digest([]byte("content")))} {
		b.Store(d, []byte("content"))
	}
	if n := countFiles(t, dir); n != 0 {
		t.Errorf("%d files were stored, want none", n)
	}
}

func TestOldestIsForgotten(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, 1000)
	blob := func(i byte) []byte { return bytes.Repeat([]byte{i}, 300) }
	for i := range byte(3) {
		b.Store(digest(blob(i)), blob(i))
	}
	if _, ok := b.Load(digest(blob(0)), 1000); !ok { // used again, so 1 is the oldest now
		t.Fatal("the first blob is gone before there was too much")
	}
	b.Store(digest(blob(3)), blob(3))
	for i, want := range []bool{true, false, true, true} {
		if _, ok := b.Load(digest(blob(byte(i))), 1000); ok != want {
			t.Errorf("blob %d is there: %v, want %v", i, ok, want)
		}
	}
	large := bytes.Repeat([]byte{9}, 501)
	b.Store(digest(large), large)
	if _, ok := b.Load(digest(large), 1000); ok {
		t.Error("a blob of more than half of the cache was kept")
	}
}

func TestFolderOthersWriteToIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Open(dir, 1000, clock()); err == nil {
		t.Error("Open took a folder that everybody may write to")
	}
}

func TestConcurrentUse(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		b := open(t, dir, 1<<20)
		wg.Go(func() {
			for i := range byte(20) {
				body := bytes.Repeat([]byte{i}, 1000)
				b.Store(digest(body), body)
				if got, ok := b.Load(digest(body), 1000); ok && !bytes.Equal(got.Data(), body) {
					t.Errorf("blob %d has other content", i)
				}
			}
		})
	}
	wg.Wait()
	if n := countFiles(t, dir); n != 20 {
		t.Errorf("%d files, want 20", n)
	}
}

func countFiles(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	if err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func onlyFile(t *testing.T, dir string) string {
	t.Helper()
	matches, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(matches) != 1 {
		t.Fatalf("files in the cache: %v, %v", matches, err)
	}
	return matches[0]
}
