//go:build unix

package krm

import (
	"io/fs"
	"os"
	"syscall"
)

// likeOwner gives a file the owner and group of another one, where they differ: root may rewrite what belongs to
// somebody else. Whoever else may not give a file away, and keeps it.
func likeOwner(f *os.File, before fs.FileInfo) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	was, ok := before.Sys().(*syscall.Stat_t)
	is, known := info.Sys().(*syscall.Stat_t)
	if !ok || !known || was.Uid == is.Uid && was.Gid == is.Gid {
		return nil
	}
	if err := f.Chown(int(was.Uid), int(was.Gid)); err != nil && os.Geteuid() == 0 {
		return err
	}
	return nil
}
