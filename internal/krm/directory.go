package krm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// ReadPath reads manifests from a file or from a directory. A file is read as ReadStream reads it. Of a directory,
// every file under it whose name ends in .yaml or .yml is read, in the order of their paths, and each resource is
// given the path it came from and its position in that file. It does not follow symbolic links under the directory
// and does not enter folders, or read files, whose names begin with a dot. A kustomization and a Kptfile steer tools
// and are not resources: they are named in Steering, and in Skipped the documents that are not Kubernetes
// objects and the manifests that are no regular files.
//
// The error is a *SyntaxError where a file's content is at fault, and names the file.
func ReadPath(name string, limits Limits) (*ResourceList, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	if info.IsDir() {
		return readDirectory(name, limits)
	}
	f, err := os.Open(name) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	data, err := readFile(f, name, info, limits.Bytes)
	if err != nil {
		return nil, err
	}
	rl, err := readStream(data, &gate{limits: limits, expand: true})
	if err != nil {
		return nil, asInput(name, err)
	}
	return rl, nil
}

func readDirectory(name string, limits Limits) (*ResourceList, error) {
	d, err := OpenDirectory(name, limits, Skip{})
	if err != nil {
		return nil, err
	}
	return d.List, d.Close()
}

// Directory is a directory of manifests that was read and may be written again in place. It is not safe for
// concurrent use and must be closed.
type Directory struct {
	List  *ResourceList
	root  *os.Root
	files map[string]*source
	left  int64                         // bytes that OpenFiles may still read
	fault func(step, name string) error // see writer
}

// source is a file as it was read.
type source struct {
	data []byte // all of it, with its byte order mark
	body []byte // without
	docs []document
	info fs.FileInfo
}

// Skip says what of a directory is left out although it could be read. The zero Skip reads everything. What is left
// out is neither shown to anybody nor written to.
type Skip struct {
	Ignored  bool     // what the .krmignore files of the tree name, as gitignore(5) has it
	Packages bool     // folders below the directory that have a Kptfile of their own
	Files    []string // these, slash-separated
}

// LeftOut names a file or folder that was left out, as a Skip says or because of its name, although other tools would
// read it, and why.
type LeftOut struct {
	Path   string
	Reason string
}

// OpenDirectory reads a directory as ReadPath does, but for what skip names, and keeps it open, so that what is written
// later is written to that directory whatever its name means by then.
func OpenDirectory(name string, limits Limits, skip Skip) (*Directory, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	d := &Directory{
		List: &ResourceList{APIVersion: "config.kubernetes.io/v1", Plain: true},
		root: root, files: map[string]*source{},
	}
	if err := d.read(limits, skip); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return d, nil
}

// Close releases the directory. The List stays good.
func (d *Directory) Close() error { return d.root.Close() }

func (d *Directory) read(limits Limits, skip Skip) error {
	w := walk{list: d.List, root: d.root, limits: limits, skip: skip}
	names, err := w.manifests()
	if err != nil {
		return err
	}
	g := &gate{limits: limits, expand: true}
	left := limits.Bytes
	for _, n := range names {
		src, err := readRooted(d.root, n, left)
		if e, ok := errors.AsType[*SyntaxError](err); ok && e.Code == "input.limit.bytes" {
			e.Message = fmt.Sprintf("more than %d bytes over all files", limits.Bytes)
		}
		if err != nil {
			return err
		}
		left -= int64(len(src.data))
		if src.body, err = text(src.data, limits.Bytes); err == nil {
			src.docs, err = splitDocuments(src.body)
		}
		if err == nil {
			err = readDocuments(d.List, n, src.docs, g)
		}
		if err != nil {
			return asInput(n, err)
		}
		d.files[n] = src
	}
	return nil
}

// steering names the files that steer kustomize and kpt.
var steering = []string{"kustomization.yaml", "kustomization.yml", "Kustomization", "Kptfile"}

// walk looks for the files to read.
type walk struct {
	list    *ResourceList
	root    *os.Root
	limits  Limits
	skip    Skip
	ignored ignored
	entries int
	looked  int64 // bytes of files that are no manifests
	names   []string
}

// manifests lists the files to read, sorted by path, and notes what it leaves out.
func (w *walk) manifests() ([]string, error) {
	err := fs.WalkDir(w.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading manifests: %w", err)
		}
		if w.entries++; w.entries > w.limits.Files {
			return &SyntaxError{
				Code: "input.limit.files", Name: p, Message: fmt.Sprintf("more than %d files and folders", w.limits.Files),
				Hint: "name a smaller directory",
			}
		}
		if p != "." && strings.HasPrefix(d.Name(), ".") {
			return w.hidden(p, d)
		}
		if d.IsDir() {
			return w.folder(p)
		}
		w.file(p, d)
		return nil
	})
	slices.Sort(w.names)
	return w.names, err
}

// folder says whether a folder is entered.
func (w *walk) folder(p string) error {
	if strings.Count(p, "/") > w.limits.Depth {
		return &SyntaxError{
			Code: "input.limit.depth", Name: p, Message: fmt.Sprintf("folders deeper than %d", w.limits.Depth),
		}
	}
	if p != "." {
		if w.ignored.leavesOut(p, true) {
			return w.leaveOut(p, "named in "+ignoreName)
		}
		if _, err := w.root.Lstat(path.Join(p, "Kptfile")); err == nil && w.skip.Packages {
			return w.leaveOut(p, "a package of its own")
		}
	}
	if !w.skip.Ignored {
		return nil
	}
	name := path.Join(p, ignoreName)
	if info, err := w.root.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return nil //nolint:nilerr // there is none, and then nothing is left out
	}
	src, err := readRooted(w.root, name, maxIgnoreBytes)
	if err != nil {
		return err
	}
	return asInput(name, w.ignored.add(p, src.data))
}

func (w *walk) leaveOut(p, reason string) error {
	w.list.LeftOut = append(w.list.LeftOut, LeftOut{Path: p, Reason: reason})
	return fs.SkipDir
}

// file says what becomes of a file.
func (w *walk) file(p string, d fs.DirEntry) {
	ext := path.Ext(p)
	switch {
	case slices.Contains(steering, d.Name()):
		w.list.Steering = append(w.list.Steering, p)
	case ext != ".yaml" && ext != ".yml":
		if isOtherManifest(p) && !slices.Contains(w.skip.Files, p) && w.mayHoldObject(p) {
			_ = w.leaveOut(p, otherReason)
			return
		}
		if d.Type()&fs.ModeSymlink == 0 {
			return
		}
		if info, err := w.root.Stat(p); err != nil || info.IsDir() { // or it leads out, where nobody looks
			_ = w.leaveOut(p, "a symbolic link")
		}
	case w.ignored.leavesOut(p, false):
		_ = w.leaveOut(p, "named in "+ignoreName)
	case slices.Contains(w.skip.Files, p):
	case d.Type()&fs.ModeSymlink != 0:
		w.list.Skipped = append(w.list.Skipped, Skipped{Path: p, Reason: "a symbolic link", Unread: true})
	case !d.Type().IsRegular():
		w.list.Skipped = append(w.list.Skipped, Skipped{Path: p, Reason: "not a regular file", Unread: true})
	default:
		w.names = append(w.names, p)
	}
}

// readRooted reads a file that the walk found to be regular. Whoever can write to the directory may have replaced
// it since, so it is looked at again and must be the very file that was opened.
func readRooted(root *os.Root, name string, limit int64) (*source, error) {
	before, err := root.Lstat(name)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("reading manifests: %q changed while it was read", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	data, err := readFile(f, name, before, limit)
	return &source{data: data, info: before}, err
}

// readFile reads an open file to its end and closes it. The file must be the one that expect describes.
func readFile(f *os.File, name string, expect fs.FileInfo, limit int64) ([]byte, error) {
	defer f.Close() //nolint:errcheck // only read from
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	if !os.SameFile(expect, info) {
		return nil, fmt.Errorf("reading manifests: %q changed while it was read", name)
	}
	data, err := readBounded(f, limit)
	if errors.Is(err, errTooLong) {
		return nil, asInput(name, limitProblem("bytes", "bytes", limit, 0, 0))
	}
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %q: %w", name, err)
	}
	return data, nil
}

var errTooLong = errors.New("too long")

// readBounded reads to the end of r, or fails with errTooLong where that is more than limit bytes away.
func readBounded(r io.Reader, limit int64) ([]byte, error) {
	lr := &io.LimitedReader{R: r, N: limit + 1}
	data, err := io.ReadAll(lr) //nolint:forbidigo // lr is the limit
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, errTooLong
	}
	return data, nil
}
