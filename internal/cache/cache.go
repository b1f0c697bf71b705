// Package cache keeps content by its SHA-256 digest in a folder that belongs to
// one user, so that what was fetched once need not be fetched again. It knows
// files and digests. It does not know what the content is, whether anybody ever
// verified it, or tags: who asks by digest gets bytes of that digest or nothing.
//
// Nothing in the folder is trusted. Each blob is hashed when it is read, and one
// that does not match is removed. What is lost is fetched again, so no failure of
// the cache is an error of a run.
package cache

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/krmsafe/krmsafe/internal/bulk"
	"github.com/krmsafe/krmsafe/internal/hashed"
)

// Blobs is a cache of blobs. It may be used by several goroutines and several
// processes at once: a blob appears by a rename, whole or not at all.
type Blobs struct {
	root     *os.Root
	maxBytes int64
	now      func() time.Time
}

// Open opens the cache in dir, which is made, for its owner alone, where it does
// not exist. It keeps at most maxBytes bytes, and forgets what was not used for
// longest. A folder that others may write to is refused: they could fill the disk
// of whoever runs krmsafe, and see what runs. now is a clock.
func Open(dir string, maxBytes int64, now func() time.Time) (*Blobs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	info, err := root.Stat(".")
	if err == nil && info.Mode().Perm()&0o022 != 0 {
		err = fmt.Errorf("%s may be written to by others (mode %04o)", dir, info.Mode().Perm())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the cache: %w", err), root.Close())
	}
	return &Blobs{root: root, maxBytes: maxBytes, now: now}, nil
}

// Close gives up the folder.
func (b *Blobs) Close() error { return b.root.Close() }

// name is the file of a digest; ok is false for what is not "sha256:" and 64
// lower-case hexadecimal digits, so that no digest can name another file.
func name(digest string) (string, bool) {
	sum, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || len(sum) != 2*sha256.Size || strings.Trim(sum, "0123456789abcdef") != "" {
		return "", false
	}
	return path.Join(sum[:2], sum), true
}

// Load gives the content of a digest, if it is there, no larger than limit bytes
// and what its name says.
func (b *Blobs) Load(digest string, limit int64) (hashed.Bytes, bool) {
	file, ok := name(digest)
	if !ok {
		return hashed.Bytes{}, false
	}
	f, err := b.root.Open(file)
	if err != nil {
		return hashed.Bytes{}, false
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > limit {
		return hashed.Bytes{}, false
	}
	data := bulk.Make(int(info.Size()))
	if _, err := io.ReadFull(f, data); err != nil {
		return hashed.Bytes{}, false
	}
	body := hashed.Of(data)
	if !body.Is(digest) {
		_ = b.root.Remove(file)
		return hashed.Bytes{}, false
	}
	now := b.now()
	_ = b.root.Chtimes(file, now, now) // it was used
	return body, true
}

// Store keeps body under digest if it has it, and forgets older content where
// there is too much. It keeps nothing that alone is more than half of what may
// be kept.
func (b *Blobs) Store(digest string, body []byte) {
	file, ok := name(digest)
	if !ok || !hashed.Of(body).Is(digest) || int64(len(body)) > b.maxBytes/2 {
		return
	}
	if _, err := b.root.Lstat(file); err == nil {
		return
	}
	if err := b.root.MkdirAll(path.Dir(file), 0o700); err != nil {
		return
	}
	if b.write(file, body) == nil {
		_, _, _ = b.Prune(b.maxBytes)
	}
}

// write makes the file by a rename, under a name that no other process uses.
func (b *Blobs) write(file string, body []byte) error {
	now := b.now()
	tmp := fmt.Sprintf("%s.%d.%d.tmp", file, os.Getpid(), now.UnixNano())
	f, err := b.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Close()); err == nil {
		err = b.root.Chtimes(tmp, now, now)
	}
	if err == nil {
		err = b.root.Rename(tmp, file)
	}
	if err != nil {
		return errors.Join(err, b.root.Remove(tmp))
	}
	return nil
}

// Blob is one blob as it lies in the folder.
type Blob struct {
	Digest string    `json:"digest"`
	Bytes  int64     `json:"bytes"`
	Used   time.Time `json:"used"` // last
	// Problem says why it is of no use; it is empty where all is well.
	Problem string `json:"problem"`
}

// List lists the blobs, the last used first. With deep each is hashed, and one that is
// not what its name says is removed, and listed with the reason.
func (b *Blobs) List(deep bool) ([]Blob, error) {
	all, err := b.entries()
	if err != nil {
		return nil, fmt.Errorf("listing the cache: %w", err)
	}
	slices.Reverse(all)
	out := []Blob{}
	for _, e := range all {
		blob := Blob{Digest: "sha256:" + path.Base(e.name), Bytes: e.size, Used: e.used}
		if file, ok := name(blob.Digest); !ok || file != e.name {
			continue // half written, or not ours
		}
		if deep && !b.check(e.name, blob.Digest) {
			blob.Problem = "it is not what its digest says; it has been removed"
			_ = b.root.Remove(e.name)
		}
		out = append(out, blob)
	}
	return out, nil
}

// check hashes a file.
func (b *Blobs) check(file, digest string) bool {
	f, err := b.root.Open(file)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return err == nil && "sha256:"+hex.EncodeToString(h.Sum(nil)) == digest
}

// Prune removes what was not used for longest until at most maxBytes bytes are left,
// and gives how much went.
func (b *Blobs) Prune(maxBytes int64) (files int, bytes int64, err error) {
	all, err := b.entries()
	if err != nil {
		return 0, 0, fmt.Errorf("pruning the cache: %w", err)
	}
	var total int64
	for _, e := range all {
		total += e.size
	}
	for _, e := range all {
		if total <= maxBytes {
			break
		}
		if b.root.Remove(e.name) == nil {
			total -= e.size
			files++
			bytes += e.size
		}
	}
	return files, bytes, nil
}

// An entry is one file of the cache.
type entry struct {
	name string
	size int64
	used time.Time
}

// entries lists all files, the longest unused first.
func (b *Blobs) entries() ([]entry, error) {
	var all []entry
	err := fs.WalkDir(b.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // another process removed it
		}
		all = append(all, entry{name: p, size: info.Size(), used: info.ModTime()})
		return nil
	})
	slices.SortFunc(all, func(x, y entry) int { return cmp.Or(x.used.Compare(y.used), cmp.Compare(x.name, y.name)) })
	return all, err
}
