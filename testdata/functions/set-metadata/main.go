// Set-metadata is a KRM function that adds labels and annotations to every resource
// and to the pod templates inside them. Its functionConfig is described by
// internal/setmetadata/definition.yaml.
package main

import (
	"os"

	"github.com/krmsafe/krmsafe/testdata/functions/internal/function"
	"github.com/krmsafe/krmsafe/testdata/functions/internal/setmetadata"
)

//nolint:forbidigo // a main with nothing below it
func main() {
	os.Exit(function.Run(setmetadata.Processor(), os.Stdin, os.Stdout, os.Stderr))
}
