// Image-policy is a KRM function that judges the container images of every workload
// and reports what it finds as results. Its functionConfig is described by
// internal/imagepolicy/definition.yaml.
package main

import (
	"os"

	"github.com/krmsafe/krmsafe/testdata/functions/internal/function"
	"github.com/krmsafe/krmsafe/testdata/functions/internal/imagepolicy"
)

//nolint:forbidigo // a main with nothing below it
func main() {
	os.Exit(function.Run(imagepolicy.Processor(), os.Stdin, os.Stdout, os.Stderr))
}
