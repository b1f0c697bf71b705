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
				for i, entry := range field.Elements() {
					t.scanResource(f, entry, at("", key, i), base)
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
	if t.looked++; !ok || !inline(s) || t.full() {
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
	case t.full():
		return
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
	if t.links[name] {
		return // told of as what it is
	}
	t.list(name, listing{base: base, function: true})
	if !t.reach(name) {
		t.skip(f.path, place, s, "cannot be read: it is no file under the directory, or lies behind a symbolic link")
	}
}

// scanResource follows an entry of resources that the walk passed by: hidden folders are not entered, but a kustomization
// may make a base of one, whose functions run.
func (t *Tree) scanResource(f *textFile, entry krm.Place, place, base string) {
	s, ok := entry.Text()
	if !ok || t.full() || strings.ContainsAny(s, ":?") || path.IsAbs(s) {
		return
	}
	name := path.Join(base, s)
	t.list(name, listing{base: base})
	if hidden(name) && !t.reach(name) {
		t.skip(f.path, place, s, "cannot be read: it is no file or base under the directory, or lies behind a symbolic link")
	}
}

// hidden says whether a path under the directory leads through a name that the walk passes by.
func hidden(name string) bool {
	for segment := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(segment, ".") && segment != "." && segment != ".." {
			return name != ".." && !strings.HasPrefix(name, "../")
		}
	}
	return false
}

// reach reads a file, or the kustomization of a folder, where the walk did not.
func (t *Tree) reach(name string) bool {
	if t.dir.File(name) != nil || t.dir.Add(name) == nil {
		return true
	}
	for _, k := range kustomizationNames {
		file := path.Join(name, k)
		if t.dir.File(file) != nil {
			return true // a folder that is scanned
		}
		if t.dir.Add(file) == nil {
			t.scanKustomization(t.open(file))
			return true
		}
	}
	return false
}

func (t *Tree) skip(file, place, entry, why string) {
	t.looked++
	const keep = 200
	if len(entry) > keep {
		entry = entry[:keep] + "…"
	}
	t.Skipped = append(t.Skipped, Skipped{Path: file, Reason: place + " lists " + quote(entry) + ", which " + why})
}
