// Command krmsafe runs Kubernetes configuration functions that were compiled
// to WebAssembly, if their signature and a Rego policy allow it, in a sandbox
// with hard limits. It knows flags, files, standard streams and exit codes; what
// is judged, and in which order, is known to internal/pipeline.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
)

func main() {
	if sandbox.IsChild(os.Args) {
		os.Exit(sandbox.Child(os.Args))
	}
	if policy.IsChild(os.Args) {
		os.Exit(policy.Child(os.Args))
	}
	os.Exit(realMain())
}

func realMain() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}, os.Getenv)
}
