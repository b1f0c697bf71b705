// Package setmetadata sets labels and annotations on resources and on the pod
// templates inside them. It knows where Kubernetes keeps pod templates; it does not
// touch selectors, volume claim templates or any resource's identity.
package setmetadata

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"

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
		node, err := item.Pipe(yaml.Lookup(t.path...))
		if err != nil {
			return 0, err
		}
		if yaml.IsMissingOrNull(node) {
			continue
		}
		if err := s.set(node); err != nil {
			return 0, err
		}
		if t.pod {
			templates++
		}
	}
	return templates, nil
}

// set writes the labels and annotations of one object, in the order of their keys.
// An entry that already has its value is left alone, with its quotes and comments.
func (s *SetMetadata) set(object *yaml.RNode) error {
	for _, field := range []struct {
		name   string
		values map[string]string
		setter func(key, value string) yaml.Filter
	}{
		{yaml.LabelsField, s.Spec.Labels, func(k, v string) yaml.Filter { return yaml.SetLabel(k, v) }},
		{yaml.AnnotationsField, s.Spec.Annotations, func(k, v string) yaml.Filter { return yaml.SetAnnotation(k, v) }},
	} {
		for _, key := range slices.Sorted(maps.Keys(field.values)) {
			value := field.values[key]
			had, err := scalar(object, yaml.MetadataField, field.name, key)
			if err != nil {
				return err
			}
			if had != nil && *had == value {
				continue
			}
			if err := object.PipeE(field.setter(key, value)); err != nil {
				return err
			}
		}
	}
	return nil
}

// scalar returns the text at path, or nil where there is none.
func scalar(object *yaml.RNode, path ...string) (*string, error) {
	node, err := object.Pipe(yaml.Lookup(path...))
	if err != nil || yaml.IsMissingOrNull(node) {
		return nil, err
	}
	value := yaml.GetValue(node)
	return &value, nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
