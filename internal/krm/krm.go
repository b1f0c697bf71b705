// Package krm reads and writes what a KRM function reads and writes: ResourceLists, the resources in them, the
// functionConfig and its function annotation, and results.
//
// It knows YAML, the shape of a Kubernetes object and the KRM Functions Specification v1. It does not know
// WebAssembly, registries, signatures or policy: it says what a document holds and what changed between two of
// them, and somebody else decides whether that is allowed.
//
// Everything it reads is foreign. A document is bounded before and while it is parsed (Limits), and it passes a
// gate before anything is taken from it: UTF-8, one document, string keys, no key twice, tags of the YAML core
// schema, bounded depth and node count. Anchors, aliases and merge keys are expanded under the node bound in input
// and refused in output. What the gate does not do: it does not check an object against its schema, and it leaves
// untouched resources as the text they were.
//
// No resource has a field items at its top: kubectl takes any such object for a list and kustomize any whose kind ends
// in List, so what stands there would be objects that no view, policy or redaction knows. Lists among manifests that
// are nothing but lists are divided; every other such object is refused, in input (input.list) and in output
// (output.list). A custom resource that has a field of that name cannot be applied with kubectl, and cannot be read here.
//
// A run of a function is an Exchange: it makes the function's input from a list and a view, and takes its answer apart.
// What leaves is the input, changed at the places that the Output's changes name and nowhere else. Parse and Output work
// with as many goroutines as there are processors and keep text instead of trees, so that a list takes little more
// memory than its document. A Directory is a list that can be written back in place.
//
// # Why not kyaml's reader
//
// The nodes here are kyaml's nodes (both are go.yaml.in/yaml/v3's), so that values flow into a kyaml pipeline. Its
// ByteReader and ByteWriter are not used: they keep duplicate keys, accept several documents, and lose comments,
// blank lines and line ends of resources that nobody touched.
package krm

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits bounds one document, or one directory of them. Every field must be positive: the zero Limits reads nothing.
type Limits struct {
	Bytes   int64 // bytes of text, over all files where there are several
	Items   int   // resources
	Nodes   int   // YAML nodes (each mapping, sequence, key and value is one), aliases expanded
	Depth   int   // nesting of mappings and sequences
	Results int   // entries of the results field
	Files   int   // entries of a directory walk, whatever they are
}

// DefaultLimits are the bounds that hold where the caller has no reason for others: 256 MiB, 200,000 resources,
// 8 million nodes, depth 64, 1,000 results, 20,000 directory entries.
func DefaultLimits() Limits {
	return Limits{
		Bytes: 256 << 20, Items: 200_000, Nodes: 8_000_000, Depth: 64, Results: 1000, Files: 20_000,
	}
}

// ResourceList is what a function reads on its standard input and writes on its standard output: resources in
// order, an optional functionConfig and optional results (KRM Functions Specification v1). It refers to
// the text it was read from, which must not be changed while the list is in use. It is not safe for concurrent use.
type ResourceList struct {
	Plain          bool    // read from plain manifests and not from a ResourceList
	APIVersion     string  // as it was written; Encode always writes config.kubernetes.io/v1
	Items          []*Item // in the order of the document
	FunctionConfig *Object // nil where there is none
	Results        []Result
	Skipped        []Skipped // documents of a directory that are not resources
	LeftOut        []LeftOut // files and folders of a directory that nobody looks at
	Steering       []string  // kustomizations and Kptfiles of a directory, which steer tools
	dash           int       // column of the dashes where items keep the text of a sequence
}

// Skipped names a document that was read past, and why.
type Skipped struct {
	Path   string // as found under the directory, "" for a stream
	Index  int    // position among the documents of the file, from 0
	Reason string
	Unread bool // nobody looked into it: it may hold resources
}

// Object is a functionConfig: a mapping that claims to be a Kubernetes object.
type Object struct {
	Identity
	node *yaml.Node // the mapping itself, never an alias
}

// Identity names an object. Two objects with the same group, kind, namespace and name are the same object whatever
// their version is.
type Identity struct {
	Group     string `json:"group"`
	Version   string `json:"version"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// APIVersion is the identity's group and version as Kubernetes writes them: "apps/v1", or "v1" for the core group.
func (id Identity) APIVersion() string {
	if id.Group == "" {
		return id.Version
	}
	return id.Group + "/" + id.Version
}

// String is the identity for people: kind, namespace and name. It may hold foreign text and must be quoted or
// cleaned before it is shown.
func (id Identity) String() string {
	name := id.Name
	if id.Namespace != "" {
		name = id.Namespace + "/" + name
	}
	return id.Kind + " " + name
}

// Node is the object's own mapping, not a copy.
func (o *Object) Node() *yaml.Node { return o.node }

// splitAPIVersion divides an apiVersion at its only slash.
func splitAPIVersion(s string) (group, version string) {
	if g, v, ok := strings.Cut(s, "/"); ok {
		return g, v
	}
	return "", s
}

// identify reads the identity of a mapping that has passed the gate. ok is false where the mapping has no apiVersion
// or no kind.
func identify(n *yaml.Node) (id Identity, ok bool) {
	id.Group, id.Version = splitAPIVersion(scalarField(n, "apiVersion"))
	id.Kind = scalarField(n, "kind")
	if meta := field(n, "metadata"); meta != nil && meta.Kind == yaml.MappingNode {
		id.Name = scalarField(meta, "name")
		id.Namespace = scalarField(meta, "namespace")
	}
	return id, id.Version != "" && id.Kind != ""
}

// field returns the value of a mapping's key, nil where it is absent.
func field(n *yaml.Node, key string) *yaml.Node {
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

// scalarField returns the text of a mapping's scalar, "" where it is absent, null or not a scalar.
func scalarField(n *yaml.Node, key string) string {
	if v := field(n, key); v != nil && v.Kind == yaml.ScalarNode && v.Tag != nullTag {
		return v.Value
	}
	return ""
}
