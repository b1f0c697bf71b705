package kustomize

import (
	"cmp"
	"fmt"
	"strings"

	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// An object is a function's configuration, read from the very text in which kustomize looks for a function.
type object struct{ *krm.Object }

// config reads a configuration, and gives the text that it read, too.
func config(r *resource.Resource) (o *object, text []byte, err error) {
	text, err = r.AsYAML()
	if err != nil {
		return nil, nil, err
	}
	read, err := krm.ParseConfig("", text, krm.DefaultLimits())
	return &object{read}, text, err
}

const (
	internalPrefix  = "internal.config.kubernetes.io/"
	legacyContainer = "config.kubernetes.io/container"
)

// kept is an annotation of the configuration that only kustomize writes.
func (o *object) kept() string {
	for _, key := range keys(child(child(o.Node(), "metadata"), "annotations")) {
		if strings.HasPrefix(key, internalPrefix) {
			return key
		}
	}
	return ""
}

// legacy says in which of the older ways the configuration names a container or a program.
func (o *object) legacy() string {
	meta := child(o.Node(), "metadata")
	switch {
	case child(meta, "configFn") != nil:
		return "metadata.configFn"
	case child(child(meta, "annotations"), legacyContainer) != nil:
		return fmt.Sprintf("the annotation %q", legacyContainer)
	}
	return ""
}

// names says by what the configuration names a function at all.
func (o *object) names() string {
	ann := child(child(o.Node(), "metadata"), "annotations")
	for _, key := range []string{"config.kubernetes.io/function", "config.k8s.io/function"} {
		if child(ann, key) != nil {
			return fmt.Sprintf("annotation %q", key)
		}
	}
	return cmp.Or(strings.TrimPrefix(o.legacy(), "the "), "")
}

// wrapped says whether the configuration names a module for krmsafe as another client's program.
func (o *object) wrapped() bool {
	return child(child(child(o.Node(), "metadata"), "annotations"), "krmsafe.dev/function") != nil
}

// child is the value of a mapping's key, nil where there is none.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func keys(n *yaml.Node) []string {
	var out []string
	if n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			out = append(out, n.Content[i].Value)
		}
	}
	return out
}
