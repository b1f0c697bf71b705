package krm

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Annotations in which kustomize and kpt number the resources that they give a function.
const (
	idKey          = "internal.config.kubernetes.io/id"
	legacyIDKey    = "config.k8s.io/id"
	kustomizeIDKey = "kustomize.config.k8s.io/id"
	internalPrefix = "internal.config.kubernetes.io/"
)

// spelledTwice lists annotations that have an older spelling beside their own. Both say the same or the resource is refused.
var spelledTwice = [][2]string{{pathKey, legacyPathKey}, {indexKey, legacyIndexKey}, {idKey, legacyIDKey}}

// Bookkeeping says whether an annotation is one in which an orchestrator keeps books on a resource: every
// internal.config.kubernetes.io/*, the older spellings config.kubernetes.io/path, config.kubernetes.io/index and
// config.k8s.io/id, and kustomize.config.k8s.io/id. Functions must not alter them (KRM Functions Specification v1,
// "internal.config.kubernetes.io"), many drop them, and clients crash on some that were altered. So on a resource that was there
// they are always put back as they were:
//
//   - dropped, or written as a number where text stood: put back, and no change is told;
//   - written in the other spelling too, with the same value: taken away, and no change is told;
//   - made up: taken away, and no change is told;
//   - given another value: put back, and told as a change that is Restored, which the baseline policy refuses.
//
// A path or an index of another value is refused (output.path) unless the View lets the function move resources. A
// resource that the function made keeps the place it asks for and no other bookkeeping.
func Bookkeeping(key string) bool {
	return isInternal(key) || key == legacyIDKey || key == kustomizeIDKey
}

// isInternal says the same of the annotations that are an orchestrator's alone, and of where an object came from.
func isInternal(key string) bool {
	return strings.HasPrefix(key, internalPrefix) || key == legacyPathKey || key == legacyIndexKey
}

// twin is the other spelling of an annotation, "" where it has none.
func twin(key string) string {
	for _, t := range spelledTwice {
		switch key {
		case t[0]:
			return t[1]
		case t[1]:
			return t[0]
		}
	}
	return ""
}

// inAgreement refuses an object of which an annotation's two spellings differ.
func inAgreement(n *yaml.Node) error {
	ann := annotationsOf(n)
	if ann == nil {
		return nil
	}
	for _, t := range spelledTwice {
		if _, err := agreed(ann, t[0], t[1]); err != nil {
			return err
		}
	}
	return nil
}

// agree is inAgreement for those items of a list that were not read on their own.
func (rl *ResourceList) agree() error {
	for _, it := range rl.Items {
		if it.node != nil {
			if err := inAgreement(it.node); err != nil {
				return err
			}
		}
	}
	return nil
}

func annotationsOf(n *yaml.Node) *yaml.Node {
	if a := field(field(n, "metadata"), "annotations"); a != nil && a.Kind == yaml.MappingNode {
		return a
	}
	return nil
}

// tampering is another value that a function gave an annotation.
type tampering struct {
	key      string
	was, got *yaml.Node
}

// withBookkeeping is a function's object with the bookkeeping of the input's, and what the function did to it. in is nil
// for an object that the function made.
func withBookkeeping(out, in *yaml.Node) (*yaml.Node, []tampering) {
	before, after := annotationsOf(in), annotationsOf(out)
	drop := Bookkeeping
	if in == nil {
		drop = func(k string) bool { return Bookkeeping(k) && !slices.Contains(originKeys, k) }
	}
	var told []tampering
	same, found := true, 0
	for i := 0; after != nil && i+1 < len(after.Content); i += 2 {
		k, v := after.Content[i].Value, after.Content[i+1]
		if !drop(k) {
			continue
		}
		found++
		was := field(before, k)
		same = same && was != nil && equal(was, v)
		if was == nil {
			was = field(before, twin(k))
		}
		if was != nil && !sameText(was, v) && !slices.Contains(originKeys, k) { // of those, see placeOf
			told = append(told, tampering{k, was, v})
		}
	}
	if same && found == countKept(before) {
		return out, nil
	}
	return editAnnotations(out, func(a *yaml.Node) {
		kept := a.Content[:0:0]
		for i := 0; i+1 < len(a.Content); i += 2 {
			if !drop(a.Content[i].Value) {
				kept = append(kept, a.Content[i], a.Content[i+1])
			}
		}
		for i := 0; before != nil && i+1 < len(before.Content); i += 2 {
			if Bookkeeping(before.Content[i].Value) {
				kept = append(kept, before.Content[i], before.Content[i+1])
			}
		}
		a.Content = kept
	}), told
}

// placeAsText is an object of which the annotations that say where it is to be written are text, as all annotations are,
// where a function wrote numbers.
func placeAsText(n *yaml.Node) *yaml.Node {
	ann := annotationsOf(n)
	if !slices.ContainsFunc(originKeys, func(k string) bool { v := field(ann, k); return v != nil && v.Tag != strTag }) {
		return n
	}
	return editAnnotations(n, func(a *yaml.Node) {
		for _, k := range originKeys {
			if v := field(a, k); v != nil && v.Tag != strTag {
				a.Content = withField(a.Content, k, quotedNode(v.Value))
			}
		}
	})
}

// withoutCleared is an object without those of these annotations that say nothing: to clear one is the same as to take it
// away, and tools that read them do not all know that.
func withoutCleared(n *yaml.Node) *yaml.Node {
	ann := annotationsOf(n)
	cleared := func(k string) bool { return field(ann, k) != nil && stated(ann, k) == nil }
	if !slices.ContainsFunc(originKeys, cleared) {
		return n
	}
	return editAnnotations(n, func(a *yaml.Node) {
		for _, k := range originKeys {
			if cleared(k) {
				a.Content = withField(a.Content, k, nil)
			}
		}
	})
}

// sameText says whether two values are the same once a number is taken for the text it is written as.
func sameText(a, b *yaml.Node) bool {
	return equal(a, b) || a.Kind == yaml.ScalarNode && b.Kind == yaml.ScalarNode && a.Value == b.Value
}

func countKept(annotations *yaml.Node) int {
	n := 0
	for i := 0; annotations != nil && i+1 < len(annotations.Content); i += 2 {
		if Bookkeeping(annotations.Content[i].Value) {
			n++
		}
	}
	return n
}

// bookkeeping records what a function did to the bookkeeping of a resource, and where it moved it.
func (d *differ) bookkeeping(list []tampering, to *move) {
	at := func(key string, was, got *yaml.Node, restored bool) {
		d.path, d.in, d.out = []string{"metadata", "annotations", key}, nil, []string{"metadata", "annotations", pointerToken(key)}
		d.record(was, got)
		d.changes[len(d.changes)-1].Restored = restored
		d.path, d.in, d.out = nil, nil, nil
	}
	for _, t := range list {
		at(t.key, t.was, t.got, true)
	}
	if to != nil && !to.placed {
		at(pathKey, textNode(to.from.path), textNode(to.path), false)
		if index := strconv.Itoa(to.index); index != to.from.index {
			at(indexKey, textNode(to.from.index), textNode(index), false)
		}
	}
}
