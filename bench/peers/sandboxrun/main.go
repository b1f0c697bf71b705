// Command sandboxrun runs a WASI module through package sandbox alone: the jailed
// child, fuel and limits of krmsafe without signatures, policy and the comparison
// of what the function changed. It writes krmsafe's audit line of the run, as far
// as it is about the child, to a file.
//
//	sandboxrun CACHE ENGINE AUDIT MODULE <input >output
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/krmsafe/krmsafe/sandbox"
)

func main() {
	if sandbox.IsChild(os.Args) {
		os.Exit(sandbox.Child(os.Args))
	}
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sandboxrun:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	s, err := open(args[0], sandbox.Engine(args[1]))
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	file, err := readModule(args[3])
	if err != nil {
		return err
	}
	module, err := s.Inspect(file)
	if err != nil {
		return err
	}
	s.Expect(ctx, module, "")
	var input bytes.Buffer
	if _, err := input.ReadFrom(os.Stdin); err != nil {
		return err
	}
	result, err := s.Run(ctx, module, input.Bytes(), sandbox.Limits{
		MemoryPages: 57344, TableElements: 1e6, CallDepth: 1900, Fuel: 1e14, Timeout: 10 * time.Minute, CompileTimeout: 5 * time.Minute,
		CompileBytes: 2 << 30, OutputBytes: 256 << 20, StderrBytes: 1 << 20,
	})
	if err != nil {
		return err
	}
	if result.Stop != nil {
		return errors.New(result.Stop.Message)
	}
	if _, err := os.Stdout.Write(result.Stdout); err != nil {
		return err
	}
	audit, err := json.Marshal(map[string]any{"execution": map[string]any{
		"engine": result.Engine, "cpuNanoseconds": result.Usage.CPU, "peakBytes": result.Usage.PeakBytes, "memoryPages": result.Usage.MemoryPages,
	}})
	if err != nil {
		return err
	}
	return os.WriteFile(args[2], audit, 0o600)
}
