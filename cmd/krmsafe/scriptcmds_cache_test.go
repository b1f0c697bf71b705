package main_test

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// let NAME sets a variable to what the last command printed.
func let(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: let NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// tamperCode DIR changes the last byte of the largest entry of compiled code.
func tamperCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tamper-code DIR")
	}
	names, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*.sealed"))
	ts.Check(err)
	var largest string
	var entry []byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		ts.Check(err)
		if len(data) > len(entry) {
			largest, entry = name, data
		}
	}
	entry[len(entry)-1] ^= 1
	ts.Check(os.Chmod(largest, 0o600))
	ts.Check(os.WriteFile(largest, entry, 0o600))
}
