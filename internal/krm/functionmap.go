package krm

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// MaxFunctionMapBytes bounds the text of a FunctionMap.
const MaxFunctionMapBytes = 1 << 20

// FunctionMap says which WebAssembly module stands in for which container image or program. An operator writes it; krmsafe
// docker-shim runs by it and krmsafe migrate rewrites by it. It is no decision to trust anybody: what it names is
// verified and judged like every other module.
type FunctionMap struct {
	Functions []MappedFunction // in the order of the file
	byImage   map[string]int
	byCommand map[string]int
}

// MappedFunction is one entry of a FunctionMap.
type MappedFunction struct {
	Container string       // the image as the file writes it, "" for a program
	Exec      string       // the command as functions write it, "" for an image
	Spec      FunctionSpec // a File is relative to the folder of the map
	Line      int          // of the entry in the file, from 1
}

// ParseFunctionMap reads a file of this form:
//
//	apiVersion: krmsafe.dev/v1alpha1
//	kind: FunctionMap
//	functions:
//	- container: gcr.io/kpt-fn/set-labels:v0.2.0
//	  wasip1: {image: ghcr.io/acme/set-labels@sha256:…}   # or {file: set-labels.wasm}
//	- exec: ./bin/set-labels
//	  wasip1: {file: set-labels.wasm}
//
// It is strict: an unknown key, an image twice, or a pattern in place of an image is a *SyntaxError with the name and
// the line. name is what errors call the file.
func ParseFunctionMap(name string, data []byte) (*FunctionMap, error) {
	m, err := parseFunctionMap(data)
	return m, named("map.", name, err)
}

// Lookup gives the module that stands in for an image. Two names are the same image where docker takes them for the
// same: without a registry it is docker.io, without a tag it is latest. A tag never stands for a digest, nor the
// reverse.
func (m *FunctionMap) Lookup(container string) (FunctionSpec, bool) {
	i, ok := m.byImage[imageName(container)]
	if !ok {
		return FunctionSpec{}, false
	}
	return m.Functions[i].Spec, true
}

// LookupExec gives the module that stands in for a program, by the very command that a function writes: its path, and its
// arguments behind it, one space before each.
func (m *FunctionMap) LookupExec(command string) (FunctionSpec, bool) {
	i, ok := m.byCommand[command]
	if !ok {
		return FunctionSpec{}, false
	}
	return m.Functions[i].Spec, true
}

const mapHint = "each entry is \"{container: IMAGE, wasip1: {image: REF}}\" or \"{container: IMAGE, wasip1: {file: PATH}}\""

func parseFunctionMap(data []byte) (*FunctionMap, error) {
	root, err := settingsRoot(data, MaxFunctionMapBytes)
	if err != nil {
		return nil, err
	}
	if v, k := scalarField(root, "apiVersion"), scalarField(root, "kind"); v != "krmsafe.dev/v1alpha1" || k != "FunctionMap" {
		return nil, problemf("kind", root.Line, root.Column, "it is a %q of %q", short(k), short(v)).
			withHint("a map has apiVersion: krmsafe.dev/v1alpha1 and kind: FunctionMap")
	}
	if err := onlyKeys(root, "apiVersion", "kind", "metadata", "functions"); err != nil {
		return nil, err
	}
	list := field(root, "functions")
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, problemf("malformed", root.Line, root.Column, "it has no list of functions").withHint(mapHint)
	}
	m := &FunctionMap{byImage: make(map[string]int, len(list.Content)), byCommand: map[string]int{}}
	for i, n := range list.Content {
		f, err := mappedFunction(n)
		if err != nil {
			return nil, err
		}
		index, key, what := m.byImage, imageName(f.Container), "image"
		if f.Exec != "" {
			index, key, what = m.byCommand, f.Exec, "program"
		}
		if first, twice := index[key]; twice {
			return nil, problemf("duplicate", n.Line, n.Column, "the %s %q stands in line %d already", what, short(f.Container+f.Exec), m.Functions[first].Line).
				withHint("keep one of the two")
		}
		index[key] = i
		m.Functions = append(m.Functions, f)
	}
	return m, nil
}

func mappedFunction(n *yaml.Node) (MappedFunction, error) {
	if n.Kind != yaml.MappingNode {
		return MappedFunction{}, problemf("malformed", n.Line, n.Column, "an entry is not a mapping").withHint(mapHint)
	}
	if err := onlyKeys(n, "container", "exec", "wasip1"); err != nil {
		return MappedFunction{}, err
	}
	f := MappedFunction{Line: n.Line}
	container, exec := field(n, "container"), field(n, "exec")
	switch {
	case exec != nil && container != nil:
		return MappedFunction{}, problemf("malformed", n.Line, n.Column, "an entry names both an image and a program").withHint(mapHint)
	case exec != nil:
		f.Exec = exec.Value
		if exec.Kind != yaml.ScalarNode || exec.Tag != strTag || f.Exec == "" || len(f.Exec) > 4096 {
			return MappedFunction{}, problemf("malformed", n.Line, n.Column, "an entry's exec is not a command").withHint(mapHint)
		}
		if err := identifier("command", f.Exec, exec); err != nil {
			return MappedFunction{}, err
		}
	case container == nil || container.Kind != yaml.ScalarNode || container.Tag != strTag:
		return MappedFunction{}, problemf("malformed", n.Line, n.Column, "an entry names no container image").withHint(mapHint)
	case !plainImage().MatchString(container.Value) || len(container.Value) > 1024:
		return MappedFunction{}, problemf("image", container.Line, container.Column, "%q is not the name of a container image", short(container.Value)).
			withHint("write it as the functions do, REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:…, without a pattern or a scheme")
	default:
		f.Container = container.Value
	}
	if field(n, "wasip1") == nil {
		return MappedFunction{}, problemf("malformed", n.Line, n.Column, "the entry of %q names no module", short(f.Container+f.Exec)).withHint(mapHint)
	}
	var err error
	f.Spec, err = wasip1Spec(field(n, "wasip1"), n)
	return f, err
}

// plainImage is a container image: host and port, lower-case path, tag and digest.
var plainImage = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([A-Za-z0-9.-]+(:[0-9]{1,5})?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)
})

// imageName is a container image's name with what docker adds to it.
func imageName(image string) string {
	name, digest, pinned := strings.Cut(image, "@")
	host, path, qualified := strings.Cut(name, "/")
	if !qualified || !strings.ContainsAny(host, ".:") && host != "localhost" {
		host, path = "docker.io", name
	}
	if host == "index.docker.io" {
		host = "docker.io"
	}
	if host == "docker.io" && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	if pinned {
		return host + "/" + path + "@" + digest
	}
	if !strings.Contains(path, ":") {
		path += ":latest"
	}
	return host + "/" + path
}

// named turns a problem into the operator's error about one of krmsafe's own files; other errors pass.
func named(prefix, name string, err error) error {
	if p, ok := errors.AsType[*problem](err); ok {
		return &SyntaxError{Code: prefix + p.reason, Name: name, Line: p.line, Column: p.column, Message: p.message, Hint: p.hint}
	}
	return err
}

// settingsRoot is the mapping of one of krmsafe's own files, which has no anchors.
func settingsRoot(data []byte, limit int64) (*yaml.Node, error) {
	body, err := text(data, limit)
	if err != nil {
		return nil, err
	}
	limits := Limits{Nodes: 200_000, Depth: 16}
	if err := estimate(body, limits.Nodes); err != nil {
		return nil, err
	}
	root, err := decodeOne(body)
	if err != nil {
		return nil, err
	}
	if empty(root) {
		return &yaml.Node{Kind: yaml.MappingNode, Tag: mapTag, Line: 1}, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, problemf("malformed", root.Line, root.Column, "it is not a mapping").withHint("write one \"KEY: VALUE\" a line")
	}
	err = (&gate{limits: limits}).pass(root)
	if p, ok := errors.AsType[*problem](err); ok && p.reason == "anchor" {
		return nil, problemf("anchor", p.line, p.column, "it has an anchor, an alias or a merge key").withHint("write the value out in full")
	}
	return root, err
}

// onlyKeys refuses a mapping with any other key.
func onlyKeys(n *yaml.Node, known ...string) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; !slices.Contains(known, k.Value) {
			return problemf("key", k.Line, k.Column, "unknown key %q", short(k.Value)).withHint("use " + strings.Join(known, ", "))
		}
	}
	return nil
}
