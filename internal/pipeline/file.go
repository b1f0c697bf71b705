package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/krmsafe/krmsafe/internal/hashed"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
)

// MaxModuleBytes is the size up to which a module is read from disk; the same
// as the registry client's limit.
const MaxModuleBytes = sandbox.MaxModuleBytes

// fetchFile reads a module from disk, once and bounded, or takes the one that it
// was given.
func (j *judgement) fetchFile() error {
	name := cmp.Or(j.req.Name, j.req.File)
	j.request = policy.Request{Source: "file", Reference: name}
	j.report.Function = functionOf(j.req, Function{Source: "file", Reference: name, Layout: "file"})
	module := j.given
	tooLarge := module.Len() > MaxModuleBytes
	if j.req.Module == nil {
		data, err := readFile(j.req.File)
		if tooLarge = errors.Is(err, sandbox.ErrModuleSize); err != nil && !tooLarge {
			return err
		}
		if !tooLarge {
			module = hashed.Of(data)
		}
	}
	if tooLarge {
		j.refuse(StageFetch, "limit.module_bytes", fmt.Sprintf("%s is larger than a module may be, %d MiB", name, MaxModuleBytes>>20),
			"strip it (go build -ldflags=\"-s -w\", wasm-strip) or split the function")
		return nil
	}
	j.bytes = module
	j.report.Function.ModuleDigest = module.Digest()
	j.report.Function.SizeBytes = int64(module.Len())
	return nil
}

// readFile reads a module from a regular file; one that is too large is
// sandbox.ErrModuleSize.
func readFile(name string) ([]byte, error) {
	// Looked at before it is opened: opening a pipe waits for somebody to write.
	if info, err := os.Stat(name); err != nil {
		return nil, fmt.Errorf("reading the module: %w", err)
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading the module: %s is not a regular file", name)
	}
	f, err := os.Open(name) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, fmt.Errorf("reading the module: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the module: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading the module: %s is not a regular file", name)
	}
	data, err := sandbox.ReadModule(f, info.Size())
	if err != nil && !errors.Is(err, sandbox.ErrModuleSize) {
		return nil, fmt.Errorf("reading the module: %w", err)
	}
	return data, err
}
