package verify

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	sigstore "github.com/sigstore/sigstore-go/pkg/verify"
)

// A candidate is evidence that could be read. Nothing in it is verified yet.
type candidate struct {
	origin Origin
	format string // "bundle", "legacy" or "blob"

	// byKey and byCert are the two ways to look at it; nil where there is
	// none. A legacy signature can have both, and which one is tried is up to
	// the authority, never to what the evidence says of itself.
	byKey, byCert *bundle.Bundle

	statement       *statement // nil for simple signing and plain bytes
	payload         []byte     // what the signature covers, where that is known
	annotations     map[string]string
	dockerReference string
	hint            string // of the key, unsigned; for messages only
	digest          digest // the digest of ours that it is about

	certs map[modes]certOutcome
}

// A finding is what verifying a candidate established.
type finding struct {
	keyID    string
	identity *CertificateIdentity // nil for a key
	times    []Timestamp
	logs     []LogEntry
}

type certOutcome struct {
	finding *finding
	err     error
}

// verify checks the candidate against one authority, but for its claims.
func (c *candidate) verify(r *trustRoot, a *authority) (*finding, error) {
	if a.key != nil {
		return c.verifyKey(r, a)
	}
	if c.byCert == nil {
		return nil, fail("verify.key", "it is signed with a key, and authority %q trusts identities in certificates", a.name)
	}
	// What is found out does not depend on who asks, only on the proofs asked
	// for, so several authorities share it.
	if out, ok := c.certs[a.modes]; ok {
		return out.finding, out.err
	}
	f, err := c.verifyCertificate(r, a.modes)
	if c.certs == nil {
		c.certs = map[modes]certOutcome{}
	}
	c.certs[a.modes] = certOutcome{f, err}
	return f, err
}

func (c *candidate) verifyKey(r *trustRoot, a *authority) (*finding, error) {
	if c.byKey == nil {
		f := fail("verify.key", "it is signed with a certificate%s, and authority %q is a key", c.claims(), a.name)
		f.hint = "trust certificates by identity: --certificate-identity and --certificate-oidc-issuer"
		return nil, f
	}
	// The hint is not signed: whatever it says, this key must verify.
	keys := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(a.key.verifier, a.from, a.until), nil
	})
	result, err := c.run(c.byKey, withRoot(keys, r), a.modes, sigstore.WithKey())
	if err != nil {
		return nil, c.explainKey(r, a, err)
	}
	return &finding{keyID: a.key.id, times: timesOf(result), logs: logsOf(c.byKey, a.modes)}, nil
}

// claims says whom a certificate that nobody has verified claims to be for.
func (c *candidate) claims() string {
	leaf, err := leafOf(c.byCert)
	if err != nil {
		return ""
	}
	for _, u := range leaf.URIs {
		return ` that claims, unverified, to be for "` + oneLine(u.String()) + `"`
	}
	for _, e := range leaf.EmailAddresses {
		return ` that claims, unverified, to be for "` + oneLine(e) + `"`
	}
	return ""
}

func (c *candidate) verifyCertificate(r *trustRoot, m modes) (*finding, error) {
	if r == nil {
		return nil, fail("verify.certificate", "it is signed with a certificate, and there is no trusted root")
	}
	leaf, err := leafOf(c.byCert)
	if err != nil {
		return nil, fail("verify.malformed", "its certificate cannot be read: %s", oneLine(err.Error()))
	}
	// A certificate with several names is one that several rules could read
	// differently; Fulcio issues none.
	if n := len(leaf.URIs) + len(leaf.EmailAddresses) + len(leaf.DNSNames) + len(leaf.IPAddresses); n > 1 {
		return nil, fail("verify.certificate", "its certificate has %d names; exactly one is expected", n)
	}
	// Whose name it must be is for the authority to say, in keyless.trusts,
	// which every certificate passes before it counts.
	result, err := c.run(c.byCert, r.material, m, sigstore.WithoutIdentitiesUnsafe())
	if err != nil {
		return nil, c.explainCertificate(r, err)
	}
	if result.Signature == nil || result.Signature.Certificate == nil {
		return nil, fail("verify.internal", "the verifier returned no certificate")
	}
	der, err := x509.MarshalPKIXPublicKey(leaf.PublicKey)
	if err != nil {
		return nil, fail("verify.malformed", "the key of its certificate cannot be encoded: %s", oneLine(err.Error()))
	}
	sum := sha256.Sum256(der)
	id := identityOf(result.Signature.Certificate)
	return &finding{
		keyID: "sha256:" + hex.EncodeToString(sum[:]), identity: &id, times: timesOf(result), logs: logsOf(c.byCert, m),
	}, nil
}

// run is the one place where a signature is verified.
func (c *candidate) run(b *bundle.Bundle, material root.TrustedMaterial, m modes, who sigstore.PolicyOption) (*sigstore.VerificationResult, error) {
	options := []sigstore.VerifierOption{sigstore.WithoutStatementPredicate()}
	if m.log {
		options = append(options, sigstore.WithTransparencyLog(1))
	}
	if m.sct {
		options = append(options, sigstore.WithSignedCertificateTimestamps(1))
	}
	switch {
	case m.tsa:
		options = append(options, sigstore.WithSignedTimestamps(1))
	case m.any:
		options = append(options, sigstore.WithObserverTimestamps(1))
	default:
		// sigstore-go accepts this for keys alone.
		options = append(options, sigstore.WithNoObserverTimestamps())
	}
	v, err := sigstore.NewVerifier(material, options...)
	if err != nil {
		return nil, fail("verify.internal", "the verifier cannot be set up: %s", oneLine(err.Error()))
	}
	artifact := sigstore.WithArtifactDigest(c.digest.algorithm, c.digest.bytes)
	if c.payload != nil {
		// By content, not by digest: keys on P-384 hash with SHA-384.
		artifact = sigstore.WithArtifact(bytes.NewReader(c.payload))
	}
	return v.Verify(strictHash{b}, sigstore.NewPolicy(artifact, who))
}

// strictHash hides the version of a bundle. sigstore-go takes it as a licence
// to try SHA-256 with keys on P-384 and P-521 as well, for the sake of clients
// that never signed with such a certificate here, and says so on the standard
// error of the process.
type strictHash struct{ *bundle.Bundle }

// Version returns a version that no bundle has.
func (strictHash) Version() (string, error) { return "", nil }

func withRoot(keys root.TrustedMaterial, r *trustRoot) root.TrustedMaterial {
	if r == nil {
		return keys
	}
	return append(root.TrustedMaterialCollection{keys}, r.material...)
}

func leafOf(b *bundle.Bundle) (*x509.Certificate, error) {
	content, err := b.VerificationContent()
	if err != nil {
		return nil, err
	}
	leaf := content.Certificate()
	if leaf == nil {
		return nil, fail("verify.malformed", "there is no certificate")
	}
	return leaf, nil
}

func timesOf(r *sigstore.VerificationResult) []Timestamp {
	var out []Timestamp
	for _, t := range r.VerifiedTimestamps {
		kind := "tsa"
		if t.Type == "Tlog" {
			kind = "tlog"
		}
		out = append(out, Timestamp{Type: kind, URI: t.URI, Time: t.Timestamp.UTC()})
	}
	return out
}

// logsOf names the log entry that was verified. With several entries,
// sigstore-go does not say which ones were, so none is named.
func logsOf(b *bundle.Bundle, m modes) []LogEntry {
	entries, err := b.TlogEntries()
	if !m.log || err != nil || len(entries) != 1 {
		return nil
	}
	return []LogEntry{{LogID: hex.EncodeToString([]byte(entries[0].LogKeyID())), Index: entries[0].LogIndex()}}
}

// The beginnings of sigstore-go's messages, in the order of its steps. They
// choose the reason code and nothing else.
var steps = []struct{ prefix, code, what string }{
	{"failed to verify log inclusion", "verify.tlog", "its transparency log entry does not hold"},
	{"failed to verify timestamps", "verify.timestamp", "nothing trusted says when it was signed"},
	{"failed to verify leaf certificate", "verify.certificate", "its certificate was not issued by a trusted authority, or was not valid when it signed"},
	{"failed to verify signed certificate timestamp", "verify.sct", "its certificate is not proved to be in a trusted certificate log"},
	{"signature time outside of public key validity window", "verify.key_window", "it was signed outside the key's validity window"},
	{"failed to verify signature", "verify.signature", "its signature does not verify"},
}

// explain says in our words what sigstore-go found wrong with a bundle.
func explain(b *bundle.Bundle, r *trustRoot, err error) *failure {
	text := err.Error()
	for _, s := range steps {
		rest, ok := strings.CutPrefix(text, s.prefix)
		if !ok {
			continue
		}
		if s.code == "verify.tlog" {
			if f := explainLog(b, r); f != nil {
				return f
			}
		}
		if rest = oneLine(strings.TrimPrefix(rest, ": ")); rest != "" {
			rest = " (" + rest + ")"
		}
		return fail(s.code, "%s%s", s.what, rest)
	}
	return asFailure(err)
}

// explainLog tells a missing log entry and one of an unknown log from one that
// is wrong.
func explainLog(b *bundle.Bundle, r *trustRoot) *failure {
	entries := b.GetVerificationMaterial().GetTlogEntries()
	if len(entries) == 0 {
		f := fail("verify.tlog", "it comes without a transparency log entry, and one is asked for")
		f.hint = "sign it with a log; or, if the Sigstore instance has none, do without: tlog: none in the trust policy, --insecure-ignore-tlog"
		return f
	}
	id := ""
	for _, e := range entries {
		id = hex.EncodeToString(e.GetLogId().GetKeyId())
		if r != nil && r.material.RekorLogs()[id] != nil {
			return nil
		}
	}
	f := fail("verify.tlog", "it is in a transparency log that the trusted root does not know (%s)", oneLine(id))
	f.hint = otherInstance
	return f
}

const otherInstance = "if it was made by another Sigstore instance, or by one newer than the trusted root, name its root with --trusted-root FILE"

func (c *candidate) explainCertificate(r *trustRoot, err error) error {
	f := explain(c.byCert, r, err)
	switch f.code {
	case "verify.certificate", "verify.timestamp", "verify.sct":
		f.hint = otherInstance
	}
	return f
}

func (c *candidate) explainKey(r *trustRoot, a *authority, err error) error {
	f := explain(c.byKey, r, err)
	if f.code != "verify.signature" {
		return f
	}
	if c.hint != "" && hintOf(a.key.id) == c.hint {
		return fail("verify.signature", "it names the key of authority %q, but its signature does not verify with it: it was changed after signing", a.name)
	}
	f = fail("verify.key", "it is not signed with the key of authority %q (%s)%s", a.name, a.key.id, c.named())
	f.hint = "if it was signed with another key that you trust, name that key"
	return f
}

// named says which key the evidence names, for a person to compare.
func (c *candidate) named() string {
	b, err := base64.StdEncoding.DecodeString(c.hint)
	if err != nil || len(b) != sha256.Size {
		return ""
	}
	return ", but claims, unverified, another one (sha256:" + hex.EncodeToString(b) + ")"
}

// hintOf turns a key ID into the form that cosign gives as a hint.
func hintOf(id string) string {
	b, err := hex.DecodeString(strings.TrimPrefix(id, "sha256:"))
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(b)
}
