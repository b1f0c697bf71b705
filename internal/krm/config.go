package krm

import (
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
