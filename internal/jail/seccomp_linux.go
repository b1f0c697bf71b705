//go:build linux && (amd64 || arm64)

package jail

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// all is the mask that compares a whole word.
const all = ^uint32(0)

// Flags of clone(2) for a thread of this process, and nothing but a thread: as
// Go's runtime sets them, with and without thread-local storage, and as the C
// library does in a program built with cgo.
var threadFlags = []uint32{0x50f00, 0xd0f00, 0x3d0f00}

// filterOne is the first filter: what Go's runtime and the making of machine
// code need. What a library may try and do without is denied softly; everything
// else ends the process. Then it tries what must be denied.
func filterOne(file bool) error {
	prog, err := assemble(stageOne(uint32(unix.Getpid()), file), killProcess) //nolint:gosec // G115: a pid is positive
	if err != nil {
		return err
	}
	if err := install(prog); err != nil {
		return err
	}
	if _, err := unix.Open("/", unix.O_RDONLY|unix.O_CLOEXEC, 0); !errors.Is(err, unix.EACCES) {
		return fmt.Errorf("opening a path was not denied: %w", orNone(err))
	}
	if _, err := unix.FcntlInt(0, unix.F_DUPFD, 0); !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("duplicating a descriptor was not denied: %w", orNone(err))
	}
	return nil
}

// stageOne is the allow list. pid is this process's, whose threads the runtime
// signals to preempt them. With file, that one may be mapped, privately and not to
// be executed: what is made executable later is what mprotect is asked for.
func stageOne(pid uint32, file bool) []rule {
	var rules []rule
	for _, nr := range []uint32{
		unix.SYS_FUTEX, unix.SYS_READ, unix.SYS_WRITE, unix.SYS_MADVISE, unix.SYS_MUNMAP, unix.SYS_NANOSLEEP,
		unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_SCHED_YIELD, unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_CTL,
		unix.SYS_CLOSE, unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_SIGALTSTACK, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN,
		unix.SYS_RT_SIGACTION, unix.SYS_BRK, unix.SYS_SCHED_GETAFFINITY, unix.SYS_RESTART_SYSCALL, unix.SYS_SET_ROBUST_LIST,
		unix.SYS_RSEQ, unix.SYS_GETRANDOM, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
	} {
		rules = append(rules, rule{nr: nr, then: allow})
	}
	if file {
		rules = append(rules, rule{unix.SYS_MMAP, []check{
			{arg: 2, mask: unix.PROT_EXEC, values: []uint32{0}},
			{arg: 3, mask: unix.MAP_ANONYMOUS | unix.MAP_TYPE, values: []uint32{unix.MAP_PRIVATE}},
			{arg: 4, mask: all, values: []uint32{fileFD}},
		}, allow, next})
	}
	rules = append(
		rules,
		rule{unix.SYS_MMAP, []check{
			{arg: 2, mask: unix.PROT_EXEC, values: []uint32{0}},
			{arg: 3, mask: unix.MAP_ANONYMOUS, values: []uint32{unix.MAP_ANONYMOUS}},
		}, allow, killProcess},
		rule{unix.SYS_MPROTECT, []check{{arg: 2, mask: all, values: []uint32{
			unix.PROT_NONE, unix.PROT_READ, unix.PROT_READ | unix.PROT_WRITE, unix.PROT_READ | unix.PROT_EXEC,
		}}}, allow, killProcess},
		rule{unix.SYS_CLONE, []check{{arg: 0, mask: all, values: threadFlags, wide: true}}, allow, killProcess},
		rule{unix.SYS_TGKILL, []check{{arg: 0, mask: all, values: []uint32{pid}}}, allow, killProcess},
		rule{unix.SYS_PRCTL, []check{{arg: 0, mask: all, values: []uint32{unix.PR_SET_VMA}}}, allow, deny(unix.EPERM)},
		rule{unix.SYS_FCNTL, []check{{arg: 1, mask: all, values: []uint32{unix.F_GETFL, unix.F_GETFD}}}, allow, deny(unix.EPERM)},
		// Bound lowers these; none can be raised, as hard and soft are equal and no capability is left.
		rule{unix.SYS_PRLIMIT64, []check{
			{arg: 0, mask: all, values: []uint32{0}},
			{arg: 1, mask: all, values: []uint32{unix.RLIMIT_AS, unix.RLIMIT_DATA, unix.RLIMIT_CPU}},
		}, allow, deny(unix.EPERM)},
		rule{unix.SYS_SECCOMP, []check{{arg: 0, mask: all, values: []uint32{unix.SECCOMP_SET_MODE_FILTER}}}, allow, killProcess},
		rule{nr: unix.SYS_CLONE3, then: deny(unix.ENOSYS)},
	)
	for _, nr := range []uint32{
		unix.SYS_OPENAT, sysFstatat, unix.SYS_READLINKAT, unix.SYS_GETDENTS64, unix.SYS_FACCESSAT,
		unix.SYS_GETCWD, unix.SYS_FSTAT,
	} {
		rules = append(rules, rule{nr: nr, then: deny(unix.EACCES)})
	}
	for _, nr := range []uint32{unix.SYS_IOCTL, unix.SYS_UNAME} {
		rules = append(rules, rule{nr: nr, then: deny(unix.EPERM)})
	}
	return append(rules, archRules()...)
}

// stageTwo comes on top when all machine code is made: no more executable
// memory, no further filter, no further limit.
func stageTwo() []rule {
	noExec := []check{{arg: 2, mask: unix.PROT_EXEC, values: []uint32{0}}}
	return []rule{
		{unix.SYS_MPROTECT, noExec, allow, killProcess},
		{unix.SYS_MMAP, noExec, allow, killProcess},
		{nr: unix.SYS_SECCOMP, then: killProcess},
		{nr: unix.SYS_PRLIMIT64, then: deny(unix.EPERM)},
	}
}

func tighten() error {
	prog, err := assemble(stageTwo(), allow)
	if err != nil {
		return err
	}
	return install(prog)
}
