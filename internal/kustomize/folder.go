package kustomize

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// maxFolders bounds how deep folders of functions may name other folders.
const maxFolders = 16

// folder vets a kustomization whose resources are functions. What it makes of them is kustomize's to say, so that it may
// use only what cannot make one kind of thing of another, add one or take one away.
func (v *vetting) folder(dir string, depth int) error {
	if depth > maxFolders {
		return v.refuse("function_folder", "", "folders of functions name one another too deep")
	}
	at, file, err := v.guard.FileSystem.CleanedAbs(dir)
	if err != nil || file != "" {
		return v.refuse("function_folder", "", "%q is no folder", short(dir))
	}
	dir = at.String()
	k, err := v.read(dir)
	if err != nil {
		return err
	}
	if field := beyond(k); field != "" {
		return v.refuse("function_folder", "a folder of functions may have resources, patches, common labels and annotations, a namespace and a name prefix or suffix",
			"the kustomization in %q uses %s on functions", short(v.guard.build.name(dir)), field)
	}
	for _, path := range k.Resources {
		if remote(path) {
			return v.refuse("remote_function", "commit the function's configuration and name its file", "%q is not a file of the tree", short(path))
		}
		at := filepath.Join(dir, path)
		if filepath.IsAbs(path) {
			at = path
		}
		if v.guard.IsDir(at) {
			err = v.folder(at, depth+1)
		} else if data, e := v.file(at); e != nil {
			err = v.refuse("function_file", "", "%q: %s", short(path), e)
		} else {
			err = v.resources(data, false)
		}
		if err != nil {
			return err
		}
	}
	return v.patches(dir, k)
}

// read reads the kustomization of a folder, the same bytes that kustomize will get.
func (v *vetting) read(dir string) (*types.Kustomization, error) {
	var found []byte
	n := 0
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if data, err := v.guard.pin(filepath.Join(dir, name)); err == nil {
			found, n = data, n+1
		}
	}
	if n != 1 {
		return nil, v.refuse("function_folder", "", "%q does not hold exactly one kustomization", short(v.guard.build.name(dir)))
	}
	var k types.Kustomization
	if err := k.Unmarshal(found); err != nil {
		return nil, v.refuse("function_folder", "", "%q: %s", short(v.guard.build.name(dir)), err)
	}
	k.FixKustomization()
	return &k, nil
}

// beyond is a field of the kustomization that a folder of functions may not have.
func beyond(k *types.Kustomization) string {
	rest := *k
	rest.TypeMeta, rest.MetaData, rest.BuildMetadata = types.TypeMeta{}, nil, nil
	rest.Resources, rest.Patches, rest.PatchesJson6902, rest.PatchesStrategicMerge = nil, nil, nil, nil                //nolint:staticcheck // the older fields are still read
	rest.CommonAnnotations, rest.CommonLabels, rest.NamePrefix, rest.NameSuffix, rest.Namespace = nil, nil, "", "", "" //nolint:staticcheck // as above
	if !slices.ContainsFunc(rest.Labels, func(l types.Label) bool { return len(l.FieldSpecs) > 0 }) {
		rest.Labels = nil
	}
	s := reflect.ValueOf(rest)
	for i := range s.NumField() {
		if f := s.Field(i); !f.IsZero() && (f.Kind() != reflect.Slice && f.Kind() != reflect.Map || f.Len() > 0) {
			name, _, _ := strings.Cut(s.Type().Field(i).Tag.Get("json"), ",")
			return name
		}
	}
	return ""
}

// patches vets what a folder changes in its functions.
func (v *vetting) patches(dir string, k *types.Kustomization) error {
	for key := range k.CommonAnnotations {
		if reserved(key) {
			return v.refuse("function_folder", "", "commonAnnotations set %q on functions", short(key))
		}
	}
	var texts []string
	for _, p := range append(slices.Clone(k.Patches), k.PatchesJson6902...) { //nolint:staticcheck // still read
		if p.Options != nil && p.Options.AllowKindChange {
			return v.refuse("function_folder", "", "a patch of functions allows another kind")
		}
		if p.Patch != "" {
			texts = append(texts, p.Patch)
		}
		if p.Path != "" {
			text, err := v.patchFile(dir, p.Path)
			if err != nil {
				return err
			}
			texts = append(texts, text)
		}
	}
	for _, p := range k.PatchesStrategicMerge { //nolint:staticcheck // still read
		if _, err := v.guard.factory.RF().SliceFromBytes([]byte(p)); err == nil {
			texts = append(texts, string(p))
			continue
		}
		text, err := v.patchFile(dir, string(p))
		if err != nil {
			return err
		}
		texts = append(texts, text)
	}
	for _, text := range texts {
		if err := v.patch(text); err != nil {
			return err
		}
	}
	return nil
}

func (v *vetting) patchFile(dir, path string) (string, error) {
	if remote(path) {
		return "", v.refuse("remote_function", "", "the patch %q of functions is not a file of the tree", short(path))
	}
	at := filepath.Join(dir, path)
	if filepath.IsAbs(path) {
		at = path
	}
	data, err := v.file(at)
	if err != nil {
		return "", v.refuse("function_file", "", "the patch %q: %s", short(path), err)
	}
	return string(data), nil
}

// patch vets a patch of either kind: a mapping is a strategic merge, a sequence JSON 6902.
func (v *vetting) patch(text string) error {
	in := yaml.NewDecoder(strings.NewReader(text))
	for {
		var doc yaml.Node
		err := in.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return v.refuse("function_folder", "", "a patch of functions cannot be read: %s", err)
		}
		if why := unsafePatch(&doc); why != "" {
			return v.refuse("function_folder", "patch annotations and the function's own fields only", "a patch of functions %s", why)
		}
		if len(doc.Content) > 0 && doc.Content[0].Kind == yaml.MappingNode {
			// With a target, a patch may have another apiVersion than what it changes.
			version, kind := child(doc.Content[0], "apiVersion"), child(doc.Content[0], "kind")
			if version != nil && !plainAPIVersion(version.Value) || kind != nil && !plainKind().MatchString(kind.Value) {
				return v.refuse("function_folder", "", "a patch of functions has an apiVersion or kind that is not one of a Kubernetes object")
			}
		}
		if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.SequenceNode {
			continue
		}
		for _, op := range doc.Content[0].Content {
			if why := unsafeOperation(op); why != "" {
				return v.refuse("function_folder", "patch annotations and the function's own fields only", "a patch of functions %s", why)
			}
		}
	}
}

// reserved reports whether a key is one by which kyaml finds a function in an older way, or kustomize's own.
func reserved(key string) bool {
	k := strings.ToLower(key)
	return k == "configfn" || k == legacyContainer || strings.HasPrefix(k, internalPrefix) || strings.HasPrefix(k, "$patch")
}

// unsafePatch looks for reserved keys wherever they stand, behind anchors too.
func unsafePatch(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key := n.Content[i]; reserved(key.Value) || key.Kind != yaml.ScalarNode {
				return fmt.Sprintf("sets %q", short(key.Value))
			}
		}
	}
	for _, c := range n.Content {
		if why := unsafePatch(c); why != "" {
			return why
		}
	}
	return ""
}

// unsafeOperation vets one operation of a JSON 6902 patch.
func unsafeOperation(op *yaml.Node) string {
	if op.Kind != yaml.MappingNode {
		return "holds an operation that is none"
	}
	for i := 0; i+1 < len(op.Content); i += 2 {
		value := op.Content[i+1].Value
		switch op.Content[i].Value {
		case "op":
			if !slices.Contains([]string{"add", "replace", "remove", "test"}, value) {
				return fmt.Sprintf("has the operation %q", short(value))
			}
		case "from":
			return "moves or copies"
		case "path":
			unescape := strings.NewReplacer("~1", "/", "~0", "~")
			parts := strings.Split(value, "/")
			for j := range parts {
				parts[j] = unescape.Replace(parts[j])
			}
			if len(parts) < 2 || slices.ContainsFunc(parts, reserved) || len(parts) == 2 && slices.Contains([]string{"", "apiVersion", "kind", "metadata"}, parts[1]) {
				return fmt.Sprintf("changes %q", short(value))
			}
		case "value":
		default:
			return fmt.Sprintf("has an operation with %q", short(op.Content[i].Value))
		}
	}
	return ""
}
