package krm

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// packageKey is the annotation by which kpt tells which package a resource belongs to: a path of the machine that kpt
// runs on.
const packageKey = "internal.config.kubernetes.io/package-path"

// Packaged says whether every resource, and there is one, names the package that it belongs to, as they do in the input
// that kpt writes.
func (rl *ResourceList) Packaged() bool {
	return len(rl.Items) > 0 && !slices.ContainsFunc(rl.Items, func(it *Item) bool { return it.pack == "" })
}

// PackageRoot is the package that all others of the list lie in: an absolute path. It is a claim by whoever wrote the
// list. The error, a *SyntaxError, says that there is none.
func (rl *ResourceList) PackageRoot() (string, error) {
	root := ""
	for _, it := range rl.Items {
		switch p := it.pack; {
		case !isPackage(p):
			return "", asInput("", problemf("package", 0, 0, "%q belongs to the package %q, which is not an absolute path", short(it.String()), short(p)))
		case root == "" || inPackage(p, root):
			root = p
		}
	}
	for _, it := range rl.Items {
		if !inPackage(root, it.pack) {
			return "", asInput("", problemf("package", 0, 0, "the packages %q and %q do not lie in one another", short(root), short(it.pack)).
				withHint("name the module by an image"))
		}
	}
	return root, nil
}

func inPackage(root, p string) bool {
	return p == root || root == "/" || strings.HasPrefix(p, root+"/")
}

// OnlyOwnConfig says whether the list's one resource is a copy of its functionConfig that is marked as no cluster's: so
// kustomize calls a generator.
func (rl *ResourceList) OnlyOwnConfig() bool {
	if len(rl.Items) != 1 || rl.FunctionConfig == nil {
		return false
	}
	it, c := rl.Items[0], rl.FunctionConfig
	if it.Group != c.Group || it.Kind != c.Kind || it.Namespace != c.Namespace || it.Name != c.Name {
		return false
	}
	n, err := it.tree()
	return err == nil && scalarField(field(field(n, "metadata"), "annotations"), "config.kubernetes.io/local-config") == "true"
}

// veilPackages gives what a function is shown in place of the paths of packages: their place in the innermost folder
// that holds them all. A function has no use for the rest, and what it says could carry it away.
func veilPackages(items []*shown) func(string) string {
	common := ""
	for _, s := range items {
		switch p := s.item.pack; {
		case !isPackage(p):
		case common == "":
			common = p
		default:
			for !inPackage(common, p) {
				common = path.Dir(common)
			}
		}
	}
	return func(p string) string {
		if !isPackage(p) {
			return "/"
		}
		return "/" + strings.TrimPrefix(strings.TrimPrefix(p, common), "/")
	}
}

func isPackage(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

// packageOf is the path of an object's package, "" where there is none.
func packageOf(n *yaml.Node) string {
	return scalarField(field(field(n, "metadata"), "annotations"), packageKey)
}

// withPackage is an object's mapping with another path of its package.
func withPackage(n *yaml.Node, p string) *yaml.Node {
	return editAnnotations(n, func(a *yaml.Node) { a.Content = withField(a.Content, packageKey, quotedNode(p)) })
}

// withoutPackage is an object's mapping without the path of a package.
func withoutPackage(n *yaml.Node) *yaml.Node {
	if packageOf(n) == "" {
		return n
	}
	return editAnnotations(n, func(a *yaml.Node) { a.Content = withField(a.Content, packageKey, nil) })
}
