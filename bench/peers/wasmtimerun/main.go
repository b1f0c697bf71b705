// Command wasmtimerun runs a WASI module that wasmtime compiled ahead of time, or
// compiles one. The compiled file is mapped, not read. Without cgo it says so and
// does nothing.
//
//	wasmtimerun compile FUEL MODULE COMPILED
//	wasmtimerun run FUEL COMPILED [NAME=VALUE...] <input >output
package main

import (
	"fmt"
	"os"
)

func main() {
	var err error
	switch os.Args[1] {
	case "compile":
		err = compile(os.Args[2] == "fuel", os.Args[3], os.Args[4])
	case "run":
		err = run(os.Args[2] == "fuel", os.Args[3], os.Args[4:])
	default:
		err = fmt.Errorf("no verb %q", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wasmtimerun:", err)
		os.Exit(1)
	}
}
