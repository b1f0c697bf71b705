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
	// AllowDelete lets resources leave the directory, and files go of which no resource is left.
	AllowDelete bool
}

// Check says whether Write would refuse a plan, without writing anything.
func (d *Directory) Check(plan []FileChange, options WriteOptions) error {
	for _, c := range plan {
		if err := d.check(c, options); err != nil {
			return err
		}
	}
	return nil
}

// Write carries out a plan: all of it or, short of a crash in between, nothing. Every file is first written anew
// beside its place and then renamed into it; the one before stays under another name until the last is in its place,
// so that taking all of it back needs no room on a full disk. A file that was read keeps its mode and owner; a new one
// has mode 0644. Nothing is written through a symbolic link or outside the directory, no file is written that was there
// and was not read, and none that changed since it was read. The error is a *WriteError where it names one of these
// reasons.
func (d *Directory) Write(plan []FileChange, options WriteOptions) error {
	if err := d.Check(plan, options); err != nil {
		return err
	}
	w := writer{root: d.root, fault: d.fault}
	if err := w.write(plan, d.files); err != nil {
		return err
	}
	w.forget()
	return nil
}

// check looks at the place of one change before anything is written.
func (d *Directory) check(c FileChange, options WriteOptions) error {
	refuse := func(code, message, hint string) error {
		return &WriteError{Code: code, Path: c.Path, Message: message, Hint: hint}
	}
	if len(c.Gone) > 0 && !options.AllowDelete {
		what := fmt.Sprintf("%q goes from it", short(c.Gone[0].String()))
		if n := len(c.Gone) - 1; n > 0 {
			what = fmt.Sprintf("%q and %d more go from it", short(c.Gone[0].String()), n)
		}
		return refuse("write.delete", what, "--allow-delete lets functions delete resources from files, and files of which nothing is left")
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
	fault   func(step, name string) error // tests let a step fail; nil elsewhere
	staged  []staged
	folders []string // made on the way
	done    int      // staged files that are in their place
}

type staged struct {
	path   string
	temp   string // what goes to path, "" where the file goes
	backup string // what was at path before, "" where there was nothing
}

// step is called before each change to the directory.
func (w *writer) step(step, name string) error {
	if w.fault == nil {
		return nil
	}
	return w.fault(step, name)
}

// write stages and commits a plan, and takes it back where either fails.
func (w *writer) write(plan []FileChange, files map[string]*source) error {
	err := w.stage(plan, files)
	if err == nil {
		err = w.commit()
	}
	if err != nil {
		return errors.Join(err, w.undo())
	}
	return nil
}

// stage writes every file beside its place, and gives what is in its place a second name.
func (w *writer) stage(plan []FileChange, files map[string]*source) error {
	for _, c := range plan {
		// It is noted before it is made, so that what was made of it is taken back.
		w.staged = append(w.staged, staged{path: c.Path})
		s := &w.staged[len(w.staged)-1]
		var before fs.FileInfo
		if src := files[c.Path]; src != nil {
			before = src.info
		}
		err := w.folder(path.Dir(c.Path))
		if err == nil && c.After != nil {
			s.temp, err = w.temp(path.Dir(c.Path), "new", c.After, before)
		}
		if err == nil && c.Before != nil {
			s.backup, err = w.keep(c, before)
		}
		if e, ok := errors.AsType[*WriteError](err); ok {
			e.Path = c.Path
			return e
		}
		if err != nil {
			return fmt.Errorf("writing %q: %w", c.Path, err)
		}
	}
	return nil
}

// keep gives a file a second name: a hard link, or a copy on file systems that have none.
func (w *writer) keep(c FileChange, before fs.FileInfo) (string, error) {
	dir := path.Dir(c.Path)
	if err := w.step("link", c.Path); err == nil {
		for i := range 1000 {
			name := w.name(dir, "old", i)
			err := w.root.Link(c.Path, name)
			if err == nil {
				return name, w.same(name, before)
			}
			if !errors.Is(err, fs.ErrExist) {
				break
			}
		}
	}
	return w.temp(dir, "old", c.Before, before)
}

// folder makes a folder and those above it, and notes which were missing.
func (w *writer) folder(dir string) error {
	if dir == "." {
		return nil
	}
	if err := w.folder(path.Dir(dir)); err != nil {
		return err
	}
	err := w.step("mkdir", dir)
	if err == nil {
		err = w.root.Mkdir(dir, 0o755)
	}
	if err == nil {
		w.folders = append(w.folders, dir)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the folder %q: %w", dir, err)
	}
	return nil
}

// same demands that a file is the one that was read.
func (w *writer) same(name string, before fs.FileInfo) error {
	info, err := w.root.Lstat(name)
	if err != nil {
		return err
	}
	if !os.SameFile(info, before) || info.Size() != before.Size() || !info.ModTime().Equal(before.ModTime()) {
		return &WriteError{Code: "write.changed", Path: name, Message: "it changed since it was read", Hint: "run again"}
	}
	return nil
}

func (w *writer) name(dir, what string, try int) string {
	return path.Join(dir, ".krmsafe-"+strconv.Itoa(len(w.staged))+"-"+strconv.Itoa(try)+"."+what)
}

// temp writes a file of a name that was free and returns the name. It gets the mode and owner of the file before.
func (w *writer) temp(dir, what string, data []byte, before fs.FileInfo) (string, error) {
	for i := range 1000 {
		name := w.name(dir, what, i)
		if err := w.step("create", name); err != nil {
			return "", err
		}
		f, err := w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if err = w.step("write", name); err == nil {
			_, err = f.Write(data)
		}
		mode := fs.FileMode(0o644)
		if before != nil {
			mode = before.Mode().Perm()
			err = errors.Join(err, likeOwner(f, before))
		}
		err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
		if err != nil {
			return "", errors.Join(err, w.root.Remove(name))
		}
		return name, nil
	}
	return "", fmt.Errorf("no free name for a temporary file in %q", dir)
}

// commit puts every file in its place, or removes it where it goes.
func (w *writer) commit() error {
	for _, s := range w.staged {
		err := w.step("rename", s.path)
		switch {
		case err != nil:
		case s.temp == "":
			err = w.root.Remove(s.path)
		case s.backup == "":
			// What came to this place since it was looked at is not overwritten.
			err = w.root.Link(s.temp, s.path)
			if errors.Is(err, fs.ErrExist) {
				return &WriteError{Code: "write.exists", Path: s.path, Message: "it exists and was not read", Hint: "run again"}
			}
			if err != nil {
				err = w.root.Rename(s.temp, s.path)
			}
		default:
			err = w.root.Rename(s.temp, s.path)
		}
		if err != nil {
			return fmt.Errorf("writing %q: %w", s.path, err)
		}
		w.done++
	}
	return nil
}

// undo takes back what was done, the last step first. What it cannot take back it names.
func (w *writer) undo() error {
	var errs []error
	for i := len(w.staged) - 1; i >= 0; i-- {
		s := w.staged[i]
		if i < w.done {
			switch {
			case s.backup == "":
				errs = append(errs, w.root.Remove(s.path))
			case w.step("undo", s.path) != nil:
				errs = append(errs, fmt.Errorf("%q could not be put back; it is kept as %q", s.path, s.backup))
				continue
			default:
				if err := w.root.Rename(s.backup, s.path); err != nil {
					errs = append(errs, fmt.Errorf("%q could not be put back; it is kept as %q: %w", s.path, s.backup, err))
					continue
				}
			}
		}
		// Renaming one name of a file to another name of the same does nothing, so both are taken away where they are left.
		for _, name := range []string{s.temp, s.backup} {
			if err := w.remove(name); err != nil {
				errs = append(errs, err)
			}
		}
	}
	for i := len(w.folders) - 1; i >= 0; i-- {
		errs = append(errs, w.root.Remove(w.folders[i]))
	}
	return errors.Join(errs...)
}

// forget removes the second names. Everything is in its place by then: a name that stays is no failure.
func (w *writer) forget() {
	for _, s := range w.staged {
		_ = w.remove(s.temp)
		_ = w.remove(s.backup)
	}
}

// remove takes away a file that may be gone already.
func (w *writer) remove(name string) error {
	if name == "" {
		return nil
	}
	if err := w.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Export writes the whole of a list to a directory that does not exist yet: the files of this directory as a plan
// would leave them, and nothing else that lies in it.
func (d *Directory) Export(to string, plan []FileChange) error {
	all := make(map[string][]byte, len(d.files))
	for name, src := range d.files {
		all[name] = src.data
	}
	for _, c := range plan {
		if all[c.Path] = c.After; c.After == nil {
			delete(all, c.Path)
		}
	}
	return exportFiles(to, all, d.files, d.fault)
}

// ExportList writes a list that came from no directory to one that does not exist yet: each resource to the file that
// its annotations ask for, or else to one named after its kind and name. The error is a *WriteError where they ask for
// a file that no function might write.
func ExportList(to string, rl *ResourceList) error {
	p := planner{d: &Directory{List: rl}, made: map[string][]*Item{}}
	for _, it := range rl.Items {
		c := *it
		if c.placed && !c.made {
			n, err := c.tree()
			if err != nil {
				return err
			}
			if c.Path, c.Index, err = guardPath(n); err != nil {
				return &WriteError{Code: "write.path", Path: short(c.String()), Message: err.Error()}
			}
		}
		name, err := p.place(&c)
		if err != nil {
			return err
		}
		p.made[name] = append(p.made[name], &c)
	}
	all := make(map[string][]byte, len(p.made))
	for name, items := range p.made {
		text, err := appendDocuments(nil, items)
		if err != nil {
			return err
		}
		all[name] = text
	}
	return exportFiles(to, all, nil, nil)
}

// exportFiles writes files into a new directory.
func exportFiles(to string, all map[string][]byte, like map[string]*source, fault func(step, name string) error) error {
	if err := os.Mkdir(to, 0o755); err != nil { //nolint:gosec // manifests are for others to read
		return fmt.Errorf("writing manifests: %w", err)
	}
	root, err := os.OpenRoot(to)
	if err != nil {
		return fmt.Errorf("writing manifests: %w", err)
	}
	defer root.Close() //nolint:errcheck // every file was closed and its error looked at
	changes := make([]FileChange, 0, len(all))
	for name, data := range all {
		changes = append(changes, FileChange{Path: name, After: data})
	}
	w := writer{root: root, fault: fault}
	if err := w.write(changes, like); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	w.forget()
	return nil
}
