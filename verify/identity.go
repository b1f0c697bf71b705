package verify

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
)

// maxRegexpBytes bounds an expression; RE2 needs time linear in its input.
const maxRegexpBytes = 4096

// A CertificateIdentity is what a verified certificate says of its holder.
type CertificateIdentity struct {
	// Issuer is the OpenID Connect issuer that vouched for Subject.
	Issuer string
	// Subject is the e-mail address or URI the certificate was issued to.
	Subject string
	// Extensions are the other claims that the issuer vouched for, by the
	// names of ExtensionNames; absent ones are not members. Never nil.
	Extensions map[string]string
}

// extensions maps the names of the trust policy to the certificate's fields
// (Fulcio's oid-info.md, arc 1.3.6.1.4.1.57264.1).
var extensions = map[string]func(*certificate.Extensions) string{
	"githubWorkflowTrigger":               func(e *certificate.Extensions) string { return e.GithubWorkflowTrigger },
	"githubWorkflowSHA":                   func(e *certificate.Extensions) string { return e.GithubWorkflowSHA },
	"githubWorkflowName":                  func(e *certificate.Extensions) string { return e.GithubWorkflowName },
	"githubWorkflowRepository":            func(e *certificate.Extensions) string { return e.GithubWorkflowRepository },
	"githubWorkflowRef":                   func(e *certificate.Extensions) string { return e.GithubWorkflowRef },
	"buildSignerURI":                      func(e *certificate.Extensions) string { return e.BuildSignerURI },
	"buildSignerDigest":                   func(e *certificate.Extensions) string { return e.BuildSignerDigest },
	"runnerEnvironment":                   func(e *certificate.Extensions) string { return e.RunnerEnvironment },
	"sourceRepositoryURI":                 func(e *certificate.Extensions) string { return e.SourceRepositoryURI },
	"sourceRepositoryDigest":              func(e *certificate.Extensions) string { return e.SourceRepositoryDigest },
	"sourceRepositoryRef":                 func(e *certificate.Extensions) string { return e.SourceRepositoryRef },
	"sourceRepositoryIdentifier":          func(e *certificate.Extensions) string { return e.SourceRepositoryIdentifier },
	"sourceRepositoryOwnerURI":            func(e *certificate.Extensions) string { return e.SourceRepositoryOwnerURI },
	"sourceRepositoryOwnerIdentifier":     func(e *certificate.Extensions) string { return e.SourceRepositoryOwnerIdentifier },
	"buildConfigURI":                      func(e *certificate.Extensions) string { return e.BuildConfigURI },
	"buildConfigDigest":                   func(e *certificate.Extensions) string { return e.BuildConfigDigest },
	"buildTrigger":                        func(e *certificate.Extensions) string { return e.BuildTrigger },
	"runInvocationURI":                    func(e *certificate.Extensions) string { return e.RunInvocationURI },
	"sourceRepositoryVisibilityAtSigning": func(e *certificate.Extensions) string { return e.SourceRepositoryVisibilityAtSigning },
}

// ExtensionNames returns the names of the certificate extensions that a trust
// policy can ask for, sorted.
func ExtensionNames() []string { return slices.Sorted(maps.Keys(extensions)) }

func identityOf(s *certificate.Summary) CertificateIdentity {
	id := CertificateIdentity{Issuer: s.Issuer, Subject: s.SubjectAlternativeName, Extensions: map[string]string{}}
	for name, of := range extensions {
		if v := of(&s.Extensions); v != "" {
			id.Extensions[name] = v
		}
	}
	return id
}

// A text matches one string exactly or by an anchored expression.
type text struct {
	exact string
	re    *regexp.Regexp
}

func (t text) matches(s string) bool {
	if t.re != nil {
		return t.re.MatchString(s)
	}
	return t.exact != "" && t.exact == s
}

// anybody reports whether an expression fits names that nobody can have meant.
func (t text) anybody() bool {
	return t.re != nil && t.matches("nobody@nowhere.invalid") && t.matches("https://nowhere.invalid/nobody")
}

func (t text) String() string {
	if t.re != nil {
		return "match " + t.re.String()
	}
	return fmt.Sprintf("be %q", t.exact)
}

// compileRegexp accepts only expressions that say where they begin and end:
// "dev@example" would match dev@example.com.attacker.org. The check is on the
// text and the compiled form is anchored once more, so that "^a|b$" does not
// slip through.
func compileRegexp(expr string) (*regexp.Regexp, error) {
	if len(expr) > maxRegexpBytes {
		return nil, fmt.Errorf("is longer than %d bytes", maxRegexpBytes)
	}
	if !strings.HasPrefix(expr, "^") || !strings.HasSuffix(expr, "$") || strings.HasSuffix(expr, `\$`) {
		return nil, fmt.Errorf("%q is not anchored: it must begin with ^ and end with $, else it matches more than it says", expr)
	}
	if _, err := regexp.Compile(expr); err != nil {
		return nil, fmt.Errorf("%q: %s", expr, oneLine(err.Error()))
	}
	re, err := regexp.Compile(`\A(?:` + expr + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("%q: %s", expr, oneLine(err.Error()))
	}
	return re, nil
}

// An identity is an Identity that New has checked.
type identity struct {
	issuer, subject text
	source          Identity
}

// A keyless is a Keyless that New has checked.
type keyless struct {
	identities []identity
	extensions map[string]text
}

// trusts says why an identity is not one of those, or nothing.
func (k *keyless) trusts(name string, found *CertificateIdentity) *failure {
	if found.Issuer == "" || found.Subject == "" {
		return fail("verify.identity", "its certificate names no issuer or no subject")
	}
	if !slices.ContainsFunc(k.identities, func(id identity) bool {
		return id.issuer.matches(found.Issuer) && id.subject.matches(found.Subject)
	}) {
		f := fail("verify.identity", "it is signed by %q of the issuer %q, which authority %q does not trust",
			oneLine(found.Subject), oneLine(found.Issuer), name)
		f.hint = "if you decide to trust this signer: " + found.Flags()
		f.found = found
		return f
	}
	for _, ext := range slices.Sorted(maps.Keys(k.extensions)) {
		want := k.extensions[ext]
		if got := found.Extensions[ext]; !want.matches(got) {
			f := fail("verify.identity", "it is signed by %q, but authority %q asks that %s %s, and the certificate says %q",
				oneLine(found.Subject), name, ext, want, oneLine(got))
			f.found = found
			return f
		}
	}
	return nil
}

// Flags returns the flags of the command line that would trust exactly this
// identity, quoted for a POSIX shell. That it signed something is no reason to
// trust it.
func (id *CertificateIdentity) Flags() string {
	return "--certificate-identity=" + shellQuote(id.Subject) + " --certificate-oidc-issuer=" + shellQuote(id.Issuer)
}

// YAML returns the authority that would trust exactly this identity, to be put
// under the authorities of a rule.
func (id *CertificateIdentity) YAML() string {
	return fmt.Sprintf("- name: NAME\n  keyless:\n    identities:\n    - issuer: %s\n      subject: %s\n", yamlQuote(id.Issuer), yamlQuote(id.Subject))
}

// shellQuote and yamlQuote make foreign text safe to paste.
func shellQuote(s string) string {
	s = oneLine(s)
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+=:,./-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func yamlQuote(s string) string { return "'" + strings.ReplaceAll(oneLine(s), "'", "''") + "'" }
