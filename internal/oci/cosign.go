package oci

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// cosign save writes layouts of its own: legacy signatures are entries of index.json that carry a kind and no name, and the referrers
// that hold bundles are blobs that index.json does not list at all.

const (
	annotationKind  = "kind"
	cosignKindStart = "dev.cosignproject.cosign/"
	maxOrphans      = 4096     // files looked at in blobs/sha256
	maxOrphanBytes  = 64 * kib // a larger blob is no referrer manifest
)

// cosignEntry finds the entry that cosign save keeps for a legacy tag. The kinds are not tied to an image, so they count only where
// the layout has one image alone, and it is the one that the tag is about.
func (l *layout) cosignEntry(tag string) (descriptor, bool) {
	kinds := map[string][]descriptor{}
	for _, e := range l.entries {
		if kind, ok := strings.CutPrefix(e.Annotations[annotationKind], cosignKindStart); ok {
			kinds[kind] = append(kinds[kind], e)
		}
	}
	images := slices.Concat(kinds["image"], kinds["imageIndex"])
	if len(images) != 1 {
		return descriptor{}, false
	}
	for suffix, kind := range map[string]string{".sig": "sigs", ".att": "atts"} {
		if tag == tagOf(images[0].Digest)+suffix && len(kinds[kind]) == 1 {
			return kinds[kind][0], true
		}
	}
	return descriptor{}, false
}

// isEvidence reports whether an entry of index.json is there for the sake of another one.
func isEvidence(e descriptor, doc document) bool {
	kind := strings.TrimPrefix(e.Annotations[annotationKind], cosignKindStart)
	return doc.Subject != nil || kind == "sigs" || kind == "atts" || strings.HasPrefix(e.Annotations[annotationRefName], "sha256-")
}

// orphans finds referrers among the blobs that index.json does not list. Only small JSON files are read.
func (l *layout) orphans(ctx context.Context, digest string) ([]candidate, error) {
	dir, err := l.root.Open("blobs/sha256")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close() //nolint:errcheck // read only
	names, err := dir.ReadDir(maxOrphans)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var found []candidate
	for _, entry := range names {
		name := digestPrefix + entry.Name()
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxOrphanBytes || !validDigest(name) {
			continue
		}
		doc, err := l.document(ctx, name)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && doc.Subject != nil && doc.Subject.Digest == digest {
			found = append(found, candidate{digest: doc.digest, source: FromLayout})
		}
	}
	return found, nil
}
