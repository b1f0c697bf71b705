package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/krmsafe/krmsafe/internal/kustomize"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// confine holds what a functionConfig may name on disk to the workspace: whoever
// wrote it must not learn what other files there are, or begin with.
func confine(req *pipeline.Request, base string) error {
	if req.File != "" {
		if filepath.Ext(req.File) != ".wasm" {
			return notInWorkspace(req.File, "its name does not end in .wasm")
		}
		path, err := inWorkspace(base, req.File)
		req.File = path
		return err
	}
	ref, err := oci.ParseRef(req.Image)
	if err != nil || ref.Source != oci.SourceLayout {
		return nil //nolint:nilerr // the pipeline parses it again and says what is wrong
	}
	_, err = inWorkspace(".", ref.Dir)
	return err
}

// inWorkspace gives the path of a file that is named relative to base, if it lies
// in the workspace with all symbolic links followed.
func inWorkspace(base, name string) (string, error) {
	if filepath.IsAbs(name) {
		return "", notInWorkspace(name, "it is not relative")
	}
	path := filepath.Join(base, name)
	if strings.HasPrefix(path, kustomize.Repository) {
		return "", notInWorkspace(name, "so modules of repositories are called")
	}
	root, err := workspace(base)
	if err != nil {
		return "", err
	}
	// What lies outside is refused before it is looked at, so that the answer does
	// not tell whether it is there.
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if !below(root, abs) {
		return "", notInWorkspace(name, "it lies outside "+root)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("reading the module: %w", err)
	}
	if real, err = filepath.Abs(real); err != nil {
		return "", err
	}
	realRoot, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", err
	}
	if !below(realRoot, real) {
		return "", notInWorkspace(name, "a symbolic link leads out of "+root)
	}
	return path, nil
}

// insideWorkspace says whether a folder lies in the workspace of the current one
// with all symbolic links followed, and is there. Of what lies outside it
// does not tell whether it is there.
func insideWorkspace(dir string) (bool, error) {
	root, err := workspace(".")
	if err != nil {
		return false, err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return false, err
	}
	real, err := filepath.EvalSymlinks(dir)
	return err == nil && below(root, real), nil
}

// workspace is the nearest folder at or above base that is a git work tree; without
// one the current folder, if base lies in it, and base itself otherwise.
func workspace(base string) (string, error) {
	abs, err := filepath.Abs(base)
	if err != nil {
		return "", err
	}
	for dir := abs; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if cwd, err := os.Getwd(); err == nil && below(cwd, abs) {
		return cwd, nil
	}
	return abs, nil
}

func below(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func notInWorkspace(name, why string) error {
	return &pipeline.UsageError{
		Message: fmt.Sprintf("the functionConfig names %q as its module: %s", name, why),
		Hint:    "a functionConfig may name .wasm files and layouts of its own workspace; the operator names others with --file or --image",
	}
}
