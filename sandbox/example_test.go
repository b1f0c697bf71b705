package sandbox_test

import (
	"context"
	"fmt"
	"time"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/sandbox"
)

// A program whose main begins with the hook (see the package's documentation)
// runs a module it does not trust.
func Example() {
	module, err := sandbox.Inspect(asm.Cat()) // the bytes of any WASI command
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := sandbox.New(sandbox.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = s.Close() }()
	result, err := s.Run(context.Background(), module, []byte("kind: ResourceList"), sandbox.Limits{
		MemoryPages: 1024, TableElements: 10_000, CallDepth: 1000, Fuel: 1_000_000_000,
		Timeout: 10 * time.Second, CompileTimeout: 5 * time.Second, CompileBytes: 256 << 20,
		OutputBytes: 1 << 20, StderrBytes: 64 << 10,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if result.Stop != nil {
		fmt.Println(result.Stop.Message, result.Stop.Hint)
		return
	}
	fmt.Println(string(result.Stdout), result.Jail.Complete())
	// Output: kind: ResourceList true
}

// What a module's bytes say of it is known without running it.
func ExampleInspect() {
	module, err := sandbox.Inspect(asm.Cat())
	if err != nil {
		fmt.Println(err)
		return
	}
	facts := module.Facts()
	fmt.Println(facts.EntryPoint, facts.ImportClasses, facts.Memory.MinPages)
	// Output: _start [process stdio] 1
}
