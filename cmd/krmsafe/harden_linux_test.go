package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// TestProcessIsHardened looks at a krmsafe that waits for its input: it can leave no
// core, not even if its user raised the limit (SR-33).
func TestProcessIsHardened(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = []string{"krmsafe", "run", "--file", "none.wasm", "--allow-unsigned", "--cache-dir", "none"}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close(); _ = cmd.Wait() }()
	hardened := regexp.MustCompile(`Max core file size +0 +0 `)
	limits := filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "limits")
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if text, err := os.ReadFile(limits); err == nil && hardened.Match(text) {
			return
		}
	}
	t.Error("the process can leave a core: it was not hardened")
}
