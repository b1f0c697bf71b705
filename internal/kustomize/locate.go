package kustomize

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/lazy"
	"github.com/krmsafe/krmsafe/internal/oci"
)

// locate turns what a configuration names on disk into an absolute path, with all symbolic links followed. It is relative
// to the kustomization that lists the function and stays in the workspace, or in the clone that the kustomization is in:
// whoever wrote it must not learn what other files there are, or begin with. The name is what rules and reports call it by.
func (b *build) locate(spec krm.FunctionSpec, dir string) (at krm.FunctionSpec, name string, err error) {
	if spec.File != "" {
		if filepath.Ext(spec.File) != ".wasm" {
			return spec, "", outside(spec.File, "its name does not end in .wasm")
		}
		at.File, err = b.within(dir, spec.File)
		return at, b.called(dir, spec.File), err
	}
	ref, err := oci.ParseRef(spec.Image)
	if err != nil || ref.Source != oci.SourceLayout {
		return spec, "", nil //nolint:nilerr // whoever fetches it parses it again and says what is wrong
	}
	called := b.called(dir, ref.Dir)
	if ref.Dir, err = b.within(dir, ref.Dir); err != nil {
		return at, "", err
	}
	at.Image = ref.String()
	ref.Dir = called
	return at, ref.String(), nil
}

// called is what a file of the tree is called, as the tree wrote its path: from the folder that the operator is in, where
// it lies below it, as the other verbs call it. One of a clone has the name of its repository and its path there, since
// the folder of the clone is another one in each build; one that looks like that and is none keeps its whole path.
func (b *build) called(dir, name string) string {
	at := filepath.Join(dir, filepath.FromSlash(name))
	if root, cloned := b.world.clone(dir); cloned {
		rel, err := filepath.Rel(root, at)
		if err != nil {
			rel = name
		}
		return Repository + origin(root) + "//" + filepath.ToSlash(rel)
	}
	here := b.options.Here
	if here == "" || !below(here, at) {
		return at
	}
	rel, err := filepath.Rel(here, at)
	if err != nil || strings.HasPrefix(rel, Repository) {
		return at
	}
	return rel
}

// Repository begins the name of a module that lies in a clone: its address and "//" and the path in it follow.
const Repository = "git::"

// fetched is what git notes of what it fetched: the commit, and of which address, which it writes without credentials and
// without .git at its end.
var fetched = lazy.Regexp(`^[0-9a-f]{40,64}\t[^\t\n]*\t(?:(?:[a-z-]+ )*'[^ \t\n]*' of )?([^ \t\n']+)\n`)

// origin is the address that a clone was fetched from. The tree cannot write where git notes it.
func origin(clone string) string {
	const unknown = "unknown"
	file, err := os.Open(filepath.Join(clone, ".git", "FETCH_HEAD")) // #nosec G304 -- git's own, in a folder of this build
	if err != nil {
		return unknown
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, 4096)) //nolint:forbidigo // bounded by the line itself
	if err != nil {
		return unknown
	}
	found := fetched().FindSubmatch(text)
	if found == nil {
		return unknown
	}
	return string(found[1])
}

func (b *build) within(dir, name string) (string, error) {
	if filepath.IsAbs(name) {
		return "", outside(name, "it is not relative")
	}
	root, cloned := b.world.clone(dir)
	if !cloned {
		root = b.options.Root
	}
	at := filepath.Join(dir, filepath.FromSlash(name))
	free := b.options.LoadRestrictionsNone && !cloned
	if !free {
		if root == "" {
			return "", outside(name, "there is no workspace")
		}
		// What lies outside is refused before it is looked at, so that the answer does not tell whether it is there.
		if !below(root, at) {
			return "", outside(name, fmt.Sprintf("it lies outside %q", b.workspace(root, cloned)))
		}
	}
	real, err := filepath.EvalSymlinks(at)
	if err != nil {
		return "", &RefusedError{Code: "build.module", Message: fmt.Sprintf("the module %q cannot be read: %v", short(name), err), Hint: "a file is relative to the kustomization that lists the function"}
	}
	if !free && !below(root, real) {
		return "", outside(name, fmt.Sprintf("a symbolic link leads out of %q", b.workspace(root, cloned)))
	}
	return real, nil
}

func (b *build) workspace(root string, cloned bool) string {
	if cloned {
		return "the repository"
	}
	return root
}

func outside(name, why string) error {
	return &RefusedError{
		Code: "build.workspace", Message: fmt.Sprintf("it names %q as its module: %s", short(name), why),
		Hint: "a tree may name .wasm files and layouts of its own workspace, the nearest folder with .git; --root names another one",
	}
}
