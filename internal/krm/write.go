package krm

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
)

// WriteOptions says what Write may do beyond changing files.
type WriteOptions struct {
	// AllowDelete lets files go of which no resource is left.
	AllowDelete bool
}

// Write carries out a plan: all of it or, short of a crash in between, nothing. Every file is first written anew
// beside its place and then renamed into it. A file that was read keeps its mode; a new one has mode 0644. Nothing is
// written through a symbolic link or outside the directory, no file is written that was there and was not read, and
// none that changed since it was read. The error is a *WriteError where it names one of these reasons.
func (d *Directory) Write(plan []FileChange, options WriteOptions) error {
	for _, c := range plan {
		if err := d.check(c, options); err != nil {
			return err
		}
	}
	w := writer{root: d.root}
	err := w.stage(plan, d.files)
	if err == nil {
		err = w.commit()
	}
	if err != nil {
		return errors.Join(err, w.undo())
	}
	return nil
}

// check looks at the place of one change before anything is written.
func (d *Directory) check(c FileChange, options WriteOptions) error {
	refuse := func(code, message, hint string) error {
		return &WriteError{Code: code, Path: c.Path, Message: message, Hint: hint}
	}
	if c.After == nil && !options.AllowDelete {
		return refuse("write.delete", "no resource is left in it", "allow files to be deleted, or let the function keep a resource")
	}
	for dir := path.Dir(c.Path); dir != "."; dir = path.Dir(dir) {
		info, err := d.root.Lstat(dir)
		if err == nil && !info.IsDir() {
			return refuse("write.link", fmt.Sprintf("%q is not a folder", dir), "symbolic links are not followed")
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("writing %q: %w", c.Path, err)
		}
	}
	info, err := d.root.Lstat(c.Path)
	src := d.files[c.Path]
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if src != nil {
			return refuse("write.changed", "it is gone since it was read", "run again")
		}
		return nil
	case err != nil:
		return fmt.Errorf("writing %q: %w", c.Path, err)
	case src == nil:
		return refuse("write.exists", "it exists and was not read", "the function must choose another file")
	case !info.Mode().IsRegular() || !os.SameFile(info, src.info) || info.Size() != src.info.Size() || !info.ModTime().Equal(src.info.ModTime()):
		return refuse("write.changed", "it changed since it was read", "run again")
	}
	now, err := readRooted(d.root, c.Path, int64(len(src.data)))
	if err != nil || !bytes.Equal(now.data, src.data) {
		return refuse("write.changed", "it changed since it was read", "run again")
	}
	return nil
}

// writer carries out the steps of a plan and knows how to take them back.
type writer struct {
	root    *os.Root
	staged  []staged
	folders []string // made on the way
	done    int      // staged files that are in their place
}

type staged struct {
	change FileChange
	temp   string      // "" where the file goes
	mode   fs.FileMode // of the file before, or of a new one
}

// stage writes every file beside its place.
func (w *writer) stage(plan []FileChange, files map[string]*source) error {
	for _, c := range plan {
		s := staged{change: c, mode: 0o644}
		if src := files[c.Path]; src != nil {
			s.mode = src.info.Mode().Perm()
		}
		if c.After != nil {
			if err := w.folder(path.Dir(c.Path)); err != nil {
				return err
			}
			temp, err := w.temp(path.Dir(c.Path), c.After, s.mode)
			if err != nil {
				return fmt.Errorf("writing %q: %w", c.Path, err)
			}
			s.temp = temp
		}
		w.staged = append(w.staged, s)
	}
	return nil
}

// folder makes a folder and those above it, and notes which were missing.
func (w *writer) folder(dir string) error {
	if dir == "." {
		return nil
	}
	if err := w.folder(path.Dir(dir)); err != nil {
		return err
	}
	err := w.root.Mkdir(dir, 0o755)
	if err == nil {
		w.folders = append(w.folders, dir)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the folder %q: %w", dir, err)
	}
	return nil
}

// temp writes a file of a name that was free and returns the name.
func (w *writer) temp(dir string, data []byte, mode fs.FileMode) (string, error) {
	for i := range 1000 {
		name := path.Join(dir, ".krmsafe-"+strconv.Itoa(len(w.staged))+"-"+strconv.Itoa(i)+".tmp")
		f, err := w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = f.Write(data)
		err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
		if err != nil {
			return "", errors.Join(err, w.root.Remove(name))
		}
		return name, nil
	}
	return "", fmt.Errorf("no free name for a temporary file in %q", dir)
}

// commit puts every file in its place, and then removes those that go.
func (w *writer) commit() error {
	for _, s := range w.staged {
		var err error
		if s.temp == "" {
			err = w.root.Remove(s.change.Path)
		} else {
			err = w.root.Rename(s.temp, s.change.Path)
		}
		if err != nil {
			return fmt.Errorf("writing %q: %w", s.change.Path, err)
		}
		w.done++
	}
	return nil
}

// undo takes back what was done, the last step first.
func (w *writer) undo() error {
	var errs []error
	for i := len(w.staged) - 1; i >= 0; i-- {
		s := w.staged[i]
		switch {
		case i >= w.done:
			if s.temp != "" {
				errs = append(errs, w.root.Remove(s.temp))
			}
		case s.change.Before == nil:
			errs = append(errs, w.root.Remove(s.change.Path))
		default:
			temp, err := w.temp(path.Dir(s.change.Path), s.change.Before, s.mode)
			if err == nil {
				err = w.root.Rename(temp, s.change.Path)
			}
			errs = append(errs, err)
		}
	}
	for i := len(w.folders) - 1; i >= 0; i-- {
		errs = append(errs, w.root.Remove(w.folders[i]))
	}
	return errors.Join(errs...)
}

// Export writes the whole of a list to a directory that does not exist yet: the files of this directory as a plan
// would leave them, and nothing else that lies in it.
func (d *Directory) Export(to string, plan []FileChange) error {
	if err := os.Mkdir(to, 0o755); err != nil { //nolint:gosec // manifests are for others to read
		return fmt.Errorf("writing manifests: %w", err)
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return fmt.Errorf("writing manifests: %w", err)
	}
	defer root.Close() //nolint:errcheck // every file was closed and its error looked at
	all := make(map[string][]byte, len(d.files))
	for name, src := range d.files {
		all[name] = src.data
	}
	for _, c := range plan {
		if all[c.Path] = c.After; c.After == nil {
			delete(all, c.Path)
		}
	}
	changes := make([]FileChange, 0, len(all))
	for name, data := range all {
		changes = append(changes, FileChange{Path: name, After: data})
	}
	w := writer{root: root}
	if err := w.stage(changes, d.files); err != nil {
		return errors.Join(err, w.undo())
	}
	if err := w.commit(); err != nil {
		return errors.Join(err, w.undo())
	}
	return nil
}
