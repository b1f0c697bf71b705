package krm

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxKptfileBytes bounds the text of a Kptfile.
const MaxKptfileBytes = 1 << 20

// Kptfile is what krmsafe reads of a Kptfile: the functions of its pipeline, in the order in which kpt runs them.
type Kptfile struct {
	Functions []KptFunction // the mutators, then the validators
}

// KptFunction is one function of a Kptfile's pipeline. It is a request by whoever wrote the package and nothing more.
type KptFunction struct {
	Image      string            // exactly one of Image and Exec is set
	Exec       string            // a command line
	ConfigPath string            // slash-separated, relative to the Kptfile's folder, or ""
	ConfigMap  map[string]string // nil where there is none
	Validator  bool
	Match      []Selector // at least one must fit a resource that the function sees, where there are any
	Exclude    []Selector // none may fit
	Line       int        // in the Kptfile, from 1
}

// ParseKptfile reads a Kptfile of kpt.dev/v1. It is strict about the pipeline, where a key that it does not know could
// change what runs on what, and does not look at the rest. The error is a *SyntaxError with the name and the line.
func ParseKptfile(name string, data []byte) (*Kptfile, error) {
	k, err := parseKptfile(data)
	return k, named("kptfile.", name, err)
}

func parseKptfile(data []byte) (*Kptfile, error) {
	root, err := settingsRoot(data, MaxKptfileBytes)
	if err != nil {
		return nil, err
	}
	if v, k := scalarField(root, "apiVersion"), scalarField(root, "kind"); v != "kpt.dev/v1" || k != "Kptfile" {
		return nil, problemf("kind", root.Line, root.Column, "it is a %q of %q", short(k), short(v)).
			withHint("a Kptfile has apiVersion: kpt.dev/v1 and kind: Kptfile; kpt fn render of version 1 migrates older ones")
	}
	pipeline := field(root, "pipeline")
	if pipeline == nil || pipeline.Tag == nullTag {
		return &Kptfile{}, nil
	}
	if pipeline.Kind != yaml.MappingNode {
		return nil, problemf("malformed", pipeline.Line, pipeline.Column, "pipeline is not a mapping")
	}
	if err := onlyKeys(pipeline, "mutators", "validators"); err != nil {
		return nil, err
	}
	k := &Kptfile{}
	for _, key := range []string{"mutators", "validators"} {
		list, err := sequenceOf(pipeline, key)
		if err != nil {
			return nil, err
		}
		for _, n := range list {
			f, err := kptFunction(n)
			if err != nil {
				return nil, err
			}
			f.Validator = key == "validators"
			k.Functions = append(k.Functions, f)
		}
	}
	return k, nil
}

func kptFunction(n *yaml.Node) (f KptFunction, err error) {
	if n.Kind != yaml.MappingNode {
		return f, problemf("malformed", n.Line, n.Column, "a function is not a mapping")
	}
	if err := onlyKeys(n, "image", "exec", "name", "tag", "configPath", "configMap", "selectors", "exclude"); err != nil {
		return f, err
	}
	f.Line = n.Line
	for key, into := range map[string]*string{"image": &f.Image, "exec": &f.Exec, "configPath": &f.ConfigPath} {
		if *into, err = textField(n, key); err != nil {
			return f, err
		}
	}
	if tag, err := textField(n, "tag"); err != nil || tag != "" {
		return f, problemf("tag", n.Line, n.Column, "a function chooses its version by tag: %q", short(tag)).
			withHint("write the tag or the digest into image")
	}
	if (f.Image == "") == (f.Exec == "") {
		return f, problemf("malformed", n.Line, n.Column, "a function needs exactly one of image and exec")
	}
	if m := field(n, "configMap"); m != nil && m.Tag != nullTag {
		if f.ConfigPath != "" {
			return f, problemf("malformed", m.Line, m.Column, "a function has both a configPath and a configMap").withHint("keep one of them")
		}
		if f.ConfigMap, err = textMap(m, "configMap"); err != nil {
			return f, err
		}
	}
	if p := f.ConfigPath; p != "" && (path.IsAbs(p) || path.Clean(p) != p || p == ".." || strings.HasPrefix(p, "../") || strings.Contains(p, `\`)) {
		v := field(n, "configPath")
		return f, problemf("path", v.Line, v.Column, "configPath %q is not a plain path in the package", short(p)).
			withHint("it is relative to the Kptfile and stays in its folder")
	}
	if f.Match, err = kptSelectors(n, "selectors"); err != nil {
		return f, err
	}
	f.Exclude, err = kptSelectors(n, "exclude")
	return f, err
}

func kptSelectors(n *yaml.Node, key string) ([]Selector, error) {
	list, err := sequenceOf(n, key)
	if err != nil {
		return nil, err
	}
	var out []Selector
	for _, n := range list {
		if n.Kind != yaml.MappingNode {
			return nil, problemf("malformed", n.Line, n.Column, "one of %s is not a mapping", key)
		}
		if err := onlyKeys(n, "apiVersion", "kind", "name", "namespace", "labels", "annotations"); err != nil {
			return nil, err
		}
		if len(n.Content) == 0 {
			return nil, problemf("malformed", n.Line, n.Column, "one of %s is empty", key).withHint("leave it out, or say what it selects")
		}
		var s Selector
		for key, into := range map[string]*string{"apiVersion": &s.APIVersion, "kind": &s.Kind, "name": &s.Name, "namespace": &s.Namespace} {
			if *into, err = textField(n, key); err != nil {
				return nil, err
			}
		}
		for key, into := range map[string]*map[string]string{"labels": &s.Labels, "annotations": &s.Annotations} {
			if m := field(n, key); m != nil {
				if *into, err = textMap(m, key); err != nil {
					return nil, err
				}
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// sequenceOf is the elements of a field that is a sequence or missing.
func sequenceOf(n *yaml.Node, key string) ([]*yaml.Node, error) {
	v := field(n, key)
	switch {
	case v == nil || v.Tag == nullTag:
		return nil, nil
	case v.Kind != yaml.SequenceNode:
		return nil, problemf("malformed", v.Line, v.Column, "%s is not a list", key)
	}
	return v.Content, nil
}

// textField is the text of a field that is a scalar or missing.
func textField(n *yaml.Node, key string) (string, error) {
	v := field(n, key)
	switch {
	case v == nil:
		return "", nil
	case v.Kind != yaml.ScalarNode || v.Tag != strTag || v.Value == "":
		return "", problemf("malformed", v.Line, v.Column, "%s is not text", key)
	}
	return v.Value, identifier(key, v.Value, v)
}

// textMap reads a mapping of scalars as kpt does: numbers and booleans are the text they are written as.
func textMap(n *yaml.Node, what string) (map[string]string, error) {
	if n.Kind != yaml.MappingNode {
		return nil, problemf("malformed", n.Line, n.Column, "%s is not a mapping", what)
	}
	out := make(map[string]string, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if v.Kind != yaml.ScalarNode || v.Tag == nullTag {
			return nil, problemf("malformed", v.Line, v.Column, "%s.%s is not text", what, short(k.Value)).withHint("quote it")
		}
		out[k.Value] = v.Value
	}
	return out, nil
}

// Packages lists the folders of a directory that have a Kptfile, "." for the directory itself, in the order in which kpt
// runs their pipelines: what lies in a package comes before the package, and neighbours by name.
func (d *Directory) Packages() []string {
	var list []string
	for _, name := range d.List.Steering {
		if path.Base(name) == "Kptfile" {
			list = append(list, path.Dir(name))
		}
	}
	slices.SortFunc(list, func(a, b string) int {
		switch {
		case a == "." || strings.HasPrefix(b, a+"/"):
			return 1
		case b == "." || strings.HasPrefix(a, b+"/"):
			return -1
		}
		return strings.Compare(a, b)
	})
	return list
}

// ReadFile reads a regular file of the directory, of at most limit bytes, without following links to it.
func (d *Directory) ReadFile(name string, limit int64) ([]byte, error) {
	if src := d.files[name]; src != nil {
		return src.data, nil
	}
	src, err := readRooted(d.root, name, limit)
	if err != nil {
		return nil, err
	}
	return src.data, nil
}

// Leave takes the resources of some files out of the list, as if the directory had been opened with them in Skip.Files.
// It is for files of which one knows only then that they are not resources.
func (d *Directory) Leave(files ...string) {
	named := func(name string) bool { return slices.Contains(files, name) }
	d.List.Items = slices.DeleteFunc(d.List.Items, func(it *Item) bool { return named(it.Path) })
	d.List.Skipped = slices.DeleteFunc(d.List.Skipped, func(s Skipped) bool { return named(s.Path) })
	for _, name := range files {
		delete(d.files, name)
	}
}
