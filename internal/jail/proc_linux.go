//go:build linux && (amd64 || arm64)

package jail

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/sys/unix"
)

// procMost is more than any of the files under /proc that are read here.
const procMost = 64 << 10

// readProc reads a file under /proc. Such a file is neither waited for nor large,
// and package os would register it with the poller for nothing, which is most of
// what reading it costs.
func readProc(path string) (string, error) {
	fd, err := openProc(path, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd) //nolint:errcheck // it was only read from
	buf := make([]byte, 4096)
	for n := 0; ; {
		got, err := fdFile(fd).Read(buf[n:])
		if errors.Is(err, io.EOF) {
			return string(buf[:n]), nil
		}
		if err != nil {
			return "", fmt.Errorf("reading %s: %w", path, err)
		}
		if n += got; n == procMost {
			return "", fmt.Errorf("reading %s: it is larger than %d bytes", path, procMost)
		}
		if n == len(buf) {
			buf = append(buf, make([]byte, len(buf))...)
		}
	}
}

// listProc lists the numbers that a folder under /proc has entries for, which are
// what it is read for: other names are passed over. It does not ask what lies
// within the entries, for which the kernel would make files of each.
func listProc(path string) ([]int, error) {
	fd, err := openProc(path, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd) //nolint:errcheck // it was only read from
	var numbers []int
	buf := make([]byte, 4096)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return numbers, err
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			if number, err := strconv.Atoi(name); err == nil {
				numbers = append(numbers, number)
			}
		}
	}
}

func openProc(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|flags, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return -1, fmt.Errorf("opening %s: %w", path, err)
		}
		return fd, nil
	}
}
