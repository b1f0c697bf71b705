package krm

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// kubectl and the API machinery take every object with a field items at its top for a list of objects, whatever its
// kind says, and kustomize replaces every object whose kind ends in List by what stands in its items. So an object in
// such a field is an object of the cluster like any other, and must be known, judged and shown like any other. Here
// that is made sure of in the simplest way: no resource has such a field. A list that is only a list is divided when it
// is read; what is left is refused on both sides of the function.

// isListKind says whether an identity is one of the core kinds that hold other resources.
func isListKind(id Identity) bool {
	return id.Kind == "List" || id.Group == "" && len(id.Kind) > len("List") && endsInList(id) ||
		id.Kind == "ResourceList" && id.Group == "config.kubernetes.io"
}

// endsInList says whether kustomize would look for resources in an object's items.
func endsInList(id Identity) bool { return strings.HasSuffix(id.Kind, "List") }

func isSequence(n *yaml.Node) bool { return n != nil && n.Kind == yaml.SequenceNode }

// checkNoList refuses a resource in which others may hide.
func checkNoList(id Identity, n *yaml.Node) error {
	if isListKind(id) {
		return problemf("list", n.Line, n.Column, "an item is a %q, which holds resources of its own", short(id.Kind)).
			withHint("put the resources themselves into items")
	}
	if items := field(n, "items"); items != nil {
		return problemf("list", items.Line, items.Column, "%q has a field items at its top: Kubernetes takes what stands there for objects of their own", short(id.String())).
			withHint("write such objects out one by one; a custom resource cannot have this field, since kubectl takes it for a list")
	}
	return nil
}

// unwrap adds the items of a List in its place.
func unwrap(rl *ResourceList, path string, index int, root *yaml.Node, limits Limits) error {
	if scalarField(root, "kind") == "ResourceList" {
		return problemf("documents", root.Line, root.Column, "a ResourceList stands among manifests").
			withHint("pass the ResourceList alone")
	}
	items := field(root, "items")
	if !isSequence(items) {
		return problemf("list", root.Line, root.Column, "the List has no items")
	}
	if err := checkPlainList(root); err != nil {
		return err
	}
	for _, n := range items.Content {
		it, err := newItem(n)
		if err != nil {
			return err
		}
		it.Path, it.Index, it.listed = path, index, true
		if err := add(rl, it, limits); err != nil {
			return err
		}
	}
	return nil
}

// checkPlainList refuses a List that is more than its items: what else it says would be lost. One with a name is an
// object that happens to look like a list.
func checkPlainList(root *yaml.Node) error {
	id, _ := identify(root)
	for i := 0; i+1 < len(root.Content); i += 2 {
		if k := root.Content[i]; !slices.Contains([]string{"apiVersion", "kind", "metadata", "items"}, k.Value) {
			return problemf("list", k.Line, k.Column, "%q has items and a field %q beside them", short(id.String()), short(k.Value)).
				withHint("write its items out one by one; kubectl takes any object with a field items for a list")
		}
	}
	if !isListKind(id) && id.Name != "" {
		return problemf("list", root.Line, root.Column, "%q has items and a name", short(id.String())).
			withHint("write its items out one by one; kubectl takes any object with a field items for a list")
	}
	return nil
}
