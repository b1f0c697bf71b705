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
	goerrors "errors"
	"fmt"
	"io"
	"slices"
	"strings"

	validation "k8s.io/kube-openapi/pkg/validation/errors"
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
// unchanged, and Run adds none of its own. kyaml drops an annotations field that is empty.
func Run(p framework.ResourceListProcessor, stdin io.Reader, stdout, stderr io.Writer) int {
	var list bytes.Buffer
	err := framework.Execute(p, &kio.ByteReadWriter{
		Reader:                stdin,
		Writer:                &list,
		OmitReaderAnnotations: true,
		KeepReaderAnnotations: true,
	})
	if _, werr := stdout.Write(list.Bytes()); werr != nil {
		_, _ = fmt.Fprintf(stderr, "writing the resource list: %v\n", werr)
		return 1
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
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
			return errors.Errorf("functionConfig %q: %s", config.GetName(), strings.Join(causes(err), "; "))
		}
		if err := rl.Filter(filter); err != nil {
			return err
		}
		return failure(rl.Results)
	})
}

// causes returns the messages of a validation error one by one and sorted, since the
// validator walks maps, without the words that assume the body of a web request.
func causes(err error) []string {
	var list *validation.CompositeError
	if !goerrors.As(err, &list) {
		return []string{strings.TrimPrefix(strings.Replace(err.Error(), " in body", "", 1), ".")}
	}
	var messages []string
	for _, e := range list.Errors {
		messages = append(messages, causes(e)...)
	}
	slices.Sort(messages)
	return messages
}

// failure is the error that results with severity error amount to, one line for each,
// or nil where there are none.
func failure(results framework.Results) error {
	var lines []string
	for _, r := range results {
		if r.Severity == framework.Error {
			lines = append(lines, r.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.Errorf("%s", strings.Join(lines, "\n"))
}
