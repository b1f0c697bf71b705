package main

import (
	"bytes"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/sandbox"
)

func (a *app) cachePushCommand() *cobra.Command {
	var code compileCacheFlags
	var registry registryFlags
	cmd := &cobra.Command{
		Use:   "push REF",
		Short: "publish a function's compiled code beside it, to be signed",
		Long: `Publishes the compiled code of a function as an artifact that refers to it, in the
function's own repository, and prints the immutable reference that is to be
signed. Only the same version of krmsafe on the same kind of processor uses it.

Nobody takes it for having been published: it is used where the trust policy's
rule for the function names its signer under compiledCode, and nowhere else.
krmsafe signs nothing itself. Run the function once with --compile-cache fill
before, so that there is code to publish.`,
		Example: `  krmsafe run --image ghcr.io/acme/set-metadata:v1 --key acme.pub --compile-cache fill < in.yaml > /dev/null
  cosign sign $(krmsafe cache push ghcr.io/acme/set-metadata:v1)`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := oci.ParseRef(args[0])
			if err != nil {
				return err
			}
			client, err := registry.client(a, nil)
			if err != nil {
				return err
			}
			code.use = cacheUse
			f := cacheFlags{code: code}
			cache, err := f.openCode()
			if err != nil {
				return err
			}
			if cache == nil {
				return errNoCodeCache
			}
			defer func() { _ = cache.Close() }()
			reference, err := pushCode(cmd, client, cache, ref)
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(a.err, "krmsafe: published compiled code of %s; it is not signed yet\n", plain.Line(ref.String()))
			_, err = fmt.Fprintln(a.out, reference)
			return err
		},
	}
	registry.register(cmd)
	code.place(cmd)
	return cmd
}

// pushCode publishes the code that this program would use of what ref leads to.
func pushCode(cmd *cobra.Command, client *oci.Client, cache *sandbox.Cache, ref oci.Ref) (string, error) {
	artifact, err := client.Fetch(cmd.Context(), ref)
	if err != nil {
		return "", err
	}
	var archive bytes.Buffer
	n, err := cache.Export(&archive, []string{artifact.ModuleDigest})
	if err != nil {
		return "", err
	}
	if n == 0 {
		return "", &pipeline.UsageError{
			Message: fmt.Sprintf("there is no compiled code of %s that this krmsafe could use", ref.String()),
			Hint:    "run the function once with --compile-cache fill first",
		}
	}
	reference, _, err := client.PushCode(cmd.Context(), artifact, cache.CodeKey(artifact.ModuleDigest), archive.Bytes())
	return reference, err
}
