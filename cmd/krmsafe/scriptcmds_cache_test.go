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
	changeCode(ts, args[0], func(entry []byte) []byte {
		entry[len(entry)-1] ^= 1
		return entry
	})
}

// cutCode DIR leaves nothing but the first bytes of the largest entry.
func cutCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: cut-code DIR")
	}
	changeCode(ts, args[0], func(entry []byte) []byte { return entry[:20] })
}

func changeCode(ts *testscript.TestScript, dir string, change func([]byte) []byte) {
	names, err := filepath.Glob(filepath.Join(ts.MkAbs(dir), "*.sealed"))
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
	ts.Check(os.Chmod(largest, 0o600))
	ts.Check(os.WriteFile(largest, change(entry), 0o600))
}
