// Command kyamlrw reads a ResourceList with kyaml and writes it again. It is the
// measure for what krmsafe itself does around a function.
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/kustomize/kyaml/kio"
)

func main() {
	rw := &kio.ByteReadWriter{Reader: os.Stdin, Writer: os.Stdout, KeepReaderAnnotations: true, OmitReaderAnnotations: true}
	nodes, err := rw.Read()
	if err == nil {
		err = rw.Write(nodes)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kyamlrw:", err)
		os.Exit(1)
	}
}
