package oci

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Pull fetches as Fetch does and writes what it read to a new OCI layout in dir: the manifest, in an index the child for the platform,
// config, layers, every bundle as a referrer that index.json lists, and cosign 2's tags as names in it. Fetch from that layout gives the
// same artifact with the same evidence, without a network. The layout appears whole or not at all; dir must not exist, or be empty.
// Nothing in it is trusted for having been pulled. Errors: as Fetch's.
func (c *Client) Pull(ctx context.Context, ref Ref, dir string) (*Artifact, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	if names, err := os.ReadDir(dir); err == nil && len(names) > 0 {
		return nil, &LayoutError{Code: "layout.exists", Dir: dir, Message: "the directory is not empty", Hint: "name one that does not exist yet"}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("pulling to %q: %w", dir, err)
	}
	src, err := c.open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer src.close()
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o755); err != nil { //nolint:gosec // G301: the umask decides
		return nil, fmt.Errorf("pulling to %q: %w", dir, err)
	}
	staging, err := os.MkdirTemp(parent, ".krmsafe-pull-")
	if err != nil {
		return nil, fmt.Errorf("pulling to %q: %w", dir, err)
	}
	artifact, err := c.pullInto(ctx, src, ref, staging)
	if err == nil {
		err = moveInto(staging, dir)
	}
	if err != nil {
		return nil, errors.Join(c.explain(ctx, ref, err), ignore(os.RemoveAll(staging)))
	}
	return artifact, nil
}

// moveInto gives a finished layout its name. An empty directory makes way for it; one that has been filled meanwhile does not.
func moveInto(staging, dir string) error {
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pulling to %q: %w", dir, err)
	}
	if err := os.Chmod(staging, 0o755); err != nil { //nolint:gosec // G302: a layout is for sharing
		return fmt.Errorf("pulling to %q: %w", dir, err)
	}
	if err := os.Rename(staging, dir); err != nil {
		return fmt.Errorf("pulling to %q: %w", dir, err)
	}
	return nil
}

func (c *Client) pullInto(ctx context.Context, src source, ref Ref, staging string) (*Artifact, error) {
	root, err := os.OpenRoot(staging)
	if err != nil {
		return nil, fmt.Errorf("pulling to %q: %w", staging, err)
	}
	defer root.Close() //nolint:errcheck // every file in it is closed by itself
	if err := root.MkdirAll("blobs/sha256", 0o755); err != nil {
		return nil, fmt.Errorf("pulling to %q: %w", staging, err)
	}
	rec := &recorder{source: src, root: root, limits: c.limits, docs: map[string]document{}}
	artifact, err := c.fetch(ctx, rec, ref)
	if err != nil {
		return nil, err
	}
	for _, digest := range append(artifact.Subjects(), artifact.carriers()...) {
		if err := rec.keep(ctx, digest); err != nil {
			return nil, err
		}
	}
	return artifact, finishLayout(root, staging, rec.entries(artifact))
}

// carriers are the manifests that hold the evidence, each once.
func (a *Artifact) carriers() []string {
	var out []string
	for _, e := range a.Evidence {
		if !slices.Contains(out, e.Manifest) {
			out = append(out, e.Manifest)
		}
	}
	return out
}

// recorder is a source that keeps on disk what passes through it.
type recorder struct {
	source
	root   *os.Root
	limits Limits

	mu    sync.Mutex
	docs  map[string]document
	total int64 // bytes of docs
}

func (r *recorder) document(ctx context.Context, name string) (document, error) {
	doc, err := r.source.document(ctx, name)
	if err != nil {
		return doc, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.docs[doc.digest]; !known {
		if r.total += int64(len(doc.body)); r.total > r.limits.EvidenceTotal+r.limits.ManifestBytes {
			return document{}, r.limits.total().exceeded("manifests about "+doc.digest, r.total)
		}
		r.docs[doc.digest] = doc
	}
	return doc, nil
}

// open tees a blob into a file of the layout, which gets its name once its bytes turned out to be those of the descriptor.
func (r *recorder) open(ctx context.Context, d descriptor, what string) (io.ReadCloser, error) {
	next, err := r.source.open(ctx, d, what)
	if err != nil {
		return nil, err
	}
	if _, err := r.root.Stat(blobPath(d.Digest)); err == nil {
		return next, nil
	}
	temporary := blobPath(d.Digest) + "." + rand.Text() + ".tmp"
	f, err := r.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, errors.Join(err, next.Close())
	}
	return &tee{next: next, file: f, root: r.root, temporary: temporary, hash: sha256.New(), d: d}, nil
}

type tee struct {
	next      io.ReadCloser
	file      *os.File
	root      *os.Root
	temporary string
	hash      hash.Hash
	d         descriptor
}

// Read passes on what arrives and keeps it.
func (t *tee) Read(p []byte) (int, error) {
	n, err := t.next.Read(p)
	if n > 0 {
		if _, werr := t.file.Write(p[:n]); werr != nil {
			return n, werr
		}
		_, _ = t.hash.Write(p[:n])
	}
	return n, err
}

// Close keeps the file where it is the right one.
func (t *tee) Close() error {
	err := errors.Join(t.next.Close(), t.file.Sync(), t.file.Close())
	if err != nil || digestPrefix+hex.EncodeToString(t.hash.Sum(nil)) != t.d.Digest {
		return errors.Join(err, t.root.Remove(t.temporary))
	}
	return t.root.Rename(t.temporary, blobPath(t.d.Digest))
}

// keep writes a manifest, and its config where fetching had no need of it.
func (r *recorder) keep(ctx context.Context, digest string) error {
	doc, ok := r.docs[digest]
	if !ok {
		return fmt.Errorf("manifest %s was not read", digest)
	}
	if err := replaceFile(r.root, blobPath(digest), doc.body); err != nil {
		return err
	}
	if doc.Config == nil {
		return nil
	}
	if _, err := r.root.Stat(blobPath(doc.Config.Digest)); err == nil {
		return nil
	}
	body, err := readBlob(ctx, r.source, *doc.Config, "config", r.limits.config())
	if absent(err) && doc.Config.Digest == emptyDigest {
		body, err = []byte("{}"), nil // some registries never store it
	}
	if err != nil {
		return err
	}
	return replaceFile(r.root, blobPath(doc.Config.Digest), body)
}

// entries is the layout's index: the artifact, then what vouches for it.
func (r *recorder) entries(a *Artifact) []descriptor {
	entry := func(digest, name string) descriptor {
		d := descriptor{MediaType: r.docs[digest].mediaType, Digest: digest, Size: int64(len(r.docs[digest].body)), ArtifactType: r.docs[digest].ArtifactType}
		if name != "" {
			d.Annotations = map[string]string{annotationRefName: name}
		}
		return d
	}
	entries := []descriptor{entry(a.Digest, a.Ref.Tag)}
	seen := map[string]bool{}
	for _, e := range a.Evidence {
		name := ""
		switch e.Kind {
		case KindSignature:
			name = tagOf(e.Subject) + ".sig"
		case KindAttestation:
			name = tagOf(e.Subject) + ".att"
		}
		if key := strings.Join([]string{e.Manifest, name}, " "); !seen[key] {
			seen[key] = true
			entries = append(entries, entry(e.Manifest, name))
		}
	}
	return entries
}
