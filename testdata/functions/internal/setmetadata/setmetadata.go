// Package setmetadata sets labels and annotations on resources and on the pod
// templates inside them. It knows where Kubernetes keeps pod templates; it does not
// touch selectors, volume claim templates or any resource's identity.
package setmetadata

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/errors"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/krmsafe/krmsafe/testdata/functions/internal/function"
)

// APIVersion and Kind name the functionConfig that this function reads.
const (
	APIVersion = group + "/" + version
	Kind       = "SetMetadata"

	group, version = "functions.krmsafe.dev", "v1alpha1"
)

//go:embed definition.yaml
var definition string

// SetMetadata is the functionConfig. At least one of the two maps must hold an entry.
type SetMetadata struct {
	Spec struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"spec"`
}

// Processor returns the function itself. Each list it processes loads its own
// functionConfig, so one processor may serve any number of lists.
func Processor() framework.ResourceListProcessor {
	return function.ForConfig(APIVersion, Kind, func() kio.Filter { return &SetMetadata{} })
}

// Schema returns the OpenAPI schema that a functionConfig must satisfy: fields it
// does not name are refused.
func (s *SetMetadata) Schema() (*spec.Schema, error) {
	return framework.SchemaFromFunctionDefinition(resid.NewGvk(group, version, Kind), definition)
}

// Filter sets the metadata on items and adds one informational result that counts
// what it visited. Where a label would change a value that the resource's own selector
// names, it returns framework.Results instead and leaves every item as it was.
func (s *SetMetadata) Filter(items []*yaml.RNode) ([]*yaml.RNode, error) {
	var conflicts framework.Results
	for _, item := range items {
		found, err := s.conflicts(item)
		if err != nil {
			return items, errors.WrapPrefixf(err, "reading the selector of %s %q", item.GetKind(), item.GetName())
		}
		conflicts = append(conflicts, found...)
	}
	if len(conflicts) > 0 {
		return items, conflicts
	}
	templates := 0
	for _, item := range items {
		n, err := s.apply(item)
		if err != nil {
			return items, errors.WrapPrefixf(err, "setting metadata of %s %q", item.GetKind(), item.GetName())
		}
		templates += n
	}
	return items, framework.Results{{
		Severity: framework.Info,
		Message: fmt.Sprintf("set %s and %s on %s and %s",
			count(len(s.Spec.Labels), "label"), count(len(s.Spec.Annotations), "annotation"),
			count(len(items), "resource"), count(templates, "pod template")),
	}}
}

// apply sets the metadata of item and of the templates it holds, and returns how many
// of those are pod templates.
func (s *SetMetadata) apply(item *yaml.RNode) (int, error) {
	if err := s.set(item); err != nil {
		return 0, err
	}
	templates := 0
	for _, t := range templatesOf(item) {
		node, err := find(item, t.path...)
		if err != nil {
			return 0, err
		}
		if node == nil {
			continue
		}
		if err := s.set(node); err != nil {
			return 0, errors.WrapPrefixf(err, "%s", strings.Join(t.path, "."))
		}
		if t.pod {
			templates++
		}
	}
	return templates, nil
}

// set writes the labels and annotations of one object.
func (s *SetMetadata) set(object *yaml.RNode) error {
	if err := setAll(object, yaml.LabelsField, s.Spec.Labels); err != nil {
		return err
	}
	return setAll(object, yaml.AnnotationsField, s.Spec.Annotations)
}

// setAll writes values to one map of an object's metadata, new entries last and in the
// order of their keys. A value that is already there changes in place, so that it keeps
// its quotes and comments; kyaml's own setters would drop them, and would lose the
// values where the map is null.
func setAll(object *yaml.RNode, name string, values map[string]string) error {
	if len(values) == 0 {
		return nil
	}
	metadata, err := mapping(object, yaml.MetadataField)
	if err != nil {
		return err
	}
	entries, err := mapping(metadata, name)
	if err != nil {
		return errors.WrapPrefixf(err, "metadata")
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		node := yaml.NewStringRNode(values[key])
		node.YNode().Style = yaml.SingleQuotedStyle
		if field := entries.Field(key); field == nil {
			if err := entries.PipeE(yaml.FieldSetter{Name: key, Value: node}); err != nil {
				return err
			}
		} else if old := field.Value.YNode(); old.Kind != yaml.ScalarNode {
			return errors.Errorf("metadata.%s[%q] is not a string", name, key)
		} else if old.Value != values[key] || old.ShortTag() != yaml.NodeTagString {
			old.Value, old.Tag = values[key], yaml.NodeTagString
			if old.Style &^= yaml.TaggedStyle; old.Style != yaml.DoubleQuotedStyle {
				old.Style = yaml.SingleQuotedStyle
			}
		}
	}
	return nil
}

// mapping returns the mapping under a field of object, and makes one where there is
// none or null. An alias is refused: what is written through it would appear in other
// places too.
func mapping(object *yaml.RNode, name string) (*yaml.RNode, error) {
	if object.YNode().Kind != yaml.MappingNode {
		return nil, errors.Errorf("it is not a mapping")
	}
	field := object.Field(name)
	if field == nil {
		return object.Pipe(yaml.FieldSetter{Name: name, Value: yaml.NewMapRNode(nil)})
	}
	node := field.Value.YNode()
	if node.Kind == yaml.ScalarNode && node.ShortTag() == yaml.NodeTagNull {
		node.Kind, node.Tag, node.Value = yaml.MappingNode, yaml.NodeTagMap, ""
	}
	if node.Kind != yaml.MappingNode {
		return nil, errors.Errorf("%s is not a mapping", name)
	}
	return field.Value, nil
}

// find returns the node at path, or nil where there is none or null. It does not
// follow aliases, for the reason that mapping gives.
func find(object *yaml.RNode, path ...string) (*yaml.RNode, error) {
	for i, name := range path {
		if object.YNode().Kind != yaml.MappingNode {
			return nil, errors.Errorf("%s is not a mapping", strings.Join(path[:i], "."))
		}
		field := object.Field(name)
		if field == nil || field.Value.IsTaggedNull() {
			return nil, nil
		}
		object = field.Value
	}
	return object, nil
}

// scalar returns the text at path, or nil where there is none.
func scalar(object *yaml.RNode, path ...string) (*string, error) {
	node, err := find(object, path...)
	if node == nil {
		return nil, err
	}
	return &node.YNode().Value, nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
