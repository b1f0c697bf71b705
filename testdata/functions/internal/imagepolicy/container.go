package imagepolicy

import (
	"fmt"
	"regexp"
	"strconv"

	"sigs.k8s.io/kustomize/kyaml/errors"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/kio/kioutil"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// container is one place in a resource that runs an image.
type container struct {
	path    string // of the image field, such as spec.containers[0].image
	image   string
	problem string // why there is no image to judge
}

// maxDepth bounds how deep containersOf descends. Custom resources that embed pods in
// workloads in workflows stay well below it.
const maxDepth = 128

// containerLists are the fields of a PodSpec that list what runs.
var containerLists = map[string]bool{"containers": true, "initContainers": true, "ephemeralContainers": true}

// containersOf finds the containers of item, in the order of the text.
//
// # Why it does not know kinds
//
// A list of workload kinds would be out of date with the next custom resource that
// embeds a pod, and an image that nobody looked at is the hole this function exists to
// close. So any sequence of mappings under one of the three names counts, at any depth:
// at worst a finding too many. An alias could hide such a sequence under another name,
// or a merge key an image, so a resource that uses either is not judged but reported.
func containersOf(item *yaml.RNode) ([]container, error) {
	var found []container
	return found, walk(item.YNode(), "", 0, &found)
}

func walk(node *yaml.Node, path string, depth int, found *[]container) error {
	if depth > maxDepth {
		return errors.Errorf("the resource nests deeper than %d levels and cannot be judged", maxDepth)
	}
	switch node.Kind {
	case yaml.AliasNode:
		return errors.Errorf("%s is a YAML alias (*%s): write the value out to have it judged", path, node.Value)
	case yaml.SequenceNode:
		for i, element := range node.Content {
			if err := walk(element, fmt.Sprintf("%s[%d]", path, i), depth+1, found); err != nil {
				return err
			}
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			if key.Kind != yaml.ScalarNode {
				return errors.Errorf("%s has a key that is not plain text and cannot be judged", path)
			}
			at := join(path, key.Value)
			if containerLists[key.Value] && value.Kind == yaml.SequenceNode {
				*found = append(*found, list(value, at)...)
			}
			if err := walk(value, at, depth+1, found); err != nil {
				return err
			}
		}
	}
	return nil
}

// list reads the images of one list of containers. Elements that are not mappings are
// not containers.
func list(sequence *yaml.Node, path string) []container {
	var found []container
	for i, element := range sequence.Content {
		if element.Kind != yaml.MappingNode {
			continue
		}
		c := container{path: fmt.Sprintf("%s[%d].image", path, i), problem: "the container names no image"}
		for j := 0; j+1 < len(element.Content); j += 2 {
			key, value := element.Content[j], element.Content[j+1]
			if key.Value != "image" {
				continue
			}
			if c.image != "" {
				c.problem = "the container names an image twice"
				break
			}
			c.image, c.problem = value.Value, ""
			if value.Kind != yaml.ScalarNode || value.ShortTag() != yaml.NodeTagString {
				c.problem = "the image is not a string"
			}
		}
		found = append(found, c)
	}
	return found
}

// plainKey is a key that needs no quotes in a field path.
var plainKey = regexp.MustCompile(`^[A-Za-z_][-A-Za-z0-9_]*$`)

// join appends a key to a field path: spec.template, metadata.annotations["a.b/c"].
func join(path, key string) string {
	switch {
	case !plainKey.MatchString(key):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// finding makes a result about container c of item, or about item as a whole where c
// is empty. It names the file where the caller said which file item came from.
func finding(item *yaml.RNode, c container, severity framework.Severity, rule, message string) *framework.Result {
	result := &framework.Result{
		Severity: severity,
		Message:  message,
		ResourceRef: &yaml.ResourceIdentifier{
			TypeMeta: yaml.TypeMeta{APIVersion: item.GetApiVersion(), Kind: item.GetKind()},
			NameMeta: yaml.NameMeta{Name: item.GetName(), Namespace: item.GetNamespace()},
		},
		Tags: map[string]string{"rule": rule},
	}
	if c.path != "" {
		result.Field = &framework.Field{Path: c.path}
		if c.image != "" {
			result.Field.CurrentValue = c.image
		}
	}
	if path, index, err := kioutil.GetFileAnnotations(item); err == nil && path != "" {
		result.File = &framework.File{Path: path}
		if n, err := strconv.Atoi(index); err == nil {
			result.File.Index = n
		}
	}
	return result
}
