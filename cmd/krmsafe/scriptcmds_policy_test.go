package main_test

import (
	"github.com/rogpeppe/go-internal/testscript"
)

// reports CODE krmsafe ARGS… runs a verb whose product is a report, and wants
// that exit code and a report on standard output, whatever the code.
func reports(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: reports CODE COMMAND ARGS…")
	}
	got, want := exitCode(ts, args)
	if got != want {
		ts.Fatalf("%v: exit code %d, want %d", args[1:], got, want)
	}
	if ts.ReadFile("stdout") == "" {
		ts.Fatalf("%v: there is no report", args[1:])
	}
}
