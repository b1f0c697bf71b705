package main_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// refuses CODE krmsafe ARGS… runs a verb that a client starts, and wants that exit
// code, a reason on standard error, and on standard output a ResourceList with the
// one resource of the script's input and an error among its results.
func refuses(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: refuses CODE COMMAND ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Exec returns it as it is
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	out := ts.ReadFile("stdout")
	switch {
	case got != want || want == 0:
		ts.Fatalf("%v: exit code %d, want %d", args[1:], got, want)
	case !strings.Contains(ts.ReadFile("stderr"), "krmsafe: error: "):
		ts.Fatalf("%v: no reason on standard error", args[1:])
	case strings.Count(out, "kind: ResourceList\n") != 1 || !strings.Contains(out, "name: settings") || !strings.Contains(out, "severity: error"):
		ts.Fatalf("%v: refused, and on standard output there is: %q", args[1:], out)
	}
}

// expand FILE replaces $VARIABLES in a file, for those whose readers want absolute
// paths.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
}
