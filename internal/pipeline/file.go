package pipeline

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"

	"github.com/krmsafe/krmsafe/internal/bulk"
	"github.com/krmsafe/krmsafe/internal/hashed"
	"github.com/krmsafe/krmsafe/policy"
)

// MaxModuleBytes is the size up to which a module is read from disk; the same
// as the registry client's limit.
const MaxModuleBytes = 64 << 20

// fetchFile reads a module from disk, once and bounded, or takes the one that it
// was given.
func (j *judgement) fetchFile() error {
	name := cmp.Or(j.req.Name, j.req.File)
	j.request = policy.Request{Source: "file", Reference: name}
	j.report.Function = functionOf(j.req, Function{Source: "file", Reference: name, Layout: "file"})
	module, size := j.given, int64(j.given.Len())
	if j.req.Module == nil {
		data, err := readFile(j.req.File, MaxModuleBytes)
		if err != nil {
			return err
		}
		if size = int64(len(data)); size <= MaxModuleBytes {
			module = hashed.Of(data)
		}
	}
	if size > MaxModuleBytes {
		j.refuse(StageFetch, "limit.module_bytes", fmt.Sprintf("%s is larger than a module may be, %d MiB", name, MaxModuleBytes>>20),
			"strip it (go build -ldflags=\"-s -w\", wasm-strip) or split the function")
		return nil
	}
	j.bytes = module
	j.report.Function.ModuleDigest = module.Digest()
	j.report.Function.SizeBytes = size
	return nil
}

// readFile reads a regular file up to one byte beyond limit.
func readFile(name string, limit int64) ([]byte, error) {
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
	data := bytes.NewBuffer(bulk.Make(int(min(info.Size(), limit)) + bytes.MinRead)[:0])
	if _, err := data.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, fmt.Errorf("reading the module: %w", err)
	}
	return data.Bytes(), nil
}
