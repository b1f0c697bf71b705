package krm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A FoundFunction is a functionConfig in a tree that names a function.
type FoundFunction struct {
	Identity
	Path string // slash-separated, of the file that holds it
	Spec FunctionSpec
	Err  error // why its annotation names no module; then Spec is empty
}

// FindFunctions lists the functionConfigs under a directory: resources with a function annotation, and those written
// inline in the generators, transformers and validators of a kustomization. They are in the order of their paths. A
// function of another runtime (a container, a program) is listed with the error of ParseFunction. The directory is read
// as ReadPath reads it, and so are the errors.
func FindFunctions(dir string, limits Limits) ([]FoundFunction, error) {
	rl, err := ReadPath(dir, limits)
	if err != nil {
		return nil, err
	}
	var found []FoundFunction
	for _, item := range rl.Items {
		node, err := item.Node()
		if err != nil {
			return nil, err
		}
		found = appendFunction(found, item.Path, &Object{Identity: item.Identity, node: node})
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	defer root.Close() //nolint:errcheck // only read from
	for _, name := range rl.Steering {
		if path.Base(name) == "Kptfile" {
			continue
		}
		if found, err = appendInline(found, root, name, limits); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(found, func(a, b FoundFunction) int { return strings.Compare(a.Path, b.Path) })
	return found, nil
}

func appendFunction(found []FoundFunction, name string, config *Object) []FoundFunction {
	spec, err := ParseFunction(config)
	if errors.Is(err, ErrNoFunction) {
		return found
	}
	return append(found, FoundFunction{Identity: config.Identity, Path: name, Spec: spec, Err: err})
}

// appendInline reads the functionConfigs that a kustomization holds as text.
func appendInline(found []FoundFunction, root *os.Root, name string, limits Limits) ([]FoundFunction, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	defer f.Close()                                          //nolint:errcheck // only read from
	data, err := io.ReadAll(io.LimitReader(f, limits.Bytes)) //nolint:forbidigo // bounded by the line itself
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	kustomization, err := ParseConfig(name, data, limits)
	if err != nil {
		return nil, err
	}
	content := kustomization.Node().Content
	for i := 0; i+1 < len(content); i += 2 {
		if !slices.Contains([]string{"generators", "transformers", "validators"}, strings.ToLower(content[i].Value)) {
			continue
		}
		for _, entry := range content[i+1].Content {
			if entry.Kind != yaml.ScalarNode || !strings.ContainsAny(entry.Value, "\n{") {
				continue // a path or a URL
			}
			config, err := ParseConfig(name, []byte(entry.Value), limits)
			if err != nil {
				return nil, err
			}
			found = appendFunction(found, name, config)
		}
	}
	return found, nil
}
