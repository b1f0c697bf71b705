package main

import (
	"bytes"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// maxShimBytes bounds a shim file.
const maxShimBytes = 64 << 10

func (a *app) shimCommand() *cobra.Command {
	f := &execFlags{}
	cmd := &cobra.Command{
		Use:   "shim FILE",
		Short: "run the function that an executable text file names",
		Long: `Runs a function as krmsafe exec does. The module is named by a file that begins
with "#!/usr/bin/env -S krmsafe shim" and goes on with what a function annotation
holds. Made executable, the file is a program that kustomize and kpt can start. A
module's file in it is relative to the shim file's own folder.

Nothing else stands in it: whom to trust and which policy decides is read from the
operator's configuration alone, and the arguments may only tighten it.`,
		Annotations: map[string]string{foreign: foreignArguments},
		Example: `  $ cat set-metadata
  #!/usr/bin/env -S krmsafe shim
  wasip1:
    image: ghcr.io/acme/set-metadata:v1`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			named := func(_ *wrapped, req *pipeline.Request) error { return namedByShim(req, args[0]) }
			return (&wrapped{app: a, cmd: cmd, flags: f, named: named}).serve(cmd.Context())
		},
	}
	f.register(cmd)
	hideRefused(cmd)
	return cmd
}

// namedByShim takes the module from a shim file.
func namedByShim(req *pipeline.Request, name string) error {
	data, err := readBounded(name, maxShimBytes)
	if err != nil {
		return err
	}
	// What is no shim is not quoted in an error either: a tree names the file.
	if first, _, _ := bytes.Cut(data, []byte("\n")); !bytes.HasPrefix(first, []byte("#!")) || !bytes.Contains(first, []byte("krmsafe")) {
		return &pipeline.UsageError{
			Message: fmt.Sprintf("%s is no shim file", name), Hint: `its first line is "#!/usr/bin/env -S krmsafe shim"`,
		}
	}
	spec, err := krm.ParseFunctionBlock(name, data)
	if err != nil {
		return misconfigured(err)
	}
	req.Image, req.File = spec.Image, spec.File
	return confine(req, filepath.Dir(name))
}
