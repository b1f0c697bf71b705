// Package function turns a kyaml processor into a program: a ResourceList on one
// stream, a ResourceList on another, an exit code. It knows the calling convention
// of KRM functions and nothing of what a function does.
//
// # Why not framework/command
//
// kyaml's own command builder brings cobra, whose help templates make the Go linker
// keep every exported method of every type. The functions of this module are half
// the size without it, and a sandboxed function has no command line to parse.
package function

import (
	"bytes"
	"fmt"
	"io"

	"sigs.k8s.io/kustomize/kyaml/errors"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/kio"
)

// Run reads one ResourceList from stdin, hands it to p and writes what p left to
// stdout. It returns the exit code: 0 when p succeeded, 1 otherwise, and then one
// line for each cause is on stderr. A function that fails by its own results still
// writes the list that carries them.
//
// Annotations that the caller put on items, such as a path or an index, come back
// unchanged, and Run adds none of its own.
func Run(p framework.ResourceListProcessor, stdin io.Reader, stdout, stderr io.Writer) int {
	var list bytes.Buffer
	err := framework.Execute(p, &kio.ByteReadWriter{
		Reader:                stdin,
		Writer:                &list,
		OmitReaderAnnotations: true,
		KeepReaderAnnotations: true,
	})
	if _, werr := stdout.Write(list.Bytes()); werr != nil {
		fmt.Fprintf(stderr, "writing the resource list: %v\n", werr)
		return 1
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// ForConfig returns a processor for functions that read one kind of functionConfig.
// It calls build for a fresh filter at every list, and refuses a functionConfig that
// is absent or of another kind or apiVersion before any schema is consulted. The
// results that the filter reports with severity error become the processor's error,
// so that callers who look at the exit code alone see them.
func ForConfig(apiVersion, kind string, build func() kio.Filter) framework.ResourceListProcessor {
	return framework.ResourceListProcessorFunc(func(rl *framework.ResourceList) error {
		config := rl.FunctionConfig
		if config.IsNilOrEmpty() {
			return errors.Errorf("functionConfig is missing: this function reads kind %s of %s", kind, apiVersion)
		}
		if config.GetKind() != kind || config.GetApiVersion() != apiVersion {
			return errors.Errorf("functionConfig is kind %q of %q: this function reads kind %s of %s",
				config.GetKind(), config.GetApiVersion(), kind, apiVersion)
		}
		filter := build()
		if err := framework.LoadFunctionConfig(config, filter); err != nil {
			return errors.WrapPrefixf(err, "functionConfig %q", config.GetName())
		}
		if err := rl.Filter(filter); err != nil {
			return err
		}
		if rl.Results.ExitCode() != 0 {
			return rl.Results
		}
		return nil
	})
}
