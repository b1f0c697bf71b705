//go:build linux && (amd64 || arm64)

package jail

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsyscall "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// landlockABI asks the kernel which version of Landlock it speaks; 0 is none.
func landlockABI() (int, error) {
	abi, err := llsyscall.LandlockGetABIVersion()
	if err != nil || abi < 0 {
		return 0, fmt.Errorf("asking for Landlock's version: %w", err)
	}
	return abi, nil
}

// landlockConfigs holds, by version, all that the version can forbid.
var landlockConfigs = []landlock.Config{
	{},
	landlock.V1, landlock.V2, landlock.V3, landlock.V4, landlock.V5, landlock.V6,
	landlock.V7, landlock.V8, landlock.V9, landlock.V10, landlock.V11,
}

// landlockAll forbids every right this kernel knows and grants none, then tries
// to open a path: best effort is never asked for, and success not believed.
func landlockAll(abi int) error {
	if abi < 1 {
		return errors.New("this kernel has no Landlock")
	}
	if err := landlockConfigs[min(abi, len(landlockConfigs)-1)].Restrict(); err != nil {
		return err
	}
	fd, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd)
		return errors.New("a path could still be opened")
	}
	if !errors.Is(err, unix.EACCES) {
		return fmt.Errorf("opening a path failed for another reason: %w", err)
	}
	return nil
}

// landlockNet checks that a TCP port can no longer be bound.
func landlockNet(abi int) error {
	if abi < 4 {
		return fmt.Errorf("this kernel's Landlock (version %d) cannot forbid TCP: Linux 6.7 can", abi)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil // a system that gives no socket at all forbids more
	}
	defer unix.Close(fd) //nolint:errcheck // it was never used
	err = unix.Bind(fd, &unix.SockaddrInet4{Addr: netip.IPv4Unspecified().As4()})
	if !errors.Is(err, unix.EACCES) {
		return fmt.Errorf("binding a TCP port was not denied: %w", orNone(err))
	}
	return nil
}

// landlockScope checks that the parent can no longer be signalled.
func landlockScope(abi int) error {
	if abi < 6 {
		return fmt.Errorf("this kernel's Landlock (version %d) cannot forbid signals and abstract sockets: Linux 6.12 can", abi)
	}
	if err := unix.Kill(unix.Getppid(), 0); !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("signalling the parent was not denied: %w", orNone(err))
	}
	return nil
}
