package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/verify"
)

func (a *app) trustCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "make, check and import trust policies",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.trustCheckCommand(), a.trustImportCommand(), a.trustRootCommand(), a.trustUpdateCommand())
	return cmd
}

func (a *app) trustCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "check FILE",
		Short:   "check a trust policy file without using it",
		Example: "  krmsafe trust check trust.yaml",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			policy, err := readTrustPolicy(args[0])
			if err != nil {
				return err
			}
			if _, err := verify.New(policy); err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s: %d rule(s), all well formed\n", args[0], len(policy.Rules))
			return err
		},
	}
}

func (a *app) trustImportCommand() *cobra.Command {
	var from, root string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "turn a verification policy of another tool into a trust policy",
		Long: `Reads kwctl's verification configuration, or a ClusterImagePolicy of Sigstore's
policy-controller, and prints the trust policy that asks for the same. What a
trust policy cannot express is an error that names it: nothing is left out.`,
		Example: `  krmsafe trust import --from kwctl verification-config.yml >trust.yaml
  krmsafe trust import --from policy-controller policy.yaml >trust.yaml`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := readBounded(args[0], maxTrustBytes)
			if err != nil {
				return fmt.Errorf("reading the policy: %w", err)
			}
			var policy verify.TrustPolicy
			switch from {
			case "kwctl":
				policy, err = verify.ImportKwctl(args[0], data)
			case "policy-controller":
				trusted := verify.TrustRoot{PublicGood: root == ""}
				if root != "" {
					if trusted.JSON, err = readBounded(root, maxTrustBytes); err != nil {
						return fmt.Errorf("reading the trusted root: %w", err)
					}
					trusted.Source = root
				}
				policy, err = verify.ImportClusterImagePolicy(args[0], data, trusted)
			default:
				return &pipeline.UsageError{Message: fmt.Sprintf("--from %q is unknown", from), Hint: "use kwctl or policy-controller"}
			}
			if err != nil {
				return err
			}
			text, err := verify.FormatTrustPolicy(policy)
			if err != nil {
				return err
			}
			_, err = a.out.Write(text)
			return err
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "what the file is: kwctl or policy-controller")
	cmd.Flags().StringVar(&root, "trusted-root", "", "file with a Sigstore trusted root in place of the public one")
	return cmd
}

func (a *app) trustRootCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "root",
		Short: "print the embedded trusted root of the public Sigstore instance",
		Long: `Prints the trusted root that holds where --trusted-root names no other. It was
embedded on ` + verify.PublicGoodDate + `; keys that Sigstore took into use later are not in it.`,
		Example: "  krmsafe trust root -o trusted_root.json",
		Args:    usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if output != "" {
				return os.WriteFile(output, verify.PublicGood(), 0o600)
			}
			_, err := a.out.Write(verify.PublicGood())
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write to")
	return cmd
}

func (a *app) trustUpdateCommand() *cobra.Command {
	var url, root, output string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "update",
		Short: "fetch the newest trusted root over TUF, for --trusted-root",
		Long: `Fetches the trusted root of the public Sigstore instance, or of another, from its
TUF repository, whose metadata is signed and dated, and writes it to a file for
--trusted-root. It needs a network; verification never does.`,
		Example: "  krmsafe trust update -o trusted_root.json",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output == "" {
				return &pipeline.UsageError{Message: "the file to write to is not named", Hint: "krmsafe trust update -o trusted_root.json"}
			}
			updates := verify.Updates{URL: url, Get: get}
			if root != "" {
				data, err := readBounded(root, maxTrustBytes)
				if err != nil {
					return fmt.Errorf("reading the TUF root: %w", err)
				}
				updates.Root = data
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			data, err := updates.TrustedRoot(ctx)
			if err != nil {
				return err
			}
			return writeWhole(output, data)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&url, "mirror", "", "TUF repository (default: the public Sigstore instance's)")
	flags.StringVar(&root, "root", "", "its root.json, where --mirror names another repository")
	flags.StringVarP(&output, "output", "o", "", "file to write")
	flags.DurationVar(&timeout, "timeout", time.Minute, "time that the update may take")
	return cmd
}

// get fetches one file of a TUF repository; what it returns is not believed
// before its signatures were checked.
func get(ctx context.Context, url string, maxBytes int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: 30 * time.Second}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
		return readAll(resp.Body, url, maxBytes)
	case http.StatusNotFound, http.StatusForbidden:
		return nil, verify.ErrNotFound
	default:
		return nil, fmt.Errorf("fetching %s: the server answered %s", url, resp.Status)
	}
}
