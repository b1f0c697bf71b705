package sandbox_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// A prepared child that has died meanwhile is no verdict on the module.
func TestPreparedChildIsNotForever(t *testing.T) {
	s := newSandbox(t, sandbox.Config{})
	if _, err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	killChildren(t)
	r, err := s.Run(t.Context(), inspect(t, asm.Cat()), []byte("x"), ample())
	if err != nil || string(r.Stdout) != "x" {
		t.Errorf("Run = %+v, %v, want x from a new child", r, err)
	}
}

// killChildren kills every child of this process and waits until the kernel has
// done it.
func killChildren(t *testing.T) {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(b)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				continue
			}
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
			for range 1000 {
				if _, err := os.Stat("/proc/" + field); err != nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
			killed++
		}
	}
	if killed == 0 {
		t.Fatal("there was no child to kill")
	}
}
