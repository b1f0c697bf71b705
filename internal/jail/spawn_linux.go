//go:build linux && (amd64 || arm64)

package jail

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const rootDir = "/"

// selfExecutable is this very program, also after its file was replaced.
func selfExecutable() (string, error) { return "/proc/self/exe", nil }

// childEnv is the whole environment of every child, whatever the parent's holds:
// without the two GODEBUG settings the runtime would keep cgroup files open.
func childEnv(cfg Config) []string {
	return []string{processors(cfg), "GOTRACEBACK=none", "GODEBUG=containermaxprocs=0,updatemaxprocs=0"}
}

// childAttr leaves the user as it is: a child that root starts as nobody could be
// traced by any process of nobody's until it has made itself untraceable. One that
// is root first, and ceases to be it, is untraceable from then on (setresuid(2)).
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// peakBytes is a process's largest resident set, or 0 if it has ended. What
// wait(2) tells would count the parent's own, which the child had before exec.
func peakBytes(pid int) int64 {
	status, err := readProc(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	return max(statusKB(status, "VmHWM"), 0)
}

func endSignal(state *os.ProcessState) (name string, badSystemCall bool) {
	ws, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !ws.Signaled() {
		return "", false
	}
	return unix.SignalName(ws.Signal()), ws.Signal() == syscall.SIGSYS
}

// fdFile reads and writes a descriptor with plain blocking system calls, so that
// the child needs no poller for its pipes.
type fdFile int

// Read reads from the descriptor.
func (f fdFile) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(f), p)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Write writes all of p to the descriptor.
func (f fdFile) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Write(int(f), p[done:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// awaitEnd waits until the child has ended, and a moment longer. The kernel forgets
// what /proc has shown of a thread when the thread ends, and of the whole process
// when it is waited for; done at once by two processors, each spins until the other
// is through, for as long as that one has no processor.
func awaitEnd(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	time.Sleep(endSlack)
}

const endSlack = 100 * time.Microsecond
