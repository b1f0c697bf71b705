package jail_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

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

// TestHelperContainer is the process that TestInsideAContainersFilter starts.
func TestHelperContainer(t *testing.T) {
	role := os.Getenv("JAIL_HELPER_CONTAINER")
	if role == "" {
		return
	}
	if err := jail.AllowAll(); err != nil {
		t.Fatal(err)
	}
	c, err := jail.Start(t.Context(), jail.Config{Role: role})
	if err != nil {
		t.Log(err)
		return
	}
	defer end(c)
	t.Logf("complete: %v", c.Report().Complete())
}
