//go:build linux && amd64

package jail_test

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const sysFstatat = unix.SYS_NEWFSTATAT

func init() { //nolint:gochecknoinits // this machine's own attempts
	forbidden["x32 table"] = func() syscall.Errno { return raw(0x40000000|unix.SYS_GETPID, 0) }
	forbidden["plain open"] = func() syscall.Errno { return raw(unix.SYS_OPEN, ptr(&rootPath), unix.O_RDONLY) }
	forbidden["plain fork"] = func() syscall.Errno { return raw(unix.SYS_FORK) }
	forbidden["vfork"] = func() syscall.Errno { return raw(unix.SYS_VFORK) }
	forbidden["iopl"] = func() syscall.Errno { return raw(unix.SYS_IOPL, 3) }
	forbidden["arch_prctl"] = func() syscall.Errno { return raw(unix.SYS_ARCH_PRCTL, 0x1012, 0) }
}
