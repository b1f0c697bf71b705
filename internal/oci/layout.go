package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
)

const (
	annotationRefName = "org.opencontainers.image.ref.name"
	layoutFile        = "oci-layout"
	indexFile         = "index.json"
	maxLayoutFile     = kib
)

// layout is an OCI image layout on disk, as a source. It is read through an os.Root: no name in it, and no symbolic link, leads out
// of its directory. https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
type layout struct {
	dir     string
	root    *os.Root
	limits  Limits
	entries []descriptor

	once  sync.Once
	docs  []document // of entries, where they could be read
	scanE error
}

func openLayout(ref Ref, limits Limits) (*layout, error) {
	root, err := os.OpenRoot(ref.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &LayoutError{Code: "layout.not_found", Dir: ref.Dir, Message: "there is no such directory", Hint: "krmsafe pull makes one", Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, fmt.Errorf("opening layout %q: %w", ref.Dir, err)
	}
	l := &layout{dir: ref.Dir, root: root, limits: limits}
	if err := l.readIndex(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return l, nil
}

func layoutError(dir, code, message, hint string) error {
	return &ArtifactError{Code: code, Ref: layoutPrefix + dir, Message: message, Hint: hint}
}

func (l *layout) close() { _ = l.root.Close() }

// readIndex reads oci-layout and index.json, and refuses a name that stands for two things.
func (l *layout) readIndex() error {
	marker, err := l.read(layoutFile, bound{"layout_bytes", "fixed", maxLayoutFile})
	if errors.Is(err, fs.ErrNotExist) {
		return &LayoutError{Code: "layout.not_a_layout", Dir: l.dir, Message: "it is no OCI layout: the file oci-layout is missing", Hint: "krmsafe pull makes one", Err: fs.ErrNotExist}
	}
	if err != nil {
		return err
	}
	var version struct {
		Version string `json:"imageLayoutVersion"`
	}
	if json.Unmarshal(marker, &version) != nil || version.Version != "1.0.0" {
		return layoutError(l.dir, "layout.malformed", "its oci-layout file does not say version 1.0.0", "")
	}
	body, err := l.read(indexFile, l.limits.manifest())
	if errors.Is(err, fs.ErrNotExist) {
		return layoutError(l.dir, "layout.malformed", "index.json is missing", "")
	}
	if err != nil {
		return err
	}
	index, err := parseDocument(body, typeOCIIndex, l.limits)
	if err != nil {
		var ae *ArtifactError
		if errors.As(err, &ae) {
			return layoutError(l.dir, ae.Code, "index.json: "+ae.Message, "")
		}
		return err
	}
	l.entries = index.Manifests
	names := map[string]string{}
	for _, e := range l.entries {
		name := e.Annotations[annotationRefName]
		if name == "" {
			continue
		}
		if other, taken := names[name]; taken && other != e.Digest {
			return layoutError(l.dir, "layout.ambiguous", fmt.Sprintf("index.json gives the name %q to %s and to %s", shorten(name, 200), other, e.Digest), "name the artifact by digest once index.json has each name once")
		}
		names[name] = e.Digest
	}
	return nil
}

// read reads one file whole.
func (l *layout) read(name string, b bound) ([]byte, error) {
	f, info, err := l.openFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	body, err := readBounded(f, name, info.Size(), b)
	if err != nil {
		return nil, fmt.Errorf("layout %q: %w", l.dir, err)
	}
	return body, nil
}

// openFile opens a regular file. Anything else, such as a pipe that would never end, is refused before it is opened.
func (l *layout) openFile(name string) (*os.File, fs.FileInfo, error) {
	info, err := l.root.Stat(name)
	if err != nil {
		return nil, nil, fmt.Errorf("layout %q: %w", l.dir, err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, layoutError(l.dir, "layout.malformed", fmt.Sprintf("%q is not a regular file", name), "")
	}
	f, err := l.root.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("layout %q: %w", l.dir, err)
	}
	return f, info, nil
}

func blobPath(digest string) string {
	return "blobs/sha256/" + strings.TrimPrefix(digest, digestPrefix)
}

// document reads by name, by digest, or, where neither is given, the one artifact the layout holds.
func (l *layout) document(ctx context.Context, name string) (document, error) {
	if err := ctx.Err(); err != nil {
		return document{}, err
	}
	if name == "" {
		return l.only(ctx)
	}
	announced := ""
	digest := name
	if !validDigest(name) {
		entry, ok := l.named(name)
		if !ok {
			entry, ok = l.cosignEntry(name)
		}
		if !ok {
			return document{}, l.missing(fmt.Sprintf("the name %q", name))
		}
		digest, announced = entry.Digest, entry.MediaType
	}
	body, err := l.read(blobPath(digest), l.limits.manifest())
	if errors.Is(err, fs.ErrNotExist) {
		return document{}, l.missing("manifest " + digest)
	}
	if err != nil {
		return document{}, err
	}
	if got := digestOf(body); got != digest {
		return document{}, mismatch("manifest", digest, got)
	}
	return parseDocument(body, announced, l.limits)
}

// named finds an entry by its ref.name; readIndex has seen to it that there is one at most.
func (l *layout) named(name string) (descriptor, bool) {
	for _, e := range l.entries {
		if e.Annotations[annotationRefName] == name {
			return e, true
		}
	}
	return descriptor{}, false
}

func (l *layout) missing(what string) error {
	return &LayoutError{Code: "layout.not_found", Dir: l.dir, Message: what + " is not in it", Hint: l.names(), Err: errAbsent}
}

// names lists what can be asked for.
func (l *layout) names() string {
	var names []string
	for _, e := range l.entries {
		if n := e.Annotations[annotationRefName]; n != "" && !strings.HasPrefix(n, "sha256-") && len(names) < 8 {
			names = append(names, fmt.Sprintf("%q", shorten(n, 100)))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "it has " + strings.Join(names, ", ")
}

// only gives the one artifact of a layout, which must not be a matter of choice. Evidence does not count.
func (l *layout) only(ctx context.Context) (document, error) {
	docs, err := l.scan(ctx)
	if err != nil {
		return document{}, err
	}
	var found []document
	seen := map[string]bool{}
	for i, e := range l.entries {
		if seen[e.Digest] || docs[i].digest == "" || isEvidence(e, docs[i]) {
			continue
		}
		seen[e.Digest] = true
		found = append(found, docs[i])
	}
	switch len(found) {
	case 0:
		return document{}, &LayoutError{Code: "layout.not_found", Dir: l.dir, Message: "there is no artifact in it"}
	case 1:
		return found[0], nil
	}
	hint := "name one: " + layoutPrefix + l.dir + "@" + found[0].digest
	if names := l.names(); names != "" {
		hint = "name one by tag or digest: " + names
	}
	return document{}, layoutError(l.dir, "layout.ambiguous", fmt.Sprintf("there are %d artifacts in it", len(found)), hint)
}

// scan reads the manifests that index.json lists, once. What cannot be read as a manifest stays empty, as it may concern nobody.
func (l *layout) scan(ctx context.Context) ([]document, error) {
	l.once.Do(func() {
		l.docs = make([]document, len(l.entries))
		var total int64
		for i, e := range l.entries {
			doc, err := l.document(ctx, e.Digest)
			if ctx.Err() != nil {
				l.scanE = ctx.Err()
				return
			}
			if err != nil {
				continue
			}
			if total += int64(len(doc.body)); total > l.limits.EvidenceTotal {
				l.scanE = l.limits.total().exceeded("manifests of layout "+l.dir, total)
				return
			}
			doc.body = nil
			l.docs[i] = doc
		}
	})
	return l.docs, l.scanE
}

func (l *layout) open(ctx context.Context, d descriptor, what string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, info, err := l.openFile(blobPath(d.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, l.missing(what + " " + d.Digest)
	}
	if err != nil {
		return nil, err
	}
	if info.Size() != d.Size {
		return nil, errors.Join(wrongSize(what, d, info.Size()), f.Close())
	}
	return f, nil
}

// referrers finds the manifests of index.json whose subject is digest, and those of a fallback tag.
func (l *layout) referrers(ctx context.Context, digest string) ([]candidate, error) {
	docs, err := l.scan(ctx)
	if err != nil {
		return nil, err
	}
	var found []candidate
	for _, doc := range docs {
		if doc.Subject != nil && doc.Subject.Digest == digest {
			found = append(found, candidate{digest: doc.digest, source: FromLayout})
		}
	}
	tagged, err := fallback(ctx, l, digest)
	if found = append(found, tagged...); err != nil || len(found) > 0 {
		return found, err
	}
	return l.orphans(ctx, digest)
}
