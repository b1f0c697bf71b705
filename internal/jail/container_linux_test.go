package jail_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/krmsafe/krmsafe/internal/jail"
)

// Inside a container a filter is in force already, and with it "Seccomp: 2": the
// jail must still hold there, and a child without its own filter must be seen.
func TestInsideAContainersFilter(t *testing.T) {
	for _, tc := range []struct{ role, want string }{
		{roleEcho, "complete: true"},
		{roleSkip + ":" + jail.LayerSeccomp, "filters in mode \"2\", want "},
	} {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestHelperContainer$", "-test.v")
		cmd.Env = append(os.Environ(), "JAIL_HELPER_CONTAINER="+tc.role)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), tc.want) {
			t.Errorf("%s: %v, want %q in\n%s", tc.role, err, tc.want, out)
		}
	}
}

// Whoever starts the program may leave anything open: an event counter looks like
// the one of Go's runtime. A child that has two cannot tell which to close and must
// be refused; a program that was hardened hands none on.
func TestInheritedEventCounter(t *testing.T) {
	counter, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(counter), "event counter")
	defer f.Close() //nolint:errcheck // it was never written to
	for _, tc := range []struct{ how, want string }{
		{"plain", "2 event counters are open"},
		{"harden", "complete: true"},
		{"each", "complete: true"},
	} {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestHelperInherits$", "-test.v")
		cmd.Env, cmd.ExtraFiles = append(os.Environ(), "JAIL_HELPER_INHERITS="+tc.how), []*os.File{f}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), tc.want) {
			t.Errorf("%s: %v, want %q in\n%s", tc.how, err, tc.want, out)
		}
	}
}

// TestHelperInherits is the process that TestInheritedEventCounter starts.
func TestHelperInherits(t *testing.T) {
	how := os.Getenv("JAIL_HELPER_INHERITS")
	if how == "" {
		return
	}
	switch how {
	case "harden":
		if err := jail.Harden(); err != nil {
			t.Fatal(err)
		}
	case "each":
		jail.KeepEachFromChildren()
	}
	logStart(t, roleEcho)
}

// TestHelperContainer is the process that TestInsideAContainersFilter starts.
func TestHelperContainer(t *testing.T) {
	role := os.Getenv("JAIL_HELPER_CONTAINER")
	if role == "" {
		return
	}
	if err := jail.AllowAll(); err != nil {
		t.Fatal(err)
	}
	logStart(t, role)
}

// logStart starts a child and logs whether it is confined, or why not.
func logStart(t *testing.T, role string) {
	t.Helper()
	c, err := jail.Start(t.Context(), jail.Config{Role: role})
	if err != nil {
		t.Log(err)
		return
	}
	defer end(c)
	t.Logf("complete: %v", c.Report().Complete())
}
