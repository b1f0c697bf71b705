package krm

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/krmsafe/krmsafe/internal/lazy"
)

// The rules here hold whatever a policy says: nothing that selects a function, steers kustomize or kpt, or aims at a
// file that tools act on leaves krmsafe because a function wrote it (see TestOutputAttacks).

// isSteering says whether an object steers kustomize or kpt. Other groups have kinds of the same names that do not.
func isSteering(id Identity) bool {
	switch id.Group {
	case "kustomize.config.k8s.io":
		return true
	case "kpt.dev":
		return id.Kind == "Kptfile"
	}
	return id.Group == "" && id.Version == "builtin"
}

// selecting names the annotations by which some client chooses and runs a function.
var selecting = []string{
	"config.kubernetes.io/function", "config.k8s.io/function", "config.kubernetes.io/container", "krmsafe.dev/function",
}

// guardAdded checks an object that a function made, and returns the file and the position that it asks for.
func guardAdded(id Identity, n *yaml.Node) (path string, index int, err error) {
	if isSteering(id) {
		return "", 0, problemf("steering_object", n.Line, n.Column, "the function adds a %q, which steers a tool", id.Kind).
			withHint("keep such objects out of what functions make")
	}
	if endsInList(id) {
		return "", 0, problemf("list", n.Line, n.Column, "the function adds a %q, which kustomize takes for a list of resources", short(id.Kind)).
			withHint("the function must return each object on its own")
	}
	if err := guardSpelling("adds", id, n); err != nil {
		return "", 0, err
	}
	if err := guardFunction(nil, n); err != nil {
		return "", 0, err
	}
	return guardPath(n)
}

// What a new object says it is must be spelled in the one way that an API server takes: a policy that names kinds must
// not be passed by another spelling that some client mends.
var (
	plainKind       = lazy.Regexp(`^[A-Z][A-Za-z0-9]*$`)
	plainAPIVersion = lazy.Regexp(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*/)?[a-z][a-z0-9]*$`)
)

func guardSpelling(does string, id Identity, n *yaml.Node) error {
	version := scalarField(n, "apiVersion")
	if plainKind().MatchString(id.Kind) && plainAPIVersion().MatchString(version) {
		return nil
	}
	return problemf("item", n.Line, n.Column, "the function %s an object of the kind %q and the apiVersion %q, which Kubernetes does not have", does, short(id.Kind), short(version)).
		withHint("a kind is a capital letter and then letters and digits, an apiVersion is GROUP/VERSION or VERSION, and a group a DNS name in small letters")
}

// guardChanged checks an object that a function changed: what it was and what it became. An object is known without
// its version, and a version can make it another thing ("builtin").
func guardChanged(id Identity, in, out *yaml.Node) error {
	became, _ := identify(out)
	if isSteering(id) || isSteering(became) {
		return problemf("steering_object", out.Line, out.Column, "the function changes the %q %q, which steers a tool", short(id.Kind), short(id.Name)).
			withHint("hide it from the function: exclude its kind")
	}
	if scalarField(in, "apiVersion") != scalarField(out, "apiVersion") || id.Kind != became.Kind {
		if err := guardSpelling("makes", became, out); err != nil {
			return err
		}
	}
	return guardFunction(in, out)
}

// guardFunction refuses every annotation that selects a function unless it stands there in the input too.
func guardFunction(in, out *yaml.Node) error {
	for _, where := range []string{"annotations", "configFn"} {
		before, after := field(field(in, "metadata"), where), field(field(out, "metadata"), where)
		if after == nil {
			continue
		}
		if where == "configFn" {
			if before == nil || !equal(before, after) {
				return planted(after, "metadata.configFn")
			}
			continue
		}
		for i := 0; after.Kind == yaml.MappingNode && i+1 < len(after.Content); i += 2 {
			k, v := after.Content[i], after.Content[i+1]
			if !slices.Contains(selecting, k.Value) {
				continue
			}
			if b := field(before, k.Value); b == nil || !equal(b, v) {
				return planted(k, "the annotation "+strconv.Quote(k.Value))
			}
		}
	}
	return nil
}

func planted(at *yaml.Node, what string) *problem {
	return problemf("function_annotation", at.Line, at.Column, "the function plants %s, by which a tool would run another function", what).
		withHint("a function's output may not choose functions")
}

var safePath = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9._/-]*\.ya?ml$`)

// maxIndex is the highest position in a file that a new resource may ask for.
const maxIndex = 1_000_000

// guardPath checks the file that a new object asks for, in both spellings of the annotation. A path must be one that
// cannot leave the directory on any system and that no tool acts on.
func guardPath(n *yaml.Node) (file string, place int, err error) {
	ann := field(field(n, "metadata"), "annotations")
	p, err := agreed(ann, pathKey, legacyPathKey)
	if err != nil {
		return "", 0, err
	}
	index, err := agreed(ann, indexKey, legacyIndexKey)
	if err != nil {
		return "", 0, err
	}
	if p != nil {
		if err := checkPath(p); err != nil {
			return "", 0, err
		}
		file = p.Value
	}
	if index != nil {
		place, err = filePosition(index)
	}
	return file, place, err
}

// filePosition is the place in a file that a resource asks for.
func filePosition(index *yaml.Node) (int, error) {
	i, err := strconv.Atoi(index.Value)
	if err != nil || i < 0 || i > maxIndex || strconv.Itoa(i) != index.Value {
		return 0, problemf("path", index.Line, index.Column, "a resource asks for the position %q in its file", short(index.Value)).
			withHint("a position is a number from 0 to 1000000")
	}
	return i, nil
}

// stated is an annotation that says something: kyaml clears its own by writing nothing into them.
func stated(ann *yaml.Node, key string) *yaml.Node {
	if v := field(ann, key); v == nil || v.Kind != yaml.ScalarNode || v.Value != "" {
		return v
	}
	return nil
}

// agreed is the value of an annotation that has two spellings, which must not differ.
func agreed(ann *yaml.Node, key, legacy string) (*yaml.Node, error) {
	a, b := stated(ann, key), stated(ann, legacy)
	if a != nil && b != nil && a.Value != b.Value {
		return nil, problemf("path", b.Line, b.Column, "the annotations %q and %q of one resource differ", key, legacy).
			withHint("write the same value to both")
	}
	if a == nil {
		a = b
	}
	if a != nil && a.Kind != yaml.ScalarNode {
		return nil, problemf("path", a.Line, a.Column, "the annotation %q is not text", key)
	}
	return a, nil
}

func checkPath(n *yaml.Node) error {
	refuse := func(why string) error {
		return problemf("path", n.Line, n.Column, "a resource asks for the file %q: %s", short(n.Value), why).
			withHint("a path is relative, ends in .yaml or .yml and names no hidden file")
	}
	p := n.Value
	switch {
	case len(p) > 1024:
		return refuse("longer than 1024 bytes")
	case !safePath().MatchString(p):
		return refuse("not a plain relative path to a YAML file")
	case path.Clean(p) != p:
		return refuse("not written plainly")
	}
	for segment := range strings.SplitSeq(p, "/") {
		if strings.HasPrefix(segment, ".") || strings.HasSuffix(segment, ".") {
			return refuse("a part of it begins or ends with a dot")
		}
		if reservedName(segment) {
			return refuse("a part of it is a device's name on Windows")
		}
	}
	base := path.Base(p)
	stem, _, _ := strings.Cut(strings.ToLower(base), ".")
	if slices.ContainsFunc(steering, func(s string) bool { return strings.EqualFold(s, base) }) || slices.Contains(acting, stem) {
		return refuse("that file steers a tool")
	}
	return nil
}

// acting names the YAML files, without their endings, that CI systems, task runners and the like carry out where they
// find them. An object may have such fields of its own, so a new one must not lie there.
var acting = []string{
	"action", "ansible", "appveyor", "azure-pipelines", "bitbucket-pipelines", "buildspec", "chart", "cloudbuild", "codemagic", "compose",
	"devfile", "devspace", "docker-compose", "fleet", "garden", "helmfile", "lefthook", "mkdocs", "okteto", "pnpm-workspace", "serverless",
	"skaffold", "taskfile", "werf", "wercker",
}

// reservedName says whether Windows takes a name for a device, whatever its ending.
func reservedName(segment string) bool {
	stem, _, _ := strings.Cut(strings.ToLower(segment), ".")
	switch stem {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(stem) == 4 && (strings.HasPrefix(stem, "com") || strings.HasPrefix(stem, "lpt")) && stem[3] >= '0' && stem[3] <= '9'
}
