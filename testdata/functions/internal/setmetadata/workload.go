package setmetadata

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// template is one place inside a resource that carries metadata of its own.
type template struct {
	path []string
	pod  bool // its metadata becomes the metadata of pods
}

// templatesOf returns the places inside item that hold an object template, outermost
// first. Only the workload kinds of Kubernetes itself are known: what a field means in
// somebody else's kind cannot be told from its name.
func templatesOf(item *yaml.RNode) []template {
	group, _, found := strings.Cut(item.GetApiVersion(), "/")
	if !found {
		group = ""
	}
	switch group + "/" + item.GetKind() {
	case "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet", "batch/Job", "/ReplicationController":
		return []template{{path: []string{"spec", "template"}, pod: true}}
	case "/PodTemplate":
		return []template{{path: []string{"template"}, pod: true}}
	case "batch/CronJob":
		return []template{
			{path: []string{"spec", "jobTemplate"}},
			{path: []string{"spec", "jobTemplate", "spec", "template"}, pod: true},
		}
	}
	return nil
}

// conflicts reports the labels that would take item's pods out of its own selector.
// A selector cannot be changed once the workload exists, so the label must give way.
func (s *SetMetadata) conflicts(item *yaml.RNode) (framework.Results, error) {
	var results framework.Results
	for _, t := range templatesOf(item) {
		if !t.pod {
			continue
		}
		selected, err := selectedLabels(item)
		if err != nil {
			return nil, err
		}
		for _, key := range slices.Sorted(maps.Keys(s.Spec.Labels)) {
			if !selected[key] {
				continue
			}
			path := append(slices.Clone(t.path), yaml.MetadataField, yaml.LabelsField, key)
			had, err := scalar(item, path...)
			if err != nil {
				return nil, err
			}
			want := s.Spec.Labels[key]
			if had == nil || *had == want {
				continue
			}
			results = append(results, &framework.Result{
				Severity: framework.Error,
				Message: fmt.Sprintf("label %q cannot become %q: the selector of this %s names it and its pods carry %q",
					key, want, item.GetKind(), *had),
				ResourceRef: &yaml.ResourceIdentifier{
					TypeMeta: yaml.TypeMeta{APIVersion: item.GetApiVersion(), Kind: item.GetKind()},
					NameMeta: yaml.NameMeta{Name: item.GetName(), Namespace: item.GetNamespace()},
				},
				Field: &framework.Field{
					Path:          fmt.Sprintf("%s.metadata.labels[%q]", strings.Join(t.path, "."), key),
					CurrentValue:  *had,
					ProposedValue: want,
				},
			})
		}
	}
	return results, nil
}

// selectedLabels returns the label keys that item's selector names, in either form
// of selector.
func selectedLabels(item *yaml.RNode) (map[string]bool, error) {
	path := []string{"spec", "selector", "matchLabels"}
	if item.GetKind() == "ReplicationController" {
		path = []string{"spec", "selector"}
	}
	keys := map[string]bool{}
	equal, err := find(item, path...)
	if err != nil {
		return nil, err
	}
	if equal != nil {
		names, err := equal.Fields()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			keys[name] = true
		}
	}
	expressions, err := find(item, "spec", "selector", "matchExpressions")
	if expressions == nil {
		return keys, err
	}
	return keys, expressions.VisitElements(func(e *yaml.RNode) error {
		key, err := scalar(e, "key")
		if key != nil {
			keys[*key] = true
		}
		return err
	})
}
