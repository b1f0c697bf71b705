package main

import (
	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/sandbox"
)

// sandboxFlags say how a module is run.
type sandboxFlags struct {
	engine string
	jail   string
}

func (f *sandboxFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.engine, "engine", "auto", "compiler, interpreter, or auto, which takes the cheaper one")
	flags.StringVar(&f.jail, "require-jail", "full", "how much the module's process must be confined: full, partial or none; less than full lowers safety")
	flags.StringVar(&f.jail, "jail", "full", "--require-jail")
	_ = flags.MarkHidden("jail") // the shorter word, for those who remember it
}

func (f *sandboxFlags) config() sandbox.Config {
	return sandbox.Config{Engine: sandbox.Engine(f.engine), Jail: sandbox.Jail(f.jail)}
}
