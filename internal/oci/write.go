package oci

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// writeLayout adds an artifact to an OCI layout and makes the layout where there is none. index.json is replaced last and at once, so
// that a reader sees the old state or the new one.
func writeLayout(ref Ref, p packed, limits Limits) error {
	if names, err := os.ReadDir(ref.Dir); err == nil && len(names) > 0 {
		if _, err := os.Stat(filepath.Join(ref.Dir, layoutFile)); err != nil {
			return &LayoutError{Code: "layout.not_a_layout", Dir: ref.Dir, Message: "the directory is neither an OCI layout nor empty", Hint: "name one that does not exist yet"}
		}
	}
	if err := os.MkdirAll(filepath.Join(ref.Dir, "blobs", "sha256"), 0o755); err != nil { //nolint:gosec // G301: a layout is for sharing
		return fmt.Errorf("making layout %q: %w", ref.Dir, err)
	}
	root, err := os.OpenRoot(ref.Dir)
	if err != nil {
		return fmt.Errorf("opening layout %q: %w", ref.Dir, err)
	}
	defer root.Close() //nolint:errcheck // every file in it is closed by itself
	var entries []descriptor
	if _, err := root.Stat(indexFile); err == nil {
		old, err := openLayout(ref, limits)
		if err != nil {
			return err
		}
		entries = old.entries
		old.close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("layout %q: %w", ref.Dir, err)
	}
	for digest, body := range map[string][]byte{p.layer.Digest: p.module, p.configDescriptor.Digest: p.config, p.digest: p.manifest} {
		if err := replaceFile(root, blobPath(digest), body); err != nil {
			return fmt.Errorf("layout %q: %w", ref.Dir, err)
		}
	}
	entry := descriptor{MediaType: typeOCIManifest, Digest: p.digest, Size: int64(len(p.manifest))}
	if ref.Tag != "" {
		entry.Annotations = map[string]string{annotationRefName: ref.Tag}
	}
	entries = slices.DeleteFunc(slices.Clone(entries), func(e descriptor) bool {
		name := e.Annotations[annotationRefName]
		return name == ref.Tag && (name != "" || e.Digest == p.digest)
	})
	return finishLayout(root, ref.Dir, append(entries, entry))
}

// finishLayout writes the two files that make a directory a layout.
func finishLayout(root *os.Root, dir string, entries []descriptor) error {
	index, err := json.MarshalIndent(manifest{SchemaVersion: 2, MediaType: typeOCIIndex, Manifests: entries}, "", "  ")
	if err == nil {
		err = replaceFile(root, layoutFile, []byte(`{"imageLayoutVersion":"1.0.0"}`))
	}
	if err == nil {
		err = replaceFile(root, indexFile, append(index, '\n'))
	}
	if err != nil {
		return fmt.Errorf("layout %q: %w", dir, err)
	}
	return nil
}

// replaceFile writes a file beside its place and then moves it there.
func replaceFile(root *os.Root, name string, body []byte) error {
	temporary := name + "." + rand.Text() + ".tmp"
	f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = root.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(err, ignore(root.Remove(temporary)))
	}
	return nil
}
