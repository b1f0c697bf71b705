// Stamp writes the module of package stamp to stdout. The Makefile runs it to build
// bin/functions/stamp.wasm.
package main

import (
	"fmt"
	"os"

	"github.com/krmsafe/krmsafe/internal/testkit/stamp"
)

func main() {
	if _, err := os.Stdout.Write(stamp.Module()); err != nil {
		fmt.Fprintln(os.Stderr, "stamp: writing the module:", err)
		os.Exit(1)
	}
}
