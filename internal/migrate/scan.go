package migrate

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/krmsafe/krmsafe/internal/krm"
)

var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

func isManifest(p string) bool {
	base := path.Base(p)
	return slices.Contains([]string{".yaml", ".yml"}, path.Ext(base)) || base == "Kustomization" || base == "Kptfile"
}

// speaksOf are words without which no text names a function, but for escapes in quotes.
var speaksOf = []string{"config.kubernetes.io/function", "config.k8s.io/function", "config.kubernetes.io/container", "configFn"}

func speaks(text string) bool {
	return slices.ContainsFunc(speaksOf, func(w string) bool { return strings.Contains(text, w) })
}

// scan reads every file, kustomizations first since they say where functions are listed.
func (t *Tree) scan() {
	for _, s := range t.dir.List.Skipped {
		t.links[s.Path] = true
		t.Skipped = append(t.Skipped, Skipped{Path: s.Path, Reason: "it is " + s.Reason + ", which is not followed"})
	}
	names := t.dir.Files()
	for _, name := range names {
		if slices.Contains(kustomizationNames, path.Base(name)) {
			t.scanKustomization(t.open(name))
		}
	}
	for _, name := range t.dir.Files() { // with those that kustomizations list
		f := t.open(name)
		switch {
		case path.Base(name) == "Kptfile":
			t.scanKptfile(f)
		default:
			t.scanDocuments(f, f.text, "", path.Dir(name))
		}
	}
	for _, f := range t.Functions {
		t.place(f)
	}
	slices.SortStableFunc(t.Functions, func(a, b *Function) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), a.Line-b.Line)
	})
	slices.SortStableFunc(t.Skipped, func(a, b Skipped) int { return strings.Compare(a.Path, b.Path) })
}

func (t *Tree) open(name string) *textFile {
	if t.texts[name] == nil {
		t.texts[name] = &textFile{path: name, text: krm.OpenText(t.dir.File(name), t.limits)}
	}
	return t.texts[name]
}

// scanDocuments looks at all documents of a file, or of a text inside one.
func (t *Tree) scanDocuments(f *textFile, text *krm.Text, place, base string) {
	for _, d := range text.Documents() {
		if d.Err != nil {
			if speaks(d.Source) || slices.Contains(kustomizationNames, path.Base(f.path)) {
				fn := t.add(f, krm.Place{}, place, base)
				fn.Line = d.Line
				fn.block("unreadable", "mend it; a template is migrated where it is made into YAML", "it cannot be read: "+d.Err.Error())
			}
			continue
		}
		t.scanObject(f, d.Root, place, base)
	}
}

// scanObject looks at one object, at those that a List holds, and at JSON patches.
func (t *Tree) scanObject(f *textFile, o krm.Place, place, base string) {
	if t.full() {
		return
	}
	for i, operation := range o.Elements() {
		p, _ := operation.Field("path").Text()
		if speaks(strings.ReplaceAll(p, "~1", "/")) || speaks(p) || containsAnnotation(operation.Field("value")) {
			fn := t.add(f, operation, at(place, "operation", i), base)
			fn.block("patch", "write the annotation into the functionConfig itself", "the function comes by a JSON patch")
		}
	}
	kind, _ := o.Field("kind").Text()
	if strings.HasSuffix(kind, "List") {
		for i, item := range o.Field("items").Elements() {
			t.scanObject(f, item, at(place, "items", i), base)
		}
		if config := o.Field("functionConfig"); config.IsMapping() {
			t.scanObject(f, config, join(place, "functionConfig"), base)
		}
	}
	t.scanMetadata(f, o, place, base)
}

// containsAnnotation says whether what a JSON patch sets names a function somewhere inside.
func containsAnnotation(v krm.Place) bool {
	if slices.Contains(speaksOf, v.Key()) {
		return true
	}
	for _, c := range append(v.Fields(), v.Elements()...) {
		if containsAnnotation(c) {
			return true
		}
	}
	return false
}

func at(place, what string, i int) string { return join(place, what+"["+strconv.Itoa(i)+"]") }

func join(place, more string) string {
	if place == "" {
		return more
	}
	return place + "." + more
}

// add notes a function.
func (t *Tree) add(f *textFile, o krm.Place, place, base string) *Function {
	t.looked++
	fn := &Function{Path: f.path, Line: o.Line(), Place: place, Base: base, text: f}
	fn.APIVersion, _ = o.Field("apiVersion").Text()
	fn.Kind, _ = o.Field("kind").Text()
	fn.Name, _ = o.At("metadata", "name").Text()
	t.Functions = append(t.Functions, fn)
	return fn
}

// place finds the folder that a module's file would be named relative to: that of the one kustomization that lists the
// functionConfig.
func (t *Tree) place(f *Function) {
	if f.kpt || slices.Contains(kustomizationNames, path.Base(f.Path)) {
		return
	}
	var bases []string
	for _, l := range t.lists[f.Path] {
		if !l.function {
			f.unsure = true // as a resource it may reach a kustomization that is itself listed
		} else if !slices.Contains(bases, l.base) {
			bases = append(bases, l.base)
		}
	}
	if len(bases) > 0 {
		f.Base, f.unsure = bases[0], len(bases) > 1
	}
}
