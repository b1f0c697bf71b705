package sandbox

import (
	"context"
	"fmt"

	"github.com/krmsafe/krmsafe/internal/jail"
)

// role is the name under which children of this package are started.
const role = "sandbox"

// IsChild reports whether args, the program's argument list, are those of a
// child that a Sandbox started. See the package's documentation.
func IsChild(args []string) bool { return jail.IsChild(args, role) }

// Child is the life of such a child: it confines the process, runs one module
// that it gets from its parent, and returns the code with which main must exit
// at once. Call it first thing in main, before anything is opened.
func Child(args []string) int {
	//nolint:forbidigo // this is the child's main; its deadline is a signal
	return jail.Serve(args, role, func(in *jail.Inside) error { return serve(context.Background(), in) })
}

// serve runs one module.
func serve(ctx context.Context, in *jail.Inside) error {
	payload, err := in.Receive(kindJob, jobBytes)
	if err != nil {
		return err
	}
	j, err := decodeJob(payload)
	if err != nil {
		return err
	}
	module, err := in.Receive(kindModule, maxModuleBytes)
	if err != nil {
		return err
	}
	stdin, err := in.Receive(kindInput, maxInputBytes)
	if err != nil {
		return err
	}
	m := newMachine(j)
	if err := m.compile(ctx, module); err != nil {
		return in.Send(kindResult, outcome{code: CodeModuleEngine, detail: firstLine(err.Error())}.encode())
	}
	if err := in.Tighten(); err != nil {
		return fmt.Errorf("tightening the jail: %w", err)
	}
	if err := in.Send(kindCompiled, nil); err != nil {
		return err
	}
	return in.Send(kindResult, m.run(ctx, stdin).encode())
}
