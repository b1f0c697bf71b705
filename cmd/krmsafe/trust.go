package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/verify"
)

// Bounds on the files of a trust policy.
const (
	maxKeyBytes   = 64 << 10
	maxTrustBytes = 4 << 20
)

// trustFlags say who is trusted to sign: a trust policy file, or one rule for
// every reference in cosign's words.
type trustFlags struct {
	file        string
	keys        []string
	annotations []string
	roots       []string
	bundles     []string
	rule        verify.Flags
}

// trustUsage is what --trust means to every verb that has it.
const trustUsage = "file with a TrustPolicy: who may sign which references, and which mirrors have them"

func (f *trustFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.file, "trust", "", trustUsage)
	flags.StringArrayVar(&f.keys, "key", nil, "file with the PEM public key of a trusted signer (repeat for several)")
	flags.StringVar(&f.rule.CertificateIdentity, "certificate-identity", "", "identity (subject) that a signing certificate must name")
	flags.StringVar(&f.rule.CertificateIdentityRegexp, "certificate-identity-regexp", "", "expression ^…$ that the identity must match")
	flags.StringVar(&f.rule.CertificateOIDCIssuer, "certificate-oidc-issuer", "", "issuer of the identity")
	flags.StringVar(&f.rule.CertificateOIDCIssuerRegexp, "certificate-oidc-issuer-regexp", "", "expression ^…$ that the issuer must match")
	flags.StringVar(&f.rule.GitHubWorkflowName, "certificate-github-workflow-name", "", "name of the GitHub workflow that signed")
	flags.StringVar(&f.rule.GitHubWorkflowRef, "certificate-github-workflow-ref", "", "git ref that the workflow ran on")
	flags.StringVar(&f.rule.GitHubWorkflowRepository, "certificate-github-workflow-repository", "", "repository of the workflow")
	flags.StringVar(&f.rule.GitHubWorkflowSHA, "certificate-github-workflow-sha", "", "commit that the workflow ran on")
	flags.StringVar(&f.rule.GitHubWorkflowTrigger, "certificate-github-workflow-trigger", "", "event that started the workflow")
	flags.StringArrayVarP(&f.annotations, "annotations", "a", nil, "KEY=VALUE that must have been signed (repeat for several)")
	flags.StringArrayVar(&f.rule.PredicateTypes, "attestation-type", nil, "attestation that must be there as well: slsaprovenance, spdx, cyclonedx, … or a predicate type")
	flags.StringArrayVar(&f.bundles, "bundle", nil, "file with a Sigstore bundle about the module (cosign sign-blob --bundle)")
	flags.StringArrayVar(&f.roots, "trusted-root", nil, "file with a Sigstore trusted root in place of the embedded one (repeat for several)")
	flags.BoolVar(&f.rule.RequireTLog, "require-tlog", false, "ask for a transparency log entry from keys, too")
	flags.BoolVar(&f.rule.UseSignedTimestamps, "use-signed-timestamps", false, "ask for an RFC 3161 timestamp")
	flags.BoolVar(&f.rule.InsecureIgnoreTLog, "insecure-ignore-tlog", false, "do without a transparency log for certificates; lowers safety")
	flags.BoolVar(&f.rule.InsecureIgnoreSCT, "insecure-ignore-sct", false, "do without a certificate log; lowers safety")
}

// policy gives the trust policy that the flags name. It has no rules where they
// name nobody.
func (f *trustFlags) policy() (verify.TrustPolicy, error) {
	rule, err := f.flagRule()
	if err != nil {
		return verify.TrustPolicy{}, err
	}
	if f.file == "" {
		if rule.Empty() {
			if rule.Annotations != nil || len(rule.PredicateTypes) > 0 || len(f.bundles) > 0 {
				return verify.TrustPolicy{}, &pipeline.UsageError{
					Message: "what must have been signed is named, and nobody who is trusted to sign it",
					Hint:    "add --key, or --certificate-identity and --certificate-oidc-issuer",
				}
			}
			return verify.TrustPolicy{}, nil
		}
		return rule.TrustPolicy()
	}
	if !rule.Empty() || len(f.roots) > 0 || len(f.annotations) > 0 || len(rule.PredicateTypes) > 0 ||
		rule.RequireTLog || rule.UseSignedTimestamps || rule.InsecureIgnoreTLog || rule.InsecureIgnoreSCT {
		return verify.TrustPolicy{}, &pipeline.UsageError{
			Message: "--trust names a file that says whom to trust, and other flags say it, too",
			Hint:    "put into the file what they say",
		}
	}
	return readTrustPolicy(f.file)
}

// readTrustPolicy reads a TrustPolicy; files that it names lie beside it.
func readTrustPolicy(name string) (verify.TrustPolicy, error) {
	data, err := readBounded(name, maxTrustBytes)
	if err != nil {
		return verify.TrustPolicy{}, fmt.Errorf("reading the trust policy: %w", err)
	}
	return verify.ParseTrustPolicy(name, data, func(path string) ([]byte, error) {
		if filepath.IsAbs(path) {
			return readBounded(path, maxTrustBytes)
		}
		return readBounded(filepath.Join(filepath.Dir(name), path), maxTrustBytes)
	})
}

func (f *trustFlags) flagRule() (*verify.Flags, error) {
	rule := f.rule
	for _, name := range f.keys {
		pem, err := readBounded(name, maxKeyBytes)
		if err != nil {
			return nil, fmt.Errorf("reading the key: %w", err)
		}
		rule.Keys = append(rule.Keys, verify.Key{PEM: pem, Source: name})
	}
	for _, pair := range f.annotations {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, &pipeline.UsageError{Message: fmt.Sprintf("--annotations %q is not KEY=VALUE", pair)}
		}
		if rule.Annotations == nil {
			rule.Annotations = map[string]string{}
		}
		rule.Annotations[key] = value
	}
	rule.PredicateTypes = slices.Clone(rule.PredicateTypes)
	for i, name := range rule.PredicateTypes {
		rule.PredicateTypes[i] = verify.PredicateType(name)
	}
	for _, name := range f.roots {
		data, err := readBounded(name, maxTrustBytes)
		if err != nil {
			return nil, fmt.Errorf("reading the trusted root: %w", err)
		}
		rule.TrustedRoot = append(append(rule.TrustedRoot, data...), '\n')
		rule.TrustedRootSource = strings.Join(f.roots, ",")
	}
	return &rule, nil
}

// readBundles reads the files of --bundle; one may hold several, as gh attestation
// download writes them.
func (f *trustFlags) readBundles() ([]verify.Evidence, error) {
	var all []verify.Evidence
	for _, name := range f.bundles {
		data, err := readBounded(name, verify.MaxTotalBytes)
		if err != nil {
			return nil, fmt.Errorf("reading the bundle: %w", err)
		}
		bundles, err := verify.SplitBundles(name, data)
		if err != nil {
			return nil, err
		}
		all = append(all, bundles...)
	}
	return all, nil
}
