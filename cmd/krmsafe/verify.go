package main

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/report"
	"github.com/krmsafe/krmsafe/policy"
)

func (a *app) verifyCommand() *cobra.Command {
	var f moduleFlags
	var output string
	cmd := &cobra.Command{
		Use:   "verify [REF|FILE]",
		Short: "say who signed a module, and whether that is enough",
		Long: `Fetches what is attached to an image, or takes --bundle for a local file, and
says who signed it, when, and which rule of the trust policy it met. Where it
met none, each candidate is listed with what it lacked; for a signature by an
identity that nobody trusts, with the flags that would trust it.

The module is neither inspected nor run. Verification itself opens no
connection: time and logs are proved by what the evidence carries.`,
		Example: `  krmsafe verify ghcr.io/acme/set-metadata:v1 --key acme.pub
  krmsafe verify ./fn.wasm --bundle fn.sigstore.json \
    --certificate-identity release@acme.example --certificate-oidc-issuer https://accounts.google.com`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			code, err := a.verifyModule(cmd.Context(), f, output, args)
			a.code = code
			return err
		},
	}
	f.register(cmd)
	_ = cmd.Flags().MarkHidden("allow-unsigned") // there is nothing to verify about what nobody signed
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func (a *app) verifyModule(ctx context.Context, f moduleFlags, output string, args []string) (int, error) {
	if err := oneOf("--output", output, "text", "json"); err != nil {
		return 0, err
	}
	if f.allowUnsigned {
		return 0, &pipeline.UsageError{Message: "--allow-unsigned says that no signature is asked for: there is nothing to verify"}
	}
	if err := nameArgument(&f, args); err != nil {
		return 0, err
	}
	rep, err := a.verified(ctx, f)
	if err != nil {
		return 0, err
	}
	code := rep.Outcome.ExitCode()
	if output == "json" {
		return code, report.JSON(a.out, rep)
	}
	if code != pipeline.ExitOK {
		return code, report.Text(a.err, rep, report.Options{})
	}
	return code, report.Signers(a.out, rep)
}

// verified runs the pipeline up to and including verification.
func (a *app) verified(ctx context.Context, f moduleFlags) (*pipeline.Report, error) {
	client, verifier, err := f.judges(a)
	if err != nil {
		return nil, err
	}
	bundles, err := f.trust.readBundles()
	if err != nil {
		return nil, err
	}
	// A Pipeline always has a policy; this verb does not ask it.
	p, err := pipeline.New(pipeline.Config{Registry: client, Verifier: verifier, Policy: policy.Closed(), KRM: krm.DefaultLimits()})
	if err != nil {
		return nil, err
	}
	return p.Verify(ctx, pipeline.Request{
		Image: f.image, File: f.file, Bundles: bundles, Input: &krm.ResourceList{}, FailOn: pipeline.FailNever,
	})
}

// nameArgument takes the argument as a file if there is one of that name, or if
// it looks like one, and as a reference otherwise.
func nameArgument(f *moduleFlags, args []string) error {
	if len(args) == 0 {
		if f.image == "" && f.file == "" {
			return &pipeline.UsageError{Message: "no module is named", Hint: "name it as an argument: a reference, or the path of a file"}
		}
		return nil
	}
	if f.image != "" || f.file != "" {
		return &pipeline.UsageError{Message: "the module is named twice", Hint: "use either the argument or the flag"}
	}
	name := args[0]
	_, err := os.Stat(name)
	looksLikeFile := strings.HasSuffix(name, ".wasm") || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "../")
	if err == nil || looksLikeFile {
		f.file = name
	} else {
		f.image = name
	}
	return nil
}
