package krm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// OpenFiles opens a directory whose files are edited as text. It reads the regular files under it that wanted picks by
// their slash-separated paths, all of them together within limits.Bytes, and parses none. It does not enter folders whose
// names begin with a dot and follows no symbolic link: one to something outside the directory, or to a file or folder
// that is not read in its own place, is named in List.Skipped as unread. Write carries out changes of the files that were
// read, and only of those. The error is a *SyntaxError where a limit is passed.
func OpenFiles(name string, limits Limits, wanted func(path string) bool) (*Directory, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("reading files: %w", err)
	}
	d := &Directory{List: &ResourceList{Plain: true}, root: root, files: map[string]*source{}, left: limits.Bytes}
	if err := d.readFiles(limits, wanted); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return d, nil
}

func (d *Directory) readFiles(limits Limits, wanted func(string) bool) error {
	var links []string
	var seen []fs.FileInfo // files that were read and folders that were entered
	entries := 0
	err := fs.WalkDir(d.root.FS(), ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading files: %w", err)
		}
		if entries++; entries > limits.Files || strings.Count(p, "/") > limits.Depth {
			return &SyntaxError{
				Code: "input.limit.files", Name: p, Message: fmt.Sprintf("more than %d files and folders, or folders deeper than %d", limits.Files, limits.Depth),
				Hint: "name a smaller directory",
			}
		}
		switch hidden := strings.HasPrefix(e.Name(), ".") && p != "."; {
		case hidden && e.IsDir():
			return fs.SkipDir
		case e.IsDir():
			info, err := e.Info()
			seen = append(seen, info)
			return err
		case hidden:
		case e.Type()&fs.ModeSymlink != 0:
			links = append(links, p)
		case !wanted(p):
		case !e.Type().IsRegular():
			d.List.Skipped = append(d.List.Skipped, Skipped{Path: p, Reason: "not a regular file", Unread: true})
		default:
			err := d.Add(p)
			if err == nil {
				seen = append(seen, d.files[p].info)
			}
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range links {
		info, err := os.Stat(filepath.Join(d.root.Name(), filepath.FromSlash(p))) // what it leads to is looked at, not into
		read := err == nil && slices.ContainsFunc(seen, func(s fs.FileInfo) bool { return os.SameFile(s, info) })
		if !read && (wanted(p) || err == nil && info.IsDir()) {
			d.List.Skipped = append(d.List.Skipped, Skipped{Path: p, Reason: "a symbolic link", Unread: true})
		}
	}
	return nil
}

// Add reads one more file under a directory that OpenFiles opened. It must be a regular file; path is slash-separated and
// leads through no symbolic link.
func (d *Directory) Add(name string) error {
	if d.files[name] != nil {
		return nil
	}
	if !fs.ValidPath(name) {
		return fmt.Errorf("reading files: %q is not a path under the directory", name)
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if info, err := d.root.Lstat(dir); err != nil || !info.IsDir() {
			return fmt.Errorf("reading files: %q does not lie in a folder: %w", name, errors.Join(err, fs.ErrInvalid))
		}
	}
	src, err := readRooted(d.root, name, d.left)
	if err != nil {
		return err
	}
	d.left -= int64(len(src.data))
	d.files[name] = src
	return nil
}

// Files are the paths of the files that were read, sorted.
func (d *Directory) Files() []string {
	names := make([]string, 0, len(d.files))
	for name := range d.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// File is the content of a file that was read, nil where it was not. It must not be changed.
func (d *Directory) File(name string) []byte {
	if src := d.files[name]; src != nil {
		return src.data
	}
	return nil
}
