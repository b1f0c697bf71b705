package jail_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/krmsafe/krmsafe/internal/jail"
)

// inherit makes a descriptor one that every new process gets.
func inherit(t *testing.T, f *os.File) {
	t.Helper()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
}

// probe runs one named attempt inside the jail and answers how it went.
func probe(in *jail.Inside, name string) error {
	tightened := strings.HasPrefix(name, "late ")
	if tightened {
		if err := in.Tighten(); err != nil {
			return err
		}
	}
	if _, err := in.Receive(kindAsk, 1<<20); err != nil {
		return err
	}
	answer := "done"
	if f, ok := chores[name]; ok {
		answer = f()
	} else if f, ok := forbidden[name]; ok {
		switch errno := f(); errno {
		case 0:
			answer = "succeeded"
		default:
			answer = "denied: " + errno.Error()
		}
	}
	return in.Send(kindAnswer, []byte(answer))
}

// startDir is where the process started; inside the jail nothing tells.
var startDir, _ = os.Getwd()

// alone answers "held" if what one layer forbids is forbidden.
func alone(in *jail.Inside, layer string) error {
	if _, err := in.Receive(kindAsk, 1<<20); err != nil {
		return err
	}
	answer := "held"
	if err := single[layer](); err != nil {
		answer = err.Error()
	}
	return in.Send(kindAnswer, []byte(answer))
}

func want(what string, got, want any) error {
	if got != want {
		return fmt.Errorf("%s: %v, want %v", what, got, want)
	}
	return nil
}

func noNewPrivs() bool { return prctl(unix.PR_GET_NO_NEW_PRIVS) == 1 }

func prctl(option int) int {
	v, _ := unix.PrctlRetInt(option, 0, 0, 0, 0)
	return v
}

// single tries, for each layer, what no other layer stands in the way of when it
// is alone.
var single = map[string]func() error{
	jail.LayerDescriptors: func() error {
		entries, err := os.ReadDir("/proc/self/fd")
		for _, e := range entries {
			if target, _ := os.Readlink("/proc/self/fd/" + e.Name()); target == "/dev/null" {
				return fmt.Errorf("descriptor %s was inherited", e.Name())
			}
		}
		return err
	},
	jail.LayerUser: func() error { return want("is root", os.Getuid() == 0, false) },
	jail.LayerCapabilities: func() error {
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if err := unix.Capget(&head, &data[0]); err != nil {
			return err
		}
		return want("capabilities", data, [2]unix.CapUserData{})
	},
	jail.LayerNoNewPrivs:  func() error { return want("no_new_privs", prctl(unix.PR_GET_NO_NEW_PRIVS), 1) },
	jail.LayerUndumpable:  func() error { return want("dumpable", prctl(unix.PR_GET_DUMPABLE), 0) },
	jail.LayerParentDeath: func() error { return want("parent death is set", parentDeath(), int32(unix.SIGKILL)) },
	jail.LayerLandlockFS: func() error {
		_, err := os.Open("/")
		return want("opening a path is denied", errors.Is(err, unix.EACCES), true)
	},
	jail.LayerLandlockNet: func() error {
		if err := jail.Lock(); err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
		return want("binding a port is denied", errors.Is(err, unix.EACCES), true)
	},
	jail.LayerLandlockScope: func() error {
		if err := jail.Lock(); err != nil {
			return err
		}
		return want("signalling the parent is denied", errors.Is(unix.Kill(parentPID, 0), unix.EPERM), true)
	},
	jail.LayerRlimits: func() error {
		_, err := unix.Dup(0)
		return want("a new descriptor is denied", errors.Is(err, unix.EMFILE), true)
	},
	jail.LayerSeccomp: func() error { return want("uname is denied", errors.Is(unix.Uname(&unix.Utsname{}), unix.EPERM), true) },
}

func parentDeath() (signal int32) {
	_ = unix.Prctl(unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&signal)), 0, 0, 0)
	return signal
}

// chores are what must work.
var chores = map[string]func() string{
	"inherited": func() string { return fmt.Sprintf("%q in %s", os.Environ(), startDir) },
	// hog takes memory until there is none.
	"hog": func() string {
		var all [][]byte
		for {
			b := make([]byte, 1<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
			runtime.KeepAlive(all)
		}
	},
	"spin": func() string {
		for {
			runtime.Gosched()
		}
	},
	// threads makes the runtime start threads, collect garbage and signal itself.
	"threads": func() string {
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				garbage := make([][]byte, 0, 64)
				for i := range 64 {
					garbage = append(garbage, make([]byte, 16<<10))
					garbage[i][0] = 1
				}
				time.Sleep(time.Millisecond)
				runtime.KeepAlive(garbage)
			})
		}
		runtime.GC()
		group.Wait()
		return "done"
	},
}

func raw(nr uintptr, args ...uintptr) syscall.Errno {
	var a [6]uintptr
	copy(a[:], args)
	_, _, errno := syscall.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	return errno
}

// ptr gives the address of something that stays where it is.
func ptr[T any](v *T) uintptr { return uintptr(unsafe.Pointer(v)) }

var (
	rootPath = [...]byte{'/', 0}
	newPath  = [...]byte{'/', 't', 'm', 'p', '/', 'x', 0}
	shell    = [...]byte{'/', 'b', 'i', 'n', '/', 's', 'h', 0}
	selfFD   = [...]byte{'/', 'p', 'r', 'o', 'c', '/', 's', 'e', 'l', 'f', '/', 'f', 'd', '/', '0', 0}
	scratch  [4096]byte
)

// forbidden are what must be denied or end the child.
var forbidden = map[string]func() syscall.Errno{
	"open": func() syscall.Errno { return raw(unix.SYS_OPENAT, atCwd, ptr(&rootPath), unix.O_RDONLY) },
	"create": func() syscall.Errno {
		return raw(unix.SYS_OPENAT, atCwd, ptr(&newPath), unix.O_CREAT|unix.O_RDWR, 0o600)
	},
	"reopen stdin": func() syscall.Errno { return raw(unix.SYS_OPENAT, atCwd, ptr(&selfFD), unix.O_RDWR) },
	"openat2":      func() syscall.Errno { return raw(unix.SYS_OPENAT2, atCwd, ptr(&rootPath), ptr(&scratch), 24) },
	"stat":         func() syscall.Errno { return raw(sysFstatat, atCwd, ptr(&rootPath), ptr(&scratch)) },
	"statx":        func() syscall.Errno { return raw(unix.SYS_STATX, atCwd, ptr(&rootPath), 0, 0xfff, ptr(&scratch)) },
	"unlink":       func() syscall.Errno { return raw(unix.SYS_UNLINKAT, atCwd, ptr(&newPath), 0) },
	"mkdir":        func() syscall.Errno { return raw(unix.SYS_MKDIRAT, atCwd, ptr(&newPath), 0o700) },
	"rename":       func() syscall.Errno { return raw(unix.SYS_RENAMEAT2, atCwd, ptr(&newPath), atCwd, ptr(&newPath), 0) },
	"symlink":      func() syscall.Errno { return raw(unix.SYS_SYMLINKAT, ptr(&rootPath), atCwd, ptr(&newPath)) },
	"chdir":        func() syscall.Errno { return raw(unix.SYS_CHDIR, ptr(&rootPath)) },
	"truncate":     func() syscall.Errno { return raw(unix.SYS_TRUNCATE, ptr(&newPath), 0) },
	"inotify":      func() syscall.Errno { return raw(unix.SYS_INOTIFY_INIT1, 0) },
	"dup stdin":    func() syscall.Errno { return raw(unix.SYS_FCNTL, 0, unix.F_DUPFD, 0) },
	"dup3":         func() syscall.Errno { return raw(unix.SYS_DUP3, 0, 9, 0) },
	"pipe":         func() syscall.Errno { return raw(unix.SYS_PIPE2, ptr(&scratch), 0) },
	"ioctl":        func() syscall.Errno { return raw(unix.SYS_IOCTL, 0, unix.TIOCSTI, ptr(&scratch)) },

	"tcp socket":     func() syscall.Errno { return raw(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0) },
	"udp socket":     func() syscall.Errno { return raw(unix.SYS_SOCKET, unix.AF_INET6, unix.SOCK_DGRAM, 0) },
	"unix socket":    func() syscall.Errno { return raw(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM, 0) },
	"netlink socket": func() syscall.Errno { return raw(unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, 0) },
	"vsock socket":   func() syscall.Errno { return raw(unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM, 0) },
	"socketpair": func() syscall.Errno {
		return raw(unix.SYS_SOCKETPAIR, unix.AF_UNIX, unix.SOCK_STREAM, 0, ptr(&scratch))
	},
	"recvmsg": func() syscall.Errno { return raw(unix.SYS_RECVMSG, 0, ptr(&scratch), 0) },
	"sendmsg": func() syscall.Errno { return raw(unix.SYS_SENDMSG, 1, ptr(&scratch), 0) },

	"exec":           func() syscall.Errno { return raw(unix.SYS_EXECVE, ptr(&shell), 0, 0) },
	"execveat":       func() syscall.Errno { return raw(unix.SYS_EXECVEAT, atCwd, ptr(&shell), 0, 0, 0) },
	"fork":           func() syscall.Errno { return raw(unix.SYS_CLONE, uintptr(unix.SIGCHLD)) },
	"fork as thread": func() syscall.Errno { return raw(unix.SYS_CLONE, 0x50f00&^unix.CLONE_THREAD) },
	"user namespace": func() syscall.Errno { return raw(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD)) },
	"clone3":         func() syscall.Errno { return raw(unix.SYS_CLONE3, ptr(&scratch), 88) },
	"unshare":        func() syscall.Errno { return raw(unix.SYS_UNSHARE, unix.CLONE_NEWUSER) },
	"setns":          func() syscall.Errno { return raw(unix.SYS_SETNS, 0, 0) },

	"ptrace": func() syscall.Errno { return raw(unix.SYS_PTRACE, unix.PTRACE_ATTACH, parent()) },
	"process_vm_readv": func() syscall.Errno {
		return raw(unix.SYS_PROCESS_VM_READV, parent(), ptr(&scratch), 1, ptr(&scratch), 1)
	},
	"process_vm_writev": func() syscall.Errno {
		return raw(unix.SYS_PROCESS_VM_WRITEV, parent(), ptr(&scratch), 1, ptr(&scratch), 1)
	},
	"kill the parent":    func() syscall.Errno { return raw(unix.SYS_KILL, parent(), 0) },
	"kill the group":     func() syscall.Errno { return raw(unix.SYS_KILL, 0, 0) },
	"tgkill the parent":  func() syscall.Errno { return raw(unix.SYS_TGKILL, parent(), parent(), 0) },
	"pidfd_open":         func() syscall.Errno { return raw(unix.SYS_PIDFD_OPEN, parent(), 0) },
	"pidfd_getfd":        func() syscall.Errno { return raw(unix.SYS_PIDFD_GETFD, 0, 0, 0) },
	"rt_sigqueueinfo":    func() syscall.Errno { return raw(unix.SYS_RT_SIGQUEUEINFO, parent(), 0, ptr(&scratch)) },
	"kcmp":               func() syscall.Errno { return raw(unix.SYS_KCMP, parent(), parent(), 0, 0, 0) },
	"prlimit the parent": func() syscall.Errno { return raw(unix.SYS_PRLIMIT64, parent(), unix.RLIMIT_AS, 0, ptr(&scratch)) },
	"setpriority":        func() syscall.Errno { return raw(unix.SYS_SETPRIORITY, 0, 0, 19) },
	"sched_setaffinity":  func() syscall.Errno { return raw(unix.SYS_SCHED_SETAFFINITY, 0, 8, ptr(&scratch)) },
	"io_uring":           func() syscall.Errno { return raw(unix.SYS_IO_URING_SETUP, 8, ptr(&scratch)) },
	"bpf":                func() syscall.Errno { return raw(unix.SYS_BPF, 0, ptr(&scratch), 48) },
	"perf": func() syscall.Errno {
		return raw(unix.SYS_PERF_EVENT_OPEN, ptr(&scratch), 0, ^uintptr(0), ^uintptr(0), 0)
	},
	"userfaultfd":          func() syscall.Errno { return raw(unix.SYS_USERFAULTFD, 0) },
	"keyctl":               func() syscall.Errno { return raw(unix.SYS_KEYCTL, 0, 0) },
	"add_key":              func() syscall.Errno { return raw(unix.SYS_ADD_KEY, 0, 0, 0, 0, 0) },
	"memfd":                func() syscall.Errno { return raw(unix.SYS_MEMFD_CREATE, ptr(&rootPath), 0) },
	"memfd_secret":         func() syscall.Errno { return raw(unix.SYS_MEMFD_SECRET, 0) },
	"shmget":               func() syscall.Errno { return raw(unix.SYS_SHMGET, 0, 4096, 0o1600) },
	"mq_open":              func() syscall.Errno { return raw(unix.SYS_MQ_OPEN, ptr(&rootPath), unix.O_CREAT, 0o600, 0) },
	"mount":                func() syscall.Errno { return raw(unix.SYS_MOUNT, ptr(&rootPath), ptr(&rootPath), 0, unix.MS_BIND, 0) },
	"open_tree":            func() syscall.Errno { return raw(unix.SYS_OPEN_TREE, atCwd, ptr(&rootPath), 0) },
	"chroot":               func() syscall.Errno { return raw(unix.SYS_CHROOT, ptr(&rootPath)) },
	"pivot_root":           func() syscall.Errno { return raw(unix.SYS_PIVOT_ROOT, ptr(&rootPath), ptr(&rootPath)) },
	"setuid":               func() syscall.Errno { return raw(unix.SYS_SETUID, 0) },
	"setgid":               func() syscall.Errno { return raw(unix.SYS_SETGID, 0) },
	"setgroups":            func() syscall.Errno { return raw(unix.SYS_SETGROUPS, 0, 0) },
	"capset":               func() syscall.Errno { return raw(unix.SYS_CAPSET, ptr(&scratch), ptr(&scratch)) },
	"setsid":               func() syscall.Errno { return raw(unix.SYS_SETSID) },
	"personality":          func() syscall.Errno { return raw(unix.SYS_PERSONALITY, 0x0040000) },
	"reboot":               func() syscall.Errno { return raw(unix.SYS_REBOOT, 0, 0, 0) },
	"module":               func() syscall.Errno { return raw(unix.SYS_INIT_MODULE, 0, 0, 0) },
	"syslog":               func() syscall.Errno { return raw(unix.SYS_SYSLOG, 3, ptr(&scratch), 4096) },
	"clock_settime":        func() syscall.Errno { return raw(unix.SYS_CLOCK_SETTIME, 0, ptr(&scratch)) },
	"uname":                func() syscall.Errno { return raw(unix.SYS_UNAME, ptr(&scratch)) },
	"vmsplice":             func() syscall.Errno { return raw(unix.SYS_VMSPLICE, 1, ptr(&scratch), 1, 0) },
	"landlock":             func() syscall.Errno { return raw(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1) },
	"dumpable again":       func() syscall.Errno { return raw(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1) },
	"outlive the parent":   func() syscall.Errno { return raw(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, 0) },
	"raise the data limit": func() syscall.Errno { return raise(unix.RLIMIT_DATA) },
	"raise the CPU limit":  func() syscall.Errno { return raise(unix.RLIMIT_CPU) },
	"raise the file limit": func() syscall.Errno { return raise(unix.RLIMIT_NOFILE) },

	"writable code":          func() syscall.Errno { return mapPage(unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC) },
	"executable map":         func() syscall.Errno { return mapPage(unix.PROT_READ | unix.PROT_EXEC) },
	"mprotect writable code": func() syscall.Errno { return protect(unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC) },
	"pkey_mprotect":          func() syscall.Errno { return raw(unix.SYS_PKEY_MPROTECT, 0, 4096, unix.PROT_EXEC, 0) },
	"map a file":             func() syscall.Errno { return raw(unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE, 0, 0) },
	"late mprotect code":     func() syscall.Errno { return protect(unix.PROT_READ | unix.PROT_EXEC) },
	"late filter":            func() syscall.Errno { return raw(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, 0) },
	"strict mode":            func() syscall.Errno { return raw(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_STRICT, 0, 0) },
	"late lower limit":       func() syscall.Errno { return raw(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_DATA, 0, ptr(&scratch)) },
	"no such call":           func() syscall.Errno { return raw(999) },
}

const atCwd = ^uintptr(99) // AT_FDCWD, -100

func parent() uintptr { return uintptr(parentPID) }

// parentPID is read before the jail denies nothing of it: getppid is no call
// that the jail allows.
var parentPID = os.Getppid()

func raise(resource int) syscall.Errno {
	limit := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	return raw(unix.SYS_PRLIMIT64, 0, uintptr(resource), ptr(&limit))
}

func mapPage(prot uintptr) syscall.Errno {
	return raw(unix.SYS_MMAP, 0, 4096, prot, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uintptr(0), 0)
}

func protect(prot int) syscall.Errno {
	b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return 0 // counted as success: the attempt was not made
	}
	return raw(unix.SYS_MPROTECT, ptr(&b[0]), 4096, uintptr(prot))
}

func TestForbiddenCallsAreDenied(t *testing.T) {
	for name := range forbidden {
		t.Run(name, func(t *testing.T) {
			got := attempt(t, name)
			if got == "killed" || got == "denied: "+unix.EACCES.Error() || got == "denied: "+unix.EPERM.Error() {
				return
			}
			if name == "clone3" && got == "denied: "+unix.ENOSYS.Error() {
				return
			}
			t.Errorf("%s: %s, want a denial or death", name, got)
		})
	}
}

func attempt(t *testing.T, name string) string {
	t.Helper()
	c := bounded(t, roleProbe+":"+name)
	defer end(c)
	if err := c.Send(kindAsk, nil); err != nil {
		t.Fatal(err)
	}
	_, answer, err := c.Receive(jail.Allowed{kindAnswer: 1 << 10})
	if err == nil {
		return string(answer)
	}
	if exit := c.Wait(); exit.BadSystemCall {
		return "killed"
	} else {
		return fmt.Sprintf("ended with %+v", exit)
	}
}
