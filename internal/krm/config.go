package krm

import (
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// ParseConfig reads a functionConfig from the text of a file: one YAML document that is a mapping. It need not be a
// resource of a cluster, but krmsafe names it by apiVersion, kind and metadata in every judgement, so those that are
// there must be strings. name is what errors call the file. The error is a *SyntaxError.
func ParseConfig(name string, data []byte, limits Limits) (*Object, error) {
	o, err := parseConfig(data, limits)
	if err != nil {
		return nil, asInput(name, err)
	}
	return o, nil
}

func parseConfig(data []byte, limits Limits) (*Object, error) {
	body, err := text(data, limits.Bytes)
	if err != nil {
		return nil, err
	}
	if err := estimate(body, limits.Nodes); err != nil {
		return nil, err
	}
	root, err := decodeOne(body)
	if err != nil {
		return nil, err
	}
	if empty(root) {
		return nil, problemf("config", 0, 0, "the functionConfig is empty")
	}
	if hasAlias(root) {
		if root, err = expandAliases(root, limits.Nodes); err != nil {
			return nil, err
		}
	}
	if err := (&gate{limits: limits, expand: true}).pass(root); err != nil {
		return nil, err
	}
	return newConfig(root)
}

// NewConfigMap makes a functionConfig of the kind ConfigMap, as kpt makes one of KEY=VALUE arguments and of the configMap
// in a Kptfile: every value is text. The error is a *SyntaxError where a key cannot be shown.
func NewConfigMap(name string, data map[string]string) (*Object, error) {
	values := &yaml.Node{Kind: yaml.MappingNode, Tag: mapTag}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if err := identifier("key", key, nil); err != nil {
			return nil, asInput("", err)
		}
		v := textNode(data[key])
		freshScalar(v)
		values.Content = append(values.Content, textNode(key), v)
	}
	mapping := func(content ...*yaml.Node) *yaml.Node {
		return &yaml.Node{Kind: yaml.MappingNode, Tag: mapTag, Content: content}
	}
	return newConfig(mapping(
		textNode("apiVersion"), textNode("v1"), textNode("kind"), textNode("ConfigMap"),
		textNode("metadata"), mapping(textNode("name"), textNode(name)), textNode("data"), values,
	))
}

// newConfig reads the identity of a functionConfig from a tree that passed the gate.
func newConfig(n *yaml.Node) (*Object, error) {
	if n.Kind != yaml.MappingNode {
		return nil, problemf("config", n.Line, n.Column, "the functionConfig is not a mapping").
			withHint("a functionConfig is an object with apiVersion and kind")
	}
	if err := checkIdentity(n); err != nil {
		return nil, err
	}
	id, _ := identify(n)
	return &Object{Identity: id, node: n}, nil
}
