// Command launch runs another program once and writes what its whole process
// tree used, as one line of JSON, to a file. It is a program of its own because
// the kernel counts the memory of whoever starts a process to that process's
// peak, so the starter must be small; the other columns of the bench lose by it
// what native programs lose.
//
//	launch USAGE STDIN STDOUT STDERR PROGRAM [ARGUMENT...]
package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

const subreaper = 36 // PR_SET_CHILD_SUBREAPER

func main() {
	if err := launch(os.Args[1], os.Args[2:5], os.Args[5:]); err != nil {
		os.Stderr.WriteString("launch: " + err.Error() + "\n")
		os.Exit(1)
	}
}

func launch(usage string, files, argv []string) error {
	runtime.LockOSThread()
	// Descendants that lose their parent come here, so that none goes uncounted.
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, subreaper, 1, 0, 0, 0, 0); e != 0 {
		return e
	}
	var fds []uintptr
	for i, name := range files {
		flag := os.O_RDONLY
		if i > 0 {
			flag = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
		}
		f, err := os.OpenFile(name, flag, 0o600)
		if err != nil {
			return err
		}
		fds = append(fds, f.Fd())
	}
	start := time.Now()
	first, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Env: os.Environ(), Files: fds})
	if err != nil {
		return err
	}
	var cpu, peak, wall int64
	exit := -1
	for {
		var status syscall.WaitStatus
		var u syscall.Rusage
		pid, err := syscall.Wait4(-1, &status, 0, &u)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			break // ECHILD: all have ended
		}
		cpu += u.Utime.Nano() + u.Stime.Nano()
		peak = max(peak, u.Maxrss<<10)
		if pid == first {
			wall = int64(time.Since(start))
			exit = status.ExitStatus()
		}
	}
	settled := int64(time.Since(start))
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	line := `{"cpu":` + n(cpu) + `,"wall":` + n(wall) + `,"settled":` + n(settled) + `,"peak":` + n(peak) + `,"exit":` + n(int64(exit)) + "}\n"
	return os.WriteFile(usage, []byte(line), 0o600)
}
