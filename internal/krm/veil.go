package krm

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A veil knows what of one Secret must not be seen: its values, and annotations in which tools keep copies of them.
type veil struct {
	values []string // in the forms in which they are searched for
}

// veilOf is the veil over a Secret, or over what it was and what it became. It is nil for any other resource.
func veilOf(id Identity, trees ...*yaml.Node) *veil {
	if !id.isSecret() {
		return nil
	}
	v := &veil{}
	for _, n := range trees {
		v.values = append(v.values, spoken(n)...)
	}
	return v
}

// lastApplied is the annotation in which kubectl keeps a copy of the whole object.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// hides says whether a place in a Secret holds what must not be seen.
func (v *veil) hides(path []string, n *yaml.Node) bool {
	switch {
	case len(path) >= 2 && (path[0] == "data" || path[0] == "stringData"):
		return true
	case len(path) == 3 && path[0] == "metadata" && path[1] == "annotations":
		return path[2] == lastApplied || n.Kind == yaml.ScalarNode && !isInternal(path[2]) && v.copies(n.Value)
	}
	return false
}

// copies says whether a text holds a value of the Secret, as it is or in base64, or is a copy of a Secret that may be
// older than its values: kapp, Flux and others keep one in annotations of their own.
func (v *veil) copies(text string) bool {
	if v.holds(text) {
		return true
	}
	if plain, err := base64.StdEncoding.DecodeString(text); err == nil && v.holds(string(plain)) {
		return true
	}
	if !strings.Contains(text, "ata") {
		return false
	}
	var object map[string]json.RawMessage
	return json.Unmarshal([]byte(text), &object) == nil && (object["data"] != nil || object["stringData"] != nil)
}

func (v *veil) holds(text string) bool {
	return slices.ContainsFunc(v.values, func(s string) bool { return strings.Contains(text, s) })
}

// masked is a copy of a part of a Secret in which no value can be read. path is where the part stands.
func (v *veil) masked(n *yaml.Node, path []string) *yaml.Node {
	if v.hides(path, n) {
		return hide(n)
	}
	if n.Kind != yaml.MappingNode {
		return n
	}
	c := *n
	c.Content = slices.Clone(n.Content)
	for i := 0; i+1 < len(c.Content); i += 2 {
		c.Content[i+1] = v.masked(c.Content[i+1], append(path[:len(path):len(path)], c.Content[i].Value))
	}
	return &c
}

// Masked is what a change shows in place of a value of a Secret.
const Masked = "[secret]"

func hide(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.ScalarNode {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: strTag, Value: Masked}
	}
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			c.Content[i] = child
			continue
		}
		c.Content[i] = hide(child)
	}
	return &c
}
