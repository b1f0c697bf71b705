//go:build linux && (amd64 || arm64)

package jail

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// platformLayers are what PartialUnsafe requires here: all but Landlock's, which
// older kernels lack.
var platformLayers = []string{
	LayerDescriptors, LayerUser, LayerCapabilities, LayerNoNewPrivs, LayerUndumpable, LayerParentDeath, LayerRlimits, LayerSeccomp,
}

// nobody is the user that root becomes; it owns nothing.
const nobody = 65534

// Layers that tests leave out, claiming that they hold or admitting that they do
// not. Nothing but export_test.go adds to them.
var skipped, lacking = map[string]bool{}, map[string]bool{}

// idleUse is what the process had mapped before it was given anything to do.
type idleUse struct{ addressBytes, dataBytes int64 }

// confine takes on every layer in order and says of each whether it holds. It
// goes on after a failure, so that the parent can name all that is missing. With
// file the child has one more descriptor, for mapping only.
func confine(level Level, file bool) (childReport, idleUse) {
	time.Sleep(time.Nanosecond) // opens the runtime's poller, whose descriptors must exist before RLIMIT_NOFILE
	idle, idleErr := readIdle()
	abi, _ := landlockABI()
	r := childReport{landlockABI: abi}
	steps := []struct {
		layer string
		take  func() error
	}{
		{LayerDescriptors, func() error { return closeStray(file) }},
		{LayerUser, dropRoot},
		{LayerCapabilities, dropCapabilities},
		{LayerNoNewPrivs, noNewPrivs},
		{LayerUndumpable, undumpable},
		{LayerParentDeath, dieWithParent},
		{LayerLandlockFS, func() error { return landlockAll(abi) }},
		{LayerLandlockNet, func() error { return landlockNet(abi) }},
		{LayerLandlockScope, func() error { return landlockScope(abi) }},
		{LayerRlimits, func() error { return errors.Join(idleErr, fixedRlimits()) }},
		{LayerSeccomp, func() error { return filterOne(file) }},
	}
	for _, s := range steps {
		err := errNotAsked
		switch {
		case lacking[s.layer], level == NoneUnsafe && s.layer != LayerDescriptors:
		case skipped[s.layer]:
			err = nil // the child lies, as one that was taken over could
		default:
			err = s.take()
		}
		state := LayerState{Layer: s.layer, Held: err == nil}
		if err != nil {
			state.Detail = clip(err.Error(), 200)
		}
		r.layers = append(r.layers, state)
	}
	return r, idle
}

var errNotAsked = errors.New("not asked for")

var errNone = errors.New("it succeeded")

// orNone names what should have been an error.
func orNone(err error) error {
	if err == nil {
		return errNone
	}
	return err
}

func clip(s string, n int) string { return s[:min(len(s), n)] }

// closeStray closes what the parent's other threads may have leaked. Only the
// runtime's own poller is kept beside the three pipes and the file to map.
func closeStray(file bool) error {
	open, err := listProc("/proc/self/fd")
	if err != nil {
		return err
	}
	pollers, events := 0, 0
	var buf [128]byte
	for _, fd := range open {
		if fd < 3 || file && fd == fileFD {
			continue
		}
		n, err := unix.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd), buf[:])
		if err != nil {
			continue // the folder's own descriptor is gone by now
		}
		switch string(buf[:n]) {
		case "anon_inode:[eventpoll]":
			pollers++
		case "anon_inode:[eventfd]":
			events++
		default:
			if err := unix.Close(fd); err != nil {
				return fmt.Errorf("closing descriptor %d: %w", fd, err)
			}
		}
	}
	if pollers > 1 || events > 1 {
		return fmt.Errorf("%d pollers and %d event counters are open, which are more than the runtime's own", pollers, events)
	}
	return nil
}

func dropRoot() error {
	if unix.Geteuid() == 0 || unix.Getuid() == 0 {
		if err := syscall.Setgroups(nil); err != nil {
			return fmt.Errorf("setgroups: %w", err)
		}
		if err := syscall.Setresgid(nobody, nobody, nobody); err != nil {
			return fmt.Errorf("setresgid: %w", err)
		}
		if err := syscall.Setresuid(nobody, nobody, nobody); err != nil {
			return fmt.Errorf("setresuid: %w", err)
		}
	}
	if r, e, s := unix.Getresuid(); r == 0 || e == 0 || s == 0 {
		return errors.New("still root")
	}
	return nil
}

// dropCapabilities empties the permitted, effective and inheritable sets, and
// with the last the ambient one, on every thread. Threads have them from the one
// that this process began with, so that where it has none, none has: the parent
// looks at all of them.
func dropCapabilities() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data, none [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	if data == none {
		return nil
	}
	//nolint:gosec // G103: capset takes addresses
	_, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&none[0])), 0)
	if errno != 0 {
		return fmt.Errorf("capset: %w", errno)
	}
	return nil
}

// noNewPrivs sets it for this thread. The other threads get it with the first
// Landlock ruleset, and with the first filter at the latest: the kernel hands it
// to all that it synchronises the filter with (seccomp(2)). The parent looks at
// every thread.
func noNewPrivs() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_NO_NEW_PRIVS): %w", err)
	}
	return nil
}

// undumpable is the whole process's: it belongs to its memory.
func undumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_DUMPABLE): %w", err)
	}
	return nil
}

// dieWithParent asks again for the signal, which changing the user has cleared,
// and makes sure that it is set. The kernel signals the process of any thread that
// has asked for it, and a thread of Go's runtime that is not locked never ends.
func dieWithParent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("prctl(PR_SET_PDEATHSIG): %w", err)
	}
	var got int32
	//nolint:gosec // G103: the kernel writes the signal to an address
	if err := unix.Prctl(unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&got)), 0, 0, 0); err != nil {
		return err
	}
	if got != int32(unix.SIGKILL) {
		return fmt.Errorf("signal %d is set", got)
	}
	return nil
}

func fixedRlimits() error {
	zero := unix.Rlimit{}
	for _, resource := range []int{unix.RLIMIT_CORE, unix.RLIMIT_FSIZE, unix.RLIMIT_NOFILE, unix.RLIMIT_MEMLOCK, unix.RLIMIT_MSGQUEUE} {
		if err := unix.Prlimit(0, resource, &zero, nil); err != nil {
			return fmt.Errorf("rlimit %d: %w", resource, err)
		}
	}
	return nil
}

// readIdle reads what is mapped now: limits must be relative to it, as an idle
// Go process reserves more than a gigabyte of addresses.
func readIdle() (idleUse, error) {
	status, err := readProc("/proc/self/status")
	if err != nil {
		return idleUse{}, err
	}
	u := idleUse{addressBytes: statusKB(status, "VmSize"), dataBytes: statusKB(status, "VmData")}
	if u.addressBytes <= 0 || u.dataBytes <= 0 {
		return idleUse{}, errors.New("/proc/self/status does not say what is mapped")
	}
	return u, nil
}

// statusKB gives a field of a status file in bytes, or -1.
func statusKB(status, field string) int64 {
	n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(statusField(status, field)), " kB"), 10, 64)
	if err != nil {
		return -1
	}
	return n * 1024
}

func statusField(status, field string) string {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// addressSlack is what the runtime may reserve without using it.
const addressSlack = 1 << 30

// lower sets the bounds that depend on what the child will do, hard and soft, as
// the runtime ignores the soft CPU limit's signal.
func lower(b Bounds, idle idleUse, level Level) error {
	if level == NoneUnsafe && idle.dataBytes <= 0 {
		return nil // a system that does not tell what is mapped leaves nothing to count from
	}
	for _, l := range []struct {
		resource int
		value    int64
	}{
		{unix.RLIMIT_DATA, idle.dataBytes + b.MemoryBytes},
		{unix.RLIMIT_AS, idle.addressBytes + b.MemoryBytes + addressSlack},
		{unix.RLIMIT_CPU, int64(b.CPUSeconds)}, //nolint:gosec // G115: the parent bounds it
	} {
		if l.value <= 0 {
			return fmt.Errorf("rlimit %d: %d is no bound", l.resource, l.value)
		}
		limit := unix.Rlimit{Cur: uint64(l.value), Max: uint64(l.value)}
		if err := unix.Prlimit(0, l.resource, &limit, nil); err != nil {
			return fmt.Errorf("rlimit %d: %w", l.resource, err)
		}
	}
	return nil
}
