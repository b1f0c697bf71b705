//go:build unix

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// systemConfig is what holds for all users.
const systemConfig = "/etc/krmsafe/config.yaml"

// ownedFile refuses a file that somebody else than root and this user can have
// written, or put in its place.
func ownedFile(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &pipeline.UsageError{Message: fmt.Sprintf("%s is not a file", file.Name())}
	}
	if err := owned(file.Name(), info); err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(file.Name())
	if err != nil {
		return err
	}
	for _, name := range []string{file.Name(), real} {
		if err := ownedFolder(filepath.Dir(name)); err != nil {
			return err
		}
	}
	return nil
}

// ownedFolder refuses a folder in which others can replace files, or that itself
// lies in one that everybody can write to. Under a sticky bit, as /tmp has it, only
// owners replace what is there.
func ownedFolder(name string) error {
	name, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	for dir := name; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		sticky := info.Mode()&fs.ModeSticky != 0
		if dir == name && !sticky {
			if err := owned(dir, info); err != nil {
				return err
			}
		}
		if mode := info.Mode().Perm(); mode&0o002 != 0 && !sticky {
			return &pipeline.UsageError{
				Message: fmt.Sprintf("%s can be written by everybody (mode %04o), and %s lies in it", dir, mode, name),
				Hint:    "chmod o-w " + dir,
			}
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func owned(name string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return &pipeline.UsageError{
			Message: fmt.Sprintf("%s can be written by others than its owner (mode %04o)", name, mode),
			Hint:    "what it says decides what may run: chmod go-w " + name,
		}
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: its owner is not known", name)
	}
	if uid := int64(stat.Uid); uid != 0 && uid != int64(os.Geteuid()) {
		return &pipeline.UsageError{
			Message: fmt.Sprintf("%s belongs to the user %d, and only root and the user %d that runs krmsafe are taken at their word", name, uid, os.Geteuid()),
			Hint:    "chown it to one of the two",
		}
	}
	return nil
}

// passwdHome is the user's home as the user database of the system has it. The
// environment is not asked: a tree may have written it.
func passwdHome() (string, error) {
	if runtime.GOOS == "darwin" { // its users are not in the file, and Go asks the system there
		u, err := user.Current()
		if err != nil {
			return "", err
		}
		return u.HomeDir, nil
	}
	const most = 16 << 20
	data, err := readBounded("/etc/passwd", most)
	if err != nil {
		return "", err
	}
	uid := strconv.Itoa(os.Getuid())
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) == 7 && f[2] == uid {
			return f[5], nil
		}
	}
	return "", errors.New("the user is not in /etc/passwd")
}
