package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// writeFile writes the whole result to a file, or none of it.
func writeFile(name string, data []byte) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() { // a pipe or a device
		return unwritten(name, os.WriteFile(name, data, 0o600))
	}
	temp, err := os.CreateTemp(filepath.Dir(name), ".krmsafe-*")
	if err == nil {
		_, err = temp.Write(data)
		err = errors.Join(err, temp.Chmod(0o644), temp.Close()) // #nosec G302 -- as kustomize leaves it
		if err == nil {
			err = os.Rename(temp.Name(), name)
		}
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}
	return unwritten(name, err)
}

// unwritten says which file could not be written, by the name that the operator
// gave it: the one of the file beside it tells nobody anything.
func unwritten(name string, err error) error {
	if err == nil {
		return nil
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	} else if link, ok := errors.AsType[*os.LinkError](err); ok {
		err = link.Err
	}
	return fmt.Errorf("writing %q: %w", name, err)
}

// writeFolder writes files into a folder and through no link that lies in it: all of
// them, or none. Each is written aside first, and what stands in its place is kept
// until the last one has its name.
func writeFolder(dir string, files map[string][]byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return unwritten(dir, err)
	}
	defer func() { _ = root.Close() }()
	w := &folderWriter{root: root, dir: dir}
	if err := w.write(files); err != nil {
		w.undo()
		return err
	}
	w.tidy()
	return nil
}

// A folderWriter replaces files of one folder together.
type folderWriter struct {
	root  *os.Root
	dir   string
	files []replacing
}

// A replacing is one file on its way. Aside is what is to have its name, and kept
// what had it; placed says that it has it now.
type replacing struct {
	name, aside, kept string
	placed            bool
}

func (w *folderWriter) write(files map[string][]byte) error {
	names := slices.Sorted(maps.Keys(files))
	there := map[string]bool{}
	for _, name := range names {
		info, err := w.root.Lstat(name)
		switch {
		case err == nil && !info.Mode().IsRegular():
			return &inTheWayError{folder: w.dir, name: name}
		case err == nil:
			there[name] = true
		case !errors.Is(err, fs.ErrNotExist):
			return unwritten(filepath.Join(w.dir, name), err)
		}
	}
	for _, name := range names {
		f := replacing{name: name, aside: ".krmsafe-" + rand.Text()}
		w.files = append(w.files, f)
		if err := w.root.WriteFile(f.aside, files[name], 0o644); err != nil { // #nosec G306 -- as kustomize leaves it
			return unwritten(filepath.Join(w.dir, name), err)
		}
	}
	for i := range w.files {
		if err := w.place(&w.files[i], there[w.files[i].name]); err != nil {
			return unwritten(filepath.Join(w.dir, w.files[i].name), err)
		}
	}
	return nil
}

// place gives a file its name.
func (w *folderWriter) place(f *replacing, there bool) error {
	if there {
		kept := ".krmsafe-" + rand.Text()
		if err := w.root.Rename(f.name, kept); err != nil {
			return err
		}
		f.kept = kept
	}
	err := w.root.Rename(f.aside, f.name)
	f.placed = err == nil
	return err
}

// undo leaves the folder as it was, as far as the system lets it.
func (w *folderWriter) undo() {
	for _, f := range slices.Backward(w.files) {
		if f.placed {
			_ = w.root.Remove(f.name)
		} else {
			_ = w.root.Remove(f.aside)
		}
		if f.kept != "" {
			_ = w.root.Rename(f.kept, f.name)
		}
	}
}

// tidy removes what was kept.
func (w *folderWriter) tidy() {
	for _, f := range w.files {
		if f.kept != "" {
			_ = w.root.Remove(f.kept)
		}
	}
}

// An inTheWayError says that something that is no file has the name of one.
type inTheWayError struct{ folder, name string }

// Error implements error.
func (e *inTheWayError) Error() string {
	return fmt.Sprintf("writing to %q: %q is there and is not a regular file", e.folder, e.name)
}
