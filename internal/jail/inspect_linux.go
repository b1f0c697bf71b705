//go:build linux && (amd64 || arm64)

package jail

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// parentState is what the thread that starts a child passes on to it.
type parentState struct{ filters int }

// tightened is what a child's threads are compared with after Tighten, which
// adds one more filter.
func (p parentState) tightened() parentState { return parentState{filters: p.filters + 1} }

// observeParent counts the filters of the calling thread: a container may have
// installed some, so that the mode alone proves nothing.
func observeParent() (parentState, error) {
	status, err := readProc("/proc/thread-self/status")
	if err != nil {
		return parentState{}, err
	}
	n, err := strconv.Atoi(statusField(status, "Seccomp_filters"))
	if err != nil {
		return parentState{}, errors.New("the kernel does not count seccomp filters: Linux 5.9 does")
	}
	return parentState{filters: n}, nil
}

// inspectProcess asks the kernel how every thread of a process is confined, and
// gives for each layer that it can see and that does not hold what it found.
func inspectProcess(pid int, before parentState) map[string]string {
	denials := map[string]string{}
	threads, err := listProc(fmt.Sprintf("/proc/%d/task", pid))
	if err == nil && len(threads) == 0 {
		err = errors.New("no thread is visible")
	}
	for _, tid := range threads {
		var status string
		status, err = readProc(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid))
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
			err = nil // a thread that has ended; the others decide
			continue
		}
		if err != nil {
			break
		}
		inspectThread(status, before, denials)
	}
	// Neither Kill nor the parent's death ends a child of another user whose
	// parent may not signal it: the kernel checks both alike (kill(2)).
	if killErr := unix.Kill(pid, 0); killErr != nil {
		denials[LayerParentDeath] = "this process may not kill its child: it needs CAP_KILL, or to be run by a user who is not root"
	}
	if err != nil {
		for _, layer := range []string{LayerUser, LayerCapabilities, LayerNoNewPrivs, LayerSeccomp} {
			denials[layer] = "the kernel does not show the child: " + clip(err.Error(), 100)
		}
	}
	return denials
}

func inspectThread(status string, before parentState, denials map[string]string) {
	uids := strings.Fields(statusField(status, "Uid"))
	if len(uids) != 4 {
		denials[LayerUser] = "the kernel does not show its user"
	}
	for _, uid := range uids {
		if uid == "0" {
			denials[LayerUser] = "the kernel says it is root"
		}
	}
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
		if v := statusField(status, set); strings.Trim(v, "0") != "" || v == "" {
			denials[LayerCapabilities] = fmt.Sprintf("the kernel says %s is %q", set, v)
		}
	}
	if v := statusField(status, "NoNewPrivs"); v != "1" {
		denials[LayerNoNewPrivs] = fmt.Sprintf("the kernel says NoNewPrivs is %q", v)
	}
	want := strconv.Itoa(before.filters + 1)
	if v, mode := statusField(status, "Seccomp_filters"), statusField(status, "Seccomp"); v != want || mode != "2" {
		denials[LayerSeccomp] = fmt.Sprintf("the kernel counts %q filters in mode %q, want %s in mode 2", v, mode, want)
	}
}

// verifyBounds reads the child's limits as the kernel holds them. A kernel that
// does not show them leaves nothing to go by.
func verifyBounds(pid int, b Bounds) error {
	limits, err := readProc(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return fmt.Errorf("bounding a jailed child: %w", err)
	}
	for _, l := range []struct {
		name string
		most uint64
	}{
		{"Max cpu time", b.CPUSeconds},
		{"Max data size", uint64(b.MemoryBytes) + idleMost},        //nolint:gosec // G115: positive
		{"Max address space", uint64(b.MemoryBytes) + 64*idleMost}, //nolint:gosec // G115: positive
	} {
		if err := verifyLimit(limits, l.name, l.most); err != nil {
			return err
		}
	}
	return nil
}

func verifyLimit(limits, name string, most uint64) error {
	for line := range strings.Lines(limits) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok {
			continue
		}
		f := strings.Fields(rest)
		if len(f) < 2 || f[0] != f[1] {
			return fmt.Errorf("bounding a jailed child: %s is %q", name, strings.TrimSpace(rest))
		}
		if v, err := strconv.ParseUint(f[1], 10, 64); err != nil || v > most {
			return fmt.Errorf("bounding a jailed child: %s is %q, want at most %d", name, f[1], most)
		}
		return nil
	}
	return fmt.Errorf("bounding a jailed child: the kernel does not show %s", name)
}
