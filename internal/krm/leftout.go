package krm

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Why a file is left out that another tool would read where a kustomization lists it, or its user names it.
const (
	hiddenReason = "its name begins with a dot"
	otherReason  = "its name ends neither in .yaml nor in .yml"
)

// isOtherManifest says whether a name is one that other tools take for a manifest and that is none here.
func isOtherManifest(name string) bool {
	ext := path.Ext(name)
	return ext != ".yaml" && ext != ".yml" && isManifest(name)
}

// isManifest says whether other tools may take a name for that of a manifest, in any capitalisation.
func isManifest(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(path.Ext(name)))
}

// hidden notes a file or folder whose name begins with a dot and that holds manifests. What git keeps for itself is no
// part of any tree.
func (w *walk) hidden(p string, d fs.DirEntry) error {
	if d.Type()&fs.ModeSymlink != 0 {
		if info, err := w.root.Stat(p); err != nil || info.IsDir() {
			_ = w.leaveOut(p, hiddenReason)
			return nil //nolint:nilerr // it is noted
		}
	}
	if !d.IsDir() {
		if isManifest(p) && w.mayHoldObject(p) && !slices.Contains(w.skip.Files, p) {
			_ = w.leaveOut(p, hiddenReason)
		}
		return nil
	}
	if d.Name() == ".git" {
		return fs.SkipDir
	}
	entries := 0
	err := fs.WalkDir(w.root.FS(), p, func(name string, d fs.DirEntry, err error) error {
		if entries++; err != nil || entries > maxHidden || d.Type()&fs.ModeSymlink != 0 {
			return errFound // nobody can say, and so it is noted
		}
		if d.IsDir() || !isManifest(name) || !w.mayHoldObject(name) {
			return nil
		}
		return errFound
	})
	if err != nil {
		return w.leaveOut(p, hiddenReason)
	}
	return fs.SkipDir
}

// maxHidden is how many files and folders of a hidden folder are looked at.
const maxHidden = 10000

var errFound = errors.New("found")

// mayHoldObject says whether a file may hold a Kubernetes object. Of JSON, of which a tree is full that has nothing to do
// with Kubernetes, it looks for the field that every object has; whatever cannot be looked at may.
func (w *walk) mayHoldObject(p string) bool {
	if strings.ToLower(path.Ext(p)) != ".json" {
		return true
	}
	info, err := w.root.Lstat(p)
	if err != nil || !info.Mode().IsRegular() || info.Size() > w.limits.Bytes-w.looked {
		return true
	}
	src, err := readRooted(w.root, p, w.limits.Bytes-w.looked)
	if err != nil {
		return true
	}
	w.looked += int64(len(src.data))
	// The field's name may be written with escapes, or in another encoding.
	return bytes.Contains(src.data, []byte("apiVersion")) || bytes.Contains(src.data, []byte(`\u`)) || bytes.IndexByte(src.data, 0) >= 0
}
