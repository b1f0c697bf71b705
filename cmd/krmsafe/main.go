// Command krmsafe runs Kubernetes configuration functions that were compiled
// to WebAssembly, if their signature and a Rego policy allow it, in a sandbox
// with hard limits. It knows flags, files, standard streams and exit codes; what
// is judged, and in which order, is known to internal/pipeline.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/KimMachineGun/automemlimit/memlimit"

	_ "github.com/krmsafe/krmsafe/cmd/krmsafe/internal/early/child"
	_ "github.com/krmsafe/krmsafe/cmd/krmsafe/internal/early/policychild"
	_ "github.com/krmsafe/krmsafe/cmd/krmsafe/internal/hold"
	"github.com/krmsafe/krmsafe/internal/pace"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/sandbox"
)

func main() {
	// A child of the sandbox or of the policy has ended before this begins: see
	// internal/early/child.
	os.Exit(realMain(places{system: systemConfig, home: passwdHome}))
}

func realMain(at places) int {
	pace.Begin(roomFor(memlimit.FromCgroup()), 100)
	if err := sandbox.Harden(); err != nil {
		fmt.Fprintln(os.Stderr, "krmsafe: error: protecting this process:", err)
		return pipeline.ExitError
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal ends the run in good order; a second one, or one that finds
	// krmsafe waiting for its input, ends it at once. Nothing was printed by then.
	context.AfterFunc(ctx, stop)
	return run(ctx, os.Args, streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}, os.Getenv, at)
}

// roomFor is how far the heap may grow before the collector begins, under the memory
// limit of the control group that this process is in. A run on a small input is over
// before there is anything to collect, and one that builds with ten functions nearly;
// but where memory is short, or it cannot be told, a run must not take more of it
// than it needs: the kernel ends what goes beyond, and says no reason.
func roomFor(limit uint64, err error) int64 {
	const enough, room, little = 1 << 30, 96 << 20, 24 << 20
	if errors.Is(err, memlimit.ErrNoLimit) || err == nil && limit >= enough {
		return room
	}
	return little
}
