package kustomize

import (
	"fmt"
	"path/filepath"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/oci"
)

// locate turns what a configuration names on disk into an absolute path, with all symbolic links followed. It is relative
// to the kustomization that lists the function and stays in the workspace, or in the clone that the kustomization is in:
// whoever wrote it must not learn what other files there are, or begin with.
func (b *build) locate(spec krm.FunctionSpec, dir string) (krm.FunctionSpec, error) {
	if spec.File != "" {
		if filepath.Ext(spec.File) != ".wasm" {
			return spec, outside(spec.File, "its name does not end in .wasm")
		}
		at, err := b.within(dir, spec.File)
		return krm.FunctionSpec{File: at}, err
	}
	ref, err := oci.ParseRef(spec.Image)
	if err != nil || ref.Source != oci.SourceLayout {
		return spec, nil //nolint:nilerr // whoever fetches it parses it again and says what is wrong
	}
	ref.Dir, err = b.within(dir, ref.Dir)
	return krm.FunctionSpec{Image: ref.String()}, err
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
