package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/sandbox"
)

func (a *app) pullCommand() *cobra.Command {
	var f registryFlags
	var dir string
	cmd := &cobra.Command{
		Use:   "pull REF",
		Short: "copy a module and all evidence about it into an OCI layout",
		Long: `Fetches a module, its manifest, and every signature and attestation attached to
it, and writes them to a new OCI layout, for use where there is no network:

  krmsafe run --image oci-layout:DIR:TAG …

Nothing in the layout is trusted for having been pulled: a run from it verifies
as a run from the registry does. What is printed is the digest.`,
		Example: "  krmsafe pull ghcr.io/acme/set-metadata:v1 -o ./vendor/set-metadata",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if dir == "" {
				return &pipeline.UsageError{Message: "the folder to write to is not named", Hint: "krmsafe pull REF -o DIR"}
			}
			ref, err := oci.ParseRef(args[0])
			if err != nil {
				return err
			}
			client, err := f.client(a, nil)
			if err != nil {
				return err
			}
			artifact, err := client.Pull(cmd.Context(), ref, dir)
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(a.err, "krmsafe: pulled %s with %d signature(s) and attestation(s) into %s; none is verified yet\n",
				plain.Line(ref.String()), len(artifact.Evidence), plain.Line(dir))
			_, err = fmt.Fprintln(a.out, artifact.Digest)
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().StringVarP(&dir, "output", "o", "", "folder of the OCI layout; it must not exist, or be empty")
	return cmd
}

func (a *app) pushCommand() *cobra.Command {
	var f registryFlags
	var annotations []string
	cmd := &cobra.Command{
		Use:   "push FILE REF",
		Short: "publish a module as an OCI artifact",
		Long: `Publishes a module in the CNCF Wasm layout, to a registry or into an OCI layout,
and prints the immutable reference that is to be signed. The same module and
annotations give the same digest at any time. A module that krmsafe would not
run is not published.`,
		Example: `  cosign sign $(krmsafe push set-metadata.wasm ghcr.io/acme/set-metadata:v1)`,
		Args:    usage(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := oci.ParseRef(args[1])
			if err != nil {
				return err
			}
			opts := oci.PushOptions{Annotations: map[string]string{}}
			for _, pair := range annotations {
				key, value, ok := strings.Cut(pair, "=")
				if !ok || key == "" {
					return &pipeline.UsageError{Message: fmt.Sprintf("--annotation %q is not KEY=VALUE", pair)}
				}
				opts.Annotations[key] = value
			}
			module, err := readBounded(args[0], pipeline.MaxModuleBytes)
			if err != nil {
				return fmt.Errorf("reading the module: %w", err)
			}
			if _, err := sandbox.Inspect(module); err != nil {
				return fmt.Errorf("%s cannot be run, and so is not published: %w", args[0], err)
			}
			client, err := f.client(a, nil)
			if err != nil {
				return err
			}
			digest, err := client.Push(cmd.Context(), ref, module, opts)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, immutable(ref, digest))
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().StringArrayVar(&annotations, "annotation", nil, "KEY=VALUE to write into the manifest (repeat for several)")
	return cmd
}

// immutable is the reference by digest alone.
func immutable(ref oci.Ref, digest string) string {
	if ref.Source == oci.SourceLayout {
		return "oci-layout:" + ref.Dir + "@" + digest
	}
	return ref.Registry + "/" + ref.Repository + "@" + digest
}
