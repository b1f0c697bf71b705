package kustomize

import (
	"fmt"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/yaml"
)

// Files are the resources as the files of a folder, one each, by the names that kustomize gives them: group, version,
// kind and name, after the namespace where there are several. A resource whose name is not one of a file is an error, and
// so are two of one name.
func (r *Result) Files() (map[string][]byte, error) {
	files := make(map[string][]byte, r.resources.Size())
	add := func(prefix string, res *resource.Resource) error {
		name := prefix + strings.ToLower(res.GetGvk().StringWoEmptyField()) + "_" + strings.ToLower(res.GetName()) + ".yaml"
		if filepath.Base(name) != name || !filepath.IsLocal(name) || strings.ContainsAny(name, `/\:`) {
			return fmt.Errorf("writing %q: %q is not the name of a file", res.GetName(), name)
		}
		if files[name] != nil {
			return fmt.Errorf("writing %q: another resource is called so in small letters", name)
		}
		m, err := res.Map()
		if err != nil {
			return fmt.Errorf("writing %q: %w", res.GetName(), err)
		}
		files[name], err = yaml.Marshal(m)
		return err
	}
	byNamespace := r.resources.GroupedByCurrentNamespace()
	for namespace, list := range byNamespace {
		prefix := ""
		if len(byNamespace) > 1 {
			prefix = strings.ToLower(namespace) + "_"
		}
		for _, res := range list {
			if err := add(prefix, res); err != nil {
				return nil, err
			}
		}
	}
	for _, res := range r.resources.ClusterScoped() {
		if err := add("", res); err != nil {
			return nil, err
		}
	}
	return files, nil
}
