package kustomize

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// A guard is the FileSystem that kustomize reads through. Whatever kustomize is about to take for a kustomization the
// guard has looked into before, and what it looked into is what kustomize gets: such a file is read once.
type guard struct {
	filesys.FileSystem // the real one; everything that writes is overridden below

	build    *build
	factory  *resmap.Factory
	register func(key string, p resmap.Configurable)

	pinned map[string][]byte   // by path: the content that was looked into
	linked map[string][]string // real path of a kustomization file → the folders in which kustomize found it
	lists  map[string]*listing // by folder
	probes struct {            // how far kustomize is in looking for a kustomization file, see probed
		dir string
		n   int
	}
}

// A listing is the functions that the kustomization of a folder lists, in the order in which kustomize configures them.
type listing struct {
	functions []Function
	next      int  // the one that is to be configured next
	loaded    bool // kustomize has taken the file for a kustomization and not yet configured any of its functions
}

func newGuard(b *build, files filesys.FileSystem) *guard {
	return &guard{
		FileSystem: files, build: b, factory: resmap.NewFactory(provider.NewDefaultDepProvider().GetResourceFactory()),
		register: func(string, resmap.Configurable) {},
		pinned:   map[string][]byte{}, linked: map[string][]string{}, lists: map[string]*listing{},
	}
}

// ReadFile implements filesys.FileSystem.
func (g *guard) ReadFile(path string) ([]byte, error) {
	if err := g.going(); err != nil {
		return nil, err
	}
	dirs := g.linked[path]
	if dir, name := filepath.Split(path); isKustomization(name) {
		dirs = append(slices.Clone(dirs), filepath.Clean(dir))
	}
	if len(dirs) == 0 {
		return g.read(path)
	}
	data, err := g.pin(path)
	for _, dir := range dirs {
		if err == nil {
			err = g.vet(dir, data)
		}
		g.probed(dir, filepath.Base(path))
	}
	if err != nil {
		return nil, err
	}
	return data, g.going()
}

// CleanedAbs implements filesys.FileSystem. kustomize asks it where a link leads, and reads from there.
func (g *guard) CleanedAbs(path string) (filesys.ConfirmedDir, string, error) {
	if err := g.going(); err != nil {
		return "", "", err
	}
	at, file, err := g.FileSystem.CleanedAbs(path)
	dir, name := filepath.Split(path)
	if !isKustomization(name) {
		return at, file, err
	}
	dir = filepath.Clean(dir)
	if err == nil && file != "" {
		if real := at.Join(file); !slices.Contains(g.linked[real], dir) {
			g.linked[real] = append(g.linked[real], dir)
		}
	}
	g.probed(dir, name)
	return at, file, err
}

// going is the reason to go no further, if there is one.
func (g *guard) going() error {
	if g.build.failed != nil {
		return g.build.failed
	}
	return g.build.ctx.Err()
}

func isKustomization(name string) bool {
	return slices.Contains(konfig.RecognizedKustomizationFileNames(), name)
}

// probed follows kustomize in looking for the file of a kustomization: it asks for each of the three names in turn, and
// after the third it takes what it found. Nobody else asks so; a file that some generator reads is asked for alone.
func (g *guard) probed(dir, name string) {
	names := konfig.RecognizedKustomizationFileNames()
	p := &g.probes
	switch {
	case name == names[0]:
		p.dir, p.n = dir, 1
	case p.dir == dir && p.n < len(names) && name == names[p.n]:
		p.n++
		if p.n == len(names) {
			g.begins(dir)
		}
	}
}

// begins is called when kustomize starts on a kustomization, which it may do several times in a build.
func (g *guard) begins(dir string) {
	l := g.listing(dir)
	if err := l.complete(); err != nil {
		_ = g.build.fail(err)
	}
	l.loaded, l.next = true, 0
}

func (g *guard) listing(dir string) *listing {
	l := g.lists[dir]
	if l == nil {
		l = &listing{}
		g.lists[dir] = l
	}
	return l
}

// complete says which function was not configured although its kustomization was built.
func (l *listing) complete() error {
	if !l.loaded || l.next == len(l.functions) {
		return nil
	}
	f := l.functions[l.next]
	return &RefusedError{
		Code: "build.skipped", Kustomization: f.Kustomization, Entry: f.Entry,
		Message: fmt.Sprintf("kustomize passed over the function %q", f.Config.String()),
		Hint:    "something in the tree takes the configuration away or makes another of it; list it on its own",
	}
}

// finish is called when kustomize has built everything: no function may be left over.
func (g *guard) finish() error {
	for _, l := range g.lists {
		if err := l.complete(); err != nil {
			return err
		}
	}
	return nil
}

// take is the function that a kustomization must configure now.
func (g *guard) take(dir string) (Function, bool) {
	l := g.lists[dir]
	if l == nil || !l.loaded || l.next >= len(l.functions) {
		return Function{}, false
	}
	l.next++
	return l.functions[l.next-1], true
}

// pin reads a file once: whoever reads it again gets the same bytes.
func (g *guard) pin(path string) ([]byte, error) {
	if data, ok := g.pinned[path]; ok {
		return data, nil
	}
	real := path
	if at, file, err := g.FileSystem.CleanedAbs(path); err == nil && file != "" {
		real = at.Join(file)
	}
	data, ok := g.pinned[real]
	if !ok {
		var err error
		if data, err = g.FileSystem.ReadFile(real); err != nil {
			return nil, err
		}
	}
	g.pinned[path], g.pinned[real] = data, data
	return data, nil
}

func (g *guard) read(path string) ([]byte, error) {
	if data, ok := g.pinned[path]; ok {
		return data, nil
	}
	return g.FileSystem.ReadFile(path)
}

// RemoveAll implements filesys.FileSystem. kustomize removes its clones with it.
func (g *guard) RemoveAll(path string) error {
	if _, in := g.build.world.clone(path); in {
		return g.FileSystem.RemoveAll(path)
	}
	return readOnly(path)
}

func readOnly(path string) error { return fmt.Errorf("a build writes nothing, and not %q", path) }

// Create implements filesys.FileSystem, and refuses, as the next three do: building reads.
func (g *guard) Create(path string) (filesys.File, error) { return nil, readOnly(path) }

// Mkdir implements filesys.FileSystem.
func (g *guard) Mkdir(path string) error { return readOnly(path) }

// MkdirAll implements filesys.FileSystem.
func (g *guard) MkdirAll(path string) error { return readOnly(path) }

// WriteFile implements filesys.FileSystem.
func (g *guard) WriteFile(path string, _ []byte) error { return readOnly(path) }

// maxFileBytes bounds one file of a tree.
const maxFileBytes = 256 << 20

// disk is kustomize's own FileSystem, with a bound on what it reads.
type disk struct{ filesys.FileSystem }

// ReadFile implements filesys.FileSystem.
func (disk) ReadFile(path string) ([]byte, error) {
	// Looked at before it is opened: opening a pipe waits for somebody to write.
	if info, err := os.Stat(path); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a regular file", path)
	}
	f, err := os.Open(path) // #nosec G304 -- kustomize's own rules say which files a tree may read
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1)) //nolint:forbidigo // bounded by the line itself
	if err == nil && len(data) > maxFileBytes {
		err = fmt.Errorf("%q is larger than %d MiB", path, maxFileBytes>>20)
	}
	return data, err
}
