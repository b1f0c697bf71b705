package verify

// Flags are the flags of the command line, with cosign's names, as one rule
// for every reference. They are stricter than cosign's: an identity needs an
// issuer and a subject, expressions are anchored, certificates need a log, and
// attestations are no signatures.
type Flags struct {
	// Keys are those of --key, each of which may have signed.
	Keys []Key
	// The identity in a certificate: --certificate-identity[-regexp] and
	// --certificate-oidc-issuer[-regexp].
	CertificateIdentity         string
	CertificateIdentityRegexp   string
	CertificateOIDCIssuer       string
	CertificateOIDCIssuerRegexp string
	// GitHub's claims: --certificate-github-workflow-{trigger,sha,name,repository,ref}.
	GitHubWorkflowTrigger    string
	GitHubWorkflowSHA        string
	GitHubWorkflowName       string
	GitHubWorkflowRepository string
	GitHubWorkflowRef        string
	// Annotations is -a, --annotations: what must have been signed.
	Annotations map[string]string
	// PredicateTypes is --type: attestations that must be there as well, by
	// predicate type or by cosign's short name for it.
	PredicateTypes []string
	// TrustedRoot is the content of --trusted-root; without it the embedded
	// root of the public Sigstore instance is used, if one is needed.
	TrustedRoot       []byte
	TrustedRootSource string
	// RequireTLog asks for a log entry from keys, too (--require-tlog);
	// UseSignedTimestamps for an RFC 3161 timestamp.
	RequireTLog         bool
	UseSignedTimestamps bool
	// InsecureIgnoreTLog and InsecureIgnoreSCT do without a log for
	// certificates (--insecure-ignore-tlog, --insecure-ignore-sct). They are
	// right for a private Sigstore instance that has none.
	InsecureIgnoreTLog bool
	InsecureIgnoreSCT  bool
}

// Empty reports whether nobody is named, so that there is nothing to verify
// with.
func (f *Flags) Empty() bool { return len(f.Keys) == 0 && !f.keyless() }

func (f *Flags) keyless() bool {
	return f.CertificateIdentity != "" || f.CertificateIdentityRegexp != "" || f.CertificateOIDCIssuer != "" || f.CertificateOIDCIssuerRegexp != "" ||
		len(f.github()) > 0
}

func (f *Flags) github() map[string]string {
	out := map[string]string{}
	for name, v := range map[string]string{
		"githubWorkflowTrigger": f.GitHubWorkflowTrigger, "githubWorkflowSHA": f.GitHubWorkflowSHA, "githubWorkflowName": f.GitHubWorkflowName,
		"githubWorkflowRepository": f.GitHubWorkflowRepository, "githubWorkflowRef": f.GitHubWorkflowRef,
	} {
		if v != "" {
			out[name] = v
		}
	}
	return out
}

// TrustPolicy returns the policy the flags stand for, checked as New does. Its
// errors are [*PolicyError].
func (f *Flags) TrustPolicy() (TrustPolicy, error) {
	if f.Empty() {
		return TrustPolicy{}, &PolicyError{
			Code: "trust.nobody", Message: "nobody is named whose signature would count",
			Hint: "name a key with --key FILE, or an identity with --certificate-identity and --certificate-oidc-issuer",
		}
	}
	rule := Rule{Name: "flags", Match: []string{"**"}}
	timestamp := Default
	if f.UseSignedTimestamps {
		timestamp = Required
	}
	for i := range f.Keys {
		a := Authority{Key: &f.Keys[i], Annotations: f.Annotations, TSA: timestamp}
		if f.RequireTLog {
			a.Log = Required
		}
		rule.Authorities = append(rule.Authorities, a)
	}
	if f.keyless() {
		a := Authority{Annotations: f.Annotations, TSA: timestamp, Keyless: &Keyless{
			Identities: []Identity{{
				Issuer: f.CertificateOIDCIssuer, IssuerRegexp: f.CertificateOIDCIssuerRegexp,
				Subject: f.CertificateIdentity, SubjectRegexp: f.CertificateIdentityRegexp,
			}},
			Extensions: f.github(),
		}}
		if f.InsecureIgnoreTLog {
			a.Log = None
		}
		if f.InsecureIgnoreSCT {
			a.SCT = None
		}
		rule.Authorities = append(rule.Authorities, a)
	}
	for _, t := range f.PredicateTypes {
		rule.Attestations = append(rule.Attestations, Requirement{PredicateType: PredicateType(t)})
	}
	p := TrustPolicy{Rules: []Rule{rule}, Root: TrustRoot{JSON: f.TrustedRoot, Source: f.TrustedRootSource}}
	if len(f.TrustedRoot) == 0 {
		p.Root.PublicGood = f.keyless() || f.RequireTLog || f.UseSignedTimestamps
	}
	_, _, err := compilePolicy(&p)
	return p, err
}
