package sandbox

import (
	"io"
	"io/fs"

	"github.com/tetratelabs/wazero/experimental/sys"
	wasisys "github.com/tetratelabs/wazero/sys"
)

// rootFS is the module's whole file system: an empty, read-only root folder. It
// is there because modules that probe for a configuration file expect "no such
// file", not "no folder to look in". Nothing of the machine is behind it.
type rootFS struct {
	sys.UnimplementedFS
	opened  int
	streams map[string]sys.File // by path without the leading slash; see Grants.StdioPaths
}

// maxOpened bounds how often a module may open anything at all, so that open
// descriptors, which the engine does not bound, stay few. There is nothing that
// a function could want to open so often.
const maxOpened = 10_000

func isRoot(path string) bool { return path == "" || path == "." || path == "/" }

// OpenFile opens the root or a granted stream; all else does not exist.
func (r *rootFS) OpenFile(path string, flag sys.Oflag, _ fs.FileMode) (sys.File, sys.Errno) {
	if r.opened >= maxOpened {
		return nil, sys.EIO
	}
	if f, ok := r.streams[path]; ok {
		if flag&sys.O_DIRECTORY != 0 {
			return nil, sys.ENOTDIR
		}
		r.opened++
		return f, 0
	}
	switch {
	case isRoot(path) && flag&(sys.O_WRONLY|sys.O_RDWR|sys.O_TRUNC) != 0:
		return nil, sys.EISDIR
	case isRoot(path):
		r.opened++
		return rootDir{}, 0
	case flag&sys.O_CREAT != 0:
		return nil, sys.EROFS
	}
	return nil, sys.ENOENT
}

var rootStat = wasisys.Stat_t{Mode: fs.ModeDir | 0o555, Nlink: 1, Ino: 1}

// Stat describes the root or a granted stream.
func (r *rootFS) Stat(path string) (wasisys.Stat_t, sys.Errno) {
	if isRoot(path) {
		return rootStat, 0
	}
	if f, ok := r.streams[path]; ok {
		return f.Stat()
	}
	return wasisys.Stat_t{}, sys.ENOENT
}

// Lstat is Stat, as there are no links.
func (r *rootFS) Lstat(path string) (wasisys.Stat_t, sys.Errno) { return r.Stat(path) }

// readOnly is the answer to whatever would change the root.
func (r *rootFS) readOnly(path string) sys.Errno {
	if _, ok := r.streams[path]; ok || isRoot(path) {
		return sys.EROFS
	}
	return sys.ENOENT
}

// Readlink finds no links.
func (r *rootFS) Readlink(path string) (string, sys.Errno) {
	if _, errno := r.Stat(path); errno != 0 {
		return "", errno
	}
	return "", sys.EINVAL
}

// Mkdir makes nothing.
func (*rootFS) Mkdir(string, fs.FileMode) sys.Errno { return sys.EROFS }

// Chmod changes nothing.
func (r *rootFS) Chmod(path string, _ fs.FileMode) sys.Errno { return r.readOnly(path) }

// Rename renames nothing.
func (r *rootFS) Rename(from, _ string) sys.Errno { return r.readOnly(from) }

// Rmdir removes nothing.
func (r *rootFS) Rmdir(path string) sys.Errno { return r.readOnly(path) }

// Unlink removes nothing.
func (r *rootFS) Unlink(path string) sys.Errno { return r.readOnly(path) }

// Link links nothing.
func (r *rootFS) Link(from, _ string) sys.Errno { return r.readOnly(from) }

// Symlink links nothing.
func (*rootFS) Symlink(string, string) sys.Errno { return sys.EROFS }

// Utimens changes nothing.
func (r *rootFS) Utimens(path string, _, _ int64) sys.Errno { return r.readOnly(path) }

// rootDir is the open root: a folder without entries.
type rootDir struct{ sys.UnimplementedFile }

// Dev is no device's number.
func (rootDir) Dev() (uint64, sys.Errno) { return 0, 0 }

// Ino is the root's number.
func (rootDir) Ino() (wasisys.Inode, sys.Errno) { return rootStat.Ino, 0 }

// IsDir says that it is a folder.
func (rootDir) IsDir() (bool, sys.Errno) { return true, 0 }

// Stat describes it.
func (rootDir) Stat() (wasisys.Stat_t, sys.Errno) { return rootStat, 0 }

// Readdir finds nothing in it.
func (rootDir) Readdir(int) ([]sys.Dirent, sys.Errno) { return nil, 0 }

// Read cannot read a folder.
func (rootDir) Read([]byte) (int, sys.Errno) { return 0, sys.EISDIR }

// Close has nothing to close.
func (rootDir) Close() sys.Errno { return 0 }

// streamFile is one of the module's own streams under a path.
type streamFile struct {
	sys.UnimplementedFile
	r io.Reader
	w io.Writer
}

// Stat describes a character device.
func (streamFile) Stat() (wasisys.Stat_t, sys.Errno) {
	return wasisys.Stat_t{Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666, Nlink: 1}, 0
}

// IsDir says that it is none.
func (streamFile) IsDir() (bool, sys.Errno) { return false, 0 }

// Read reads from the stream.
func (f streamFile) Read(p []byte) (int, sys.Errno) {
	if f.r == nil {
		return 0, sys.EBADF
	}
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		return n, sys.EIO
	}
	return n, 0
}

// Write writes to the stream.
func (f streamFile) Write(p []byte) (int, sys.Errno) {
	if f.w == nil {
		return 0, sys.EBADF
	}
	n, err := f.w.Write(p)
	if err != nil {
		return n, sys.EIO
	}
	return n, 0
}

// Close leaves the stream open for the module's own descriptor of it.
func (streamFile) Close() sys.Errno { return 0 }
