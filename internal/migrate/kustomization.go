package migrate

import (
	"path"
	"strings"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// scanKustomization looks at what a kustomization holds as text, and reads the files that it lists. Its keys count in any
// case, as kustomize takes them.
func (t *Tree) scanKustomization(f *textFile) {
	base := path.Dir(f.path)
	for _, d := range f.text.Documents() {
		for _, field := range d.Root.Fields() {
			switch key := strings.ToLower(field.Key()); key {
			case "generators", "transformers", "validators":
				for i, entry := range field.Elements() {
					t.scanEntry(f, entry, at("", key, i), base)
				}
			case "resources", "bases", "components":
				for _, entry := range field.Elements() {
					if name, ok := entry.Text(); ok {
						t.list(path.Join(base, name), listing{base: base})
					}
				}
			case "patches", "patchesjson6902":
				for i, patch := range field.Elements() {
					t.scanInline(f, patch.Field("patch"), at("", key, i), base)
				}
			case "patchesstrategicmerge":
				for i, patch := range field.Elements() {
					t.scanInline(f, patch, at("", key, i), base)
				}
			case "commonannotations":
				t.scanAnnotations(f, field, field, "commonAnnotations", base)
			}
		}
	}
}

func (t *Tree) list(name string, l listing) { t.lists[name] = append(t.lists[name], l) }

// inline is the rule by which an entry is text and not a path.
func inline(s string) bool { return strings.ContainsAny(s, "\n{") }

func (t *Tree) scanInline(f *textFile, entry krm.Place, place, base string) {
	s, ok := entry.Text()
	if !ok || !inline(s) {
		return
	}
	text, err := entry.Inner()
	if err == nil {
		t.scanDocuments(f, text, place, base)
	}
}

// scanEntry follows one entry of generators, transformers or validators.
func (t *Tree) scanEntry(f *textFile, entry krm.Place, place, base string) {
	s, ok := entry.Text()
	switch {
	case !ok:
		if entry.IsAlias() || entry.IsMapping() {
			t.add(f, entry, place, base).block("malformed", "write it as text: |", "the entry is not text")
		}
		return
	case inline(s):
		t.scanInline(f, entry, place, base)
		return
	case strings.Contains(s, "://") || strings.HasPrefix(s, "git@") || strings.Contains(s, "?ref="):
		t.skip(f.path, place, s, "is remote")
		return
	}
	name := path.Join(base, s)
	if path.IsAbs(s) || name == ".." || strings.HasPrefix(name, "../") {
		t.skip(f.path, place, s, "lies outside of the directory")
		return
	}
	for _, skipped := range t.Skipped {
		if skipped.Path == name {
			return
		}
	}
	t.list(name, listing{base: base, function: true})
	for _, k := range kustomizationNames {
		if t.dir.File(path.Join(name, k)) != nil {
			return // a folder that is scanned
		}
	}
	if err := t.dir.Add(name); err != nil {
		t.skip(f.path, place, s, "cannot be read: it is no file under the directory, or lies behind a symbolic link")
	}
}

func (t *Tree) skip(file, place, entry, why string) {
	const keep = 200
	if len(entry) > keep {
		entry = entry[:keep] + "…"
	}
	t.Skipped = append(t.Skipped, Skipped{Path: file, Reason: place + " lists " + quote(entry) + ", which " + why})
}
