package sealed_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/krmsafe/krmsafe/internal/sealed"
)

// fillTraced is a process that lets its parent trace the one thread with which it
// fills the store.
func fillTraced(dir, name string) int {
	runtime.LockOSThread()
	fmt.Println(unix.Gettid())
	if _, _, errno := unix.Syscall(unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0); errno != 0 {
		return 2
	}
	if unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGSTOP) != nil {
		return 3
	}
	s, err := sealed.Open(config(dir))
	if err != nil || s.Save([]byte(name), edition(name, 1)) != nil {
		return 4
	}
	return 0
}

// killAfter starts such a process and kills it when its thread has made so many
// system calls. It gives false if the process ended before, having filled the store.
// The calling thread must be locked: only it may trace.
func killAfter(t *testing.T, dir, name string, calls int) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "fill-traced", dir, name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	thread := 0
	if _, err := fmt.Fscan(bufio.NewReader(out), &thread); err != nil {
		t.Fatal(err)
	}
	killed, end := trace(t, thread, func(done int) bool {
		if done < calls {
			return false
		}
		_ = cmd.Process.Kill()
		return true
	})
	err = cmd.Wait()
	if thread == cmd.Process.Pid { // then its end was told to the tracer
		err = nil
	}
	if !killed && (err != nil || end != 0) {
		t.Fatalf("filling the store = %v, %#x", err, end)
	}
	return killed
}

// trace goes with a thread from system call to system call until it has ended; after
// each, and before the first, it asks strike, which says whether it has killed it.
func trace(t *testing.T, thread int, strike func(done int) bool) (killed bool, end unix.WaitStatus) {
	t.Helper()
	const call = unix.SIGTRAP | 0x80
	stops, signal := 0, 0
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(thread, &status, unix.WALL, nil); err != nil {
			t.Fatalf("tracing: %v", err)
		}
		switch {
		case status.Exited() || status.Signaled():
			return killed, status
		case stops == 0: // its SIGSTOP
			if err := unix.PtraceSetOptions(thread, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_EXITKILL); err != nil {
				t.Fatalf("tracing: %v", err)
			}
			stops++
		case status.StopSignal() == call:
			signal = 0
			stops++
		default:
			signal = int(status.StopSignal())
		}
		if stops%2 == 1 && !killed && strike(stops/2) { // each call stops it before and after
			killed = true
			continue
		}
		if err := unix.PtraceSyscall(thread, signal); err != nil && !killed {
			t.Fatalf("tracing: %v", err)
		}
		signal = 0
	}
}

// A process is killed after each system call of opening and filling a store, the
// making of its key among them. Nobody ever takes half an entry, and what it left is
// gone after the next one has filled the store.
func TestKilledAnywhereLeavesNoHalfEntry(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	calls, halves := 0, 0
	for again := true; again; calls++ {
		dir := home(t)
		again = killAfter(t, dir, "victim", calls)
		if half, _ := filepath.Glob(filepath.Join(dir, "*", "*.tmp")); len(half) > 0 {
			halves++
		}
		s := open(t, config(dir))
		if there, err := whole(s, "victim"); err != nil || !again && !there {
			t.Errorf("killed after %d calls: it is there: %v, %v", calls, there, err)
		}
		save(t, s, []byte("next"), edition("next", 1))
		for _, name := range []string{"victim", "next"} {
			if there, err := whole(s, name); err != nil || !there && name == "next" {
				t.Errorf("killed after %d calls: %s is there: %v, %v", calls, name, there, err)
			}
		}
		settled(t, dir, config(dir))
		if t.Failed() {
			return
		}
	}
	t.Logf("%d calls, half an entry or key after %d of them", calls, halves)
	if calls < 20 || halves < 5 {
		t.Errorf("it was killed after each of %d calls, %d times within its writing: the test does not see them all", calls, halves)
	}
}

// The same while other processes fill the folder, and look at every entry they find.
func TestKilledAmongOthersLeavesNoHalfEntry(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dir := home(t)
	others, s := fillers(t, dir, 2), open(t, crowded(dir))
	turn(t, others)
	await(t, others)
	names := []string{"shared", "own 0 1", "its own"}
	for calls, again := 0, true; again; calls += 3 {
		turn(t, others)
		again = killAfter(t, dir, names[calls/3%len(names)], calls)
		for _, name := range names {
			if _, err := whole(s, name); err != nil {
				t.Fatalf("killed after %d calls: %v", calls, err)
			}
		}
		await(t, others)
	}
	save(t, s, []byte("last"), edition("last", 1))
	settled(t, dir, crowded(dir))
	left, _ := filepath.Glob(filepath.Join(dir, "*", "*.tmp"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", strings.Join(left, ", "))
	}
}
