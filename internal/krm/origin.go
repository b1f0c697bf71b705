package krm

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Annotations by which a reader tells a function where a resource came from. The ones without "internal." are the
// older spelling; kyaml writes both and expects both to agree.
const (
	pathKey        = "internal.config.kubernetes.io/path"
	indexKey       = "internal.config.kubernetes.io/index"
	legacyPathKey  = "config.kubernetes.io/path"
	legacyIndexKey = "config.kubernetes.io/index"
)

var originKeys = []string{indexKey, pathKey, legacyIndexKey, legacyPathKey}

// withOrigin is an object's mapping with the annotations that say where it came from. The mapping itself stays as it
// is; what is not on the way to the annotations is shared.
func withOrigin(n *yaml.Node, file string, position int) *yaml.Node {
	index := strconv.Itoa(position)
	values := map[string]string{
		indexKey: index, pathKey: file, legacyIndexKey: index, legacyPathKey: file,
	}
	return editAnnotations(n, func(a *yaml.Node) {
		for _, k := range []string{legacyIndexKey, legacyPathKey, indexKey, pathKey} {
			a.Content = append(a.Content, textNode(k), quotedNode(values[k]))
		}
	})
}

// withoutOrigin is an object's mapping without those annotations, and without an empty annotations mapping.
func withoutOrigin(n *yaml.Node) *yaml.Node {
	return editAnnotations(n, func(a *yaml.Node) {
		kept := a.Content[:0:0]
		for i := 0; i+1 < len(a.Content); i += 2 {
			switch a.Content[i].Value {
			case indexKey, pathKey, legacyIndexKey, legacyPathKey:
			default:
				kept = append(kept, a.Content[i], a.Content[i+1])
			}
		}
		a.Content = kept
	})
}

// editAnnotations returns a copy of an object whose annotations were edited. Only the nodes on the way there are
// copied. The annotations are made where they are missing and removed where nothing is left of them.
func editAnnotations(n *yaml.Node, edit func(*yaml.Node)) *yaml.Node {
	object := *n
	meta, ann := &yaml.Node{Kind: yaml.MappingNode, Tag: mapTag}, &yaml.Node{Kind: yaml.MappingNode, Tag: mapTag}
	if m := field(n, "metadata"); m != nil && m.Kind == yaml.MappingNode {
		c := *m
		meta = &c
	}
	if a := field(meta, "annotations"); a != nil && a.Kind == yaml.MappingNode {
		c := *a
		ann = &c
	}
	ann.Content = ann.Content[:len(ann.Content):len(ann.Content)]
	edit(ann)
	if len(ann.Content) == 0 {
		ann = nil
	}
	meta.Content = withField(meta.Content, "annotations", ann)
	if len(meta.Content) == 0 {
		meta = nil
	}
	object.Content = withField(object.Content, "metadata", meta)
	return &object
}

// withField returns the content of a mapping in which one field is set, or removed where value is nil.
func withField(content []*yaml.Node, key string, value *yaml.Node) []*yaml.Node {
	out := make([]*yaml.Node, 0, len(content)+2)
	done := value == nil
	for i := 0; i+1 < len(content); i += 2 {
		switch {
		case content[i].Value != key:
			out = append(out, content[i], content[i+1])
		case value != nil:
			out, done = append(out, content[i], value), true
		}
	}
	if !done {
		out = append(out, textNode(key), value)
	}
	return out
}

func textNode(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: strTag, Value: s}
}

func quotedNode(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: strTag, Value: s, Style: yaml.SingleQuotedStyle}
}
