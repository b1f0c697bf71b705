package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/policy"
)

// runtimeFacts is what a policy is told of the place where a module runs.
func runtimeFacts(engine, jail string) policy.Runtime {
	return policy.Runtime{Engine: engine, Jail: jail, OS: runtime.GOOS, Arch: runtime.GOARCH}
}

// readBounded reads a file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return readAll(f, name, limit)
}

// readAll reads r to its end, or fails where that lies beyond limit bytes.
func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1)) //nolint:forbidigo // bounded by the line itself
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("reading %s: it is larger than %d bytes", name, limit)
	}
	return data, nil
}

// oneOf checks a flag that takes one of a few words.
func oneOf(flag, value string, words ...string) error {
	if slices.Contains(words, value) {
		return nil
	}
	return &pipeline.UsageError{Message: fmt.Sprintf("%s %q is unknown", flag, value), Hint: "use " + strings.Join(words, ", ")}
}
