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
	d, err := OpenDirectory(name, limits)
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
	left  int64 // bytes that OpenFiles may still read
}

// source is a file as it was read.
type source struct {
	data []byte // all of it, with its byte order mark
	body []byte // without
	docs []document
	info fs.FileInfo
}

// OpenDirectory reads a directory as ReadPath does and keeps it open, so that what is written later is written to
// that directory whatever its name means by then.
func OpenDirectory(name string, limits Limits) (*Directory, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	d := &Directory{
		List: &ResourceList{APIVersion: "config.kubernetes.io/v1", Plain: true},
		root: root, files: map[string]*source{},
	}
	if err := d.read(limits); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return d, nil
}

// Close releases the directory. The List stays good.
func (d *Directory) Close() error { return d.root.Close() }

func (d *Directory) read(limits Limits) error {
	names, err := manifestNames(d.List, d.root.FS(), limits)
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
			src.docs = splitDocuments(src.body)
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

// manifestNames lists the files to read, sorted by path, and notes what it leaves out.
func manifestNames(rl *ResourceList, dir fs.FS, limits Limits) ([]string, error) {
	var names []string
	entries := 0
	err := fs.WalkDir(dir, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading manifests: %w", err)
		}
		if entries++; entries > limits.Files {
			return &SyntaxError{
				Code: "input.limit.files", Name: p, Message: fmt.Sprintf("more than %d files and folders", limits.Files),
				Hint: "name a smaller directory",
			}
		}
		switch ext := path.Ext(p); {
		case p == ".":
		case strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir():
			if strings.Count(p, "/") > limits.Depth {
				return &SyntaxError{
					Code: "input.limit.depth", Name: p, Message: fmt.Sprintf("folders deeper than %d", limits.Depth),
				}
			}
		case slices.Contains(steering, d.Name()):
			rl.Steering = append(rl.Steering, p)
		case ext != ".yaml" && ext != ".yml":
		case d.Type()&fs.ModeSymlink != 0:
			rl.Skipped = append(rl.Skipped, Skipped{Path: p, Reason: "a symbolic link", Unread: true})
		case !d.Type().IsRegular():
			rl.Skipped = append(rl.Skipped, Skipped{Path: p, Reason: "not a regular file", Unread: true})
		default:
			names = append(names, p)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
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
