package main_test

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	krmsafe "github.com/krmsafe/krmsafe/cmd/krmsafe"
)

func init() { //nolint:gochecknoinits // registers a command that exists on Linux alone
	commands["nosocket"] = func() { withoutSockets(unix.SECCOMP_RET_KILL_PROCESS) }
	commands["deniedsocket"] = func() { withoutSockets(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)) }
}

// withoutSockets is krmsafe in a process, and with children, for which the kernel
// does this at every attempt to open a socket of any kind.
func withoutSockets(action uint32) {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the system call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SOCKET, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		{Code: unix.BPF_RET | unix.BPF_K, K: action},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err == nil {
		_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
		if errno != 0 {
			err = errno
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nosocket: the kernel takes no filter:", err)
		os.Exit(99)
	}
	krmsafe.Main()
}
