package kustomize_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/kustomize"
)

// TestMain lets the test binary be a program that builds one tree and says what processes it started.
func TestMain(m *testing.M) {
	if dir := os.Getenv("KRMSAFE_TEST_BUILD"); dir != "" {
		_, err := kustomize.Build(context.Background(), dir, kustomize.Options{Runner: library(), Root: dir, Getenv: os.Getenv})
		fmt.Printf("children: %s\nerror: %v\n", children(), err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// children says, on Linux, whether this process has waited for a child, by the page faults of those; and which ones it
// has left.
func children() string {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return "unknown"
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest) // from the third one on
	left, _ := os.ReadFile("/proc/self/task/" + strings.Fields(string(stat))[0] + "/children")
	if fields[8] == "0" && strings.TrimSpace(string(left)) == "" { // cminflt
		return "none"
	}
	return "some"
}
