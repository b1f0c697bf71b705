package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Bounds on what is read as a policy. Policies are written by people; nothing
// near these numbers is one.
const (
	maxSourceBytes = 1 * mib  // one file of Rego or data
	maxSources     = 1000     // files in one policy
	maxPolicyBytes = 16 * mib // all files together
)

// Source is one file of Rego. Name is what positions in messages show; the
// engine gives it no meaning.
type Source struct {
	Name string `json:"name"`
	Text []byte `json:"text"`
}

// SourcesFS reads the Rego files under root in fsys, tests left out. It is
// how the policies that krmsafe ships are loaded.
func SourcesFS(fsys fs.FS, root string) ([]Source, error) {
	return collect(fsys, root, func(name string) bool { return !isTest(name) }, func(name string) string { return name })
}

// SourcesPath reads one .rego file, or every .rego file in a folder and below
// it, tests and dot-folders left out. A folder without Rego is an error: a
// gate must not pass because its policy was mounted elsewhere.
func SourcesPath(name string) ([]Source, error) {
	return sourcesPath(name, func(file string) bool { return !isTest(file) })
}

func sourcesPath(name string, want func(string) bool) ([]Source, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("reading policy: %w", err)
	}
	if !info.IsDir() {
		dir, base := filepath.Split(filepath.Clean(name))
		if dir == "" {
			dir = "."
		}
		text, err := readBounded(os.DirFS(dir), base, name)
		if err != nil {
			return nil, err
		}
		return []Source{{Name: name, Text: text}}, nil
	}
	sources, err := collect(os.DirFS(name), ".", want, func(rel string) string {
		return filepath.Join(name, filepath.FromSlash(rel))
	})
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		return nil, emptyError(name)
	}
	return sources, nil
}

func emptyError(name string) error {
	return &LoadError{
		Code: "policy.empty", Message: fmt.Sprintf("policy %q holds no Rego rule", name),
		Hint: "name a .rego file, or a folder that holds one besides its _test.rego files",
	}
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

// collect walks without following folders that are links, but reads files
// that are: a mounted ConfigMap is made of them.
func collect(fsys fs.FS, root string, want func(string) bool, display func(string) string) ([]Source, error) {
	var sources []Source
	total := 0
	err := fs.WalkDir(fsys, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading policy: %w", err)
		}
		if entry.IsDir() {
			if name != root && strings.HasPrefix(entry.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".rego" || !want(name) {
			return nil
		}
		text, err := readBounded(fsys, name, display(name))
		if err != nil {
			return err
		}
		total += len(text)
		if len(sources) == maxSources || total > maxPolicyBytes {
			return tooLarge(display(root), fmt.Sprintf("%d files or %d bytes in all", maxSources, maxPolicyBytes))
		}
		sources = append(sources, Source{Name: display(name), Text: text})
		return nil
	})
	return sources, err
}

func readBounded(fsys fs.FS, name, display string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("reading policy: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading policy %q: not a regular file", display)
	}
	file, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading policy: %w", err)
	}
	text, err := readLimited(file, maxSourceBytes)
	if err := errors.Join(err, file.Close()); err != nil {
		if errors.Is(err, errTooLarge) {
			return nil, tooLarge(display, fmt.Sprintf("%d bytes in one file", maxSourceBytes))
		}
		return nil, fmt.Errorf("reading policy %q: %w", display, err)
	}
	return text, nil
}

var errTooLarge = errors.New("larger than its limit")

// readLimited reads r to its end, or fails with errTooLarge after limit bytes.
func readLimited(r io.Reader, limit int64) ([]byte, error) {
	var b strings.Builder
	n, err := io.Copy(&b, io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, errTooLarge
	}
	return []byte(b.String()), nil
}

func tooLarge(name, limit string) error {
	return &LoadError{
		Code: "policy.too_large", Message: fmt.Sprintf("policy %q exceeds the limit of %s", name, limit),
		Hint: "split the policy, or give data with --data",
	}
}
