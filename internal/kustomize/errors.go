package kustomize

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// A RefusedError says what in a tree ends the build although kustomize could go on.
type RefusedError struct {
	// Code is stable: "build." and a word.
	Code string
	// Kustomization is the folder of the kustomization at fault, Entry where in it; either may be empty.
	Kustomization string
	Entry         string
	// Message is lower case; foreign text in it is quoted. Hint is the remedy.
	Message string
	Hint    string
	// Output says that the function ran, and that what it returned is refused.
	Output bool
}

// Error implements error.
func (e *RefusedError) Error() string {
	var where []string
	if e.Kustomization != "" {
		where = append(where, fmt.Sprintf("the kustomization in %q", e.Kustomization))
	}
	if e.Entry != "" {
		where = append(where, e.Entry)
	}
	return strings.Join(append(where, e.Message), ": ")
}

// A BuildError says why kustomize could not build, in its own words.
type BuildError struct {
	Target  string
	Message string
	Hint    string
}

// Error implements error.
func (e *BuildError) Error() string { return fmt.Sprintf("building %q: %s", e.Target, e.Message) }

// explain is a failure of kustomize's own, with what is known here of its cause.
func (b *build) explain(target string, err error) error {
	if refused := b.world.refused; len(refused) > 0 {
		return &RefusedError{
			Code: "build.remote", Message: fmt.Sprintf("the build reads %q over HTTP, and as a git repository it could not be fetched", refused[0]),
			Hint: "commit the file, or read it with --allow-remote; a repository is named as https://HOST/ORG/REPO//FOLDER?ref=VERSION",
		}
	}
	if _, missing := os.Stat(target); !remote(target) && errors.Is(missing, fs.ErrNotExist) {
		return &BuildError{
			Target: target, Message: "there is no such folder",
			Hint: "name a folder with a kustomization.yaml, relative to the current one, or a repository as https://HOST/ORG/REPO//FOLDER?ref=VERSION",
		}
	}
	return &BuildError{Target: target, Message: err.Error()}
}
