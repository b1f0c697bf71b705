package verify

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	sigstore "github.com/sigstore/sigstore-go/pkg/verify"
)

// inTotoPayload is the DSSE payload type of statements.
const inTotoPayload = "application/vnd.in-toto+json"

// A candidate is evidence that could be read. Nothing in it is verified yet.
type candidate struct {
	origin    Origin
	format    string
	entity    sigstore.SignedEntity
	statement *statement // nil for a signature over plain bytes
	hint      string     // of the key, unsigned; for messages only
	hasCert   bool

	subject *statementSubject // the one that names our digest
	digest  digest            // the digest of ours that it names
}

// readBundle reads a Sigstore bundle (protobuf-specs, v0.1 to v0.3).
func readBundle(e *Evidence) (*candidate, error) {
	if _, err := scanJSON(e.Bytes, bundleScan); err != nil {
		f := asFailure(err, "verify.malformed")
		return nil, fail(f.code, "the bundle cannot be read: %s", f.message)
	}
	var b bundle.Bundle
	if err := b.UnmarshalJSON(e.Bytes); err != nil {
		return nil, fail("verify.malformed", "the bundle cannot be read: %s", oneLine(err.Error()))
	}
	c := &candidate{origin: Origin{Digest: e.Digest, Source: e.Source}, format: "bundle", entity: &b}
	content, err := b.VerificationContent()
	if err != nil {
		return nil, fail("verify.malformed", "the bundle's verification material cannot be read: %s", oneLine(err.Error()))
	}
	c.hasCert = content.Certificate() != nil
	if key := content.PublicKey(); key != nil {
		c.hint = key.Hint()
	}
	return c, c.readContent(&b)
}

func (c *candidate) readContent(b *bundle.Bundle) error {
	if b.GetMessageSignature() != nil {
		c.format = "blob"
		return nil
	}
	envelope := b.GetDsseEnvelope()
	if envelope == nil {
		return fail("verify.malformed", "the bundle holds no signature")
	}
	if n := len(envelope.GetSignatures()); n != 1 {
		return fail("verify.malformed", "the envelope has %d signatures; a bundle has exactly one", n)
	}
	if t := envelope.GetPayloadType(); t != inTotoPayload {
		return fail("verify.unsupported", "the envelope holds %q, not an in-toto statement", oneLine(t))
	}
	var err error
	c.statement, err = readStatement(envelope.GetPayload())
	return err
}

// about finds out which of our digests the candidate is about.
func (c *candidate) about(s Subject, digests []digest) error {
	if c.statement != nil {
		var err error
		c.subject, c.digest, err = c.statement.find(digests)
		return err
	}
	if !s.File {
		return fail("verify.unsupported", "it is a signature over plain bytes (cosign sign-blob), which counts for local files only")
	}
	content, err := c.entity.SignatureContent()
	if err != nil {
		return fail("verify.malformed", "the signature cannot be read: %s", oneLine(err.Error()))
	}
	signed := content.MessageSignatureContent().Digest()
	for _, d := range digests {
		if string(signed) == string(d.bytes) {
			c.digest = d
			return nil
		}
	}
	return fail("verify.digest", "it is about a file with the digest %s, not about %s", hex.EncodeToString(signed), digests[0])
}

// verifyKey checks the candidate against a key authority.
func (c *candidate) verifyKey(a *authority) (*sigstore.VerificationResult, error) {
	if c.hasCert {
		return nil, fail("verify.key", "it is signed with a certificate, and authority %q is a key", a.name)
	}
	// The hint is not signed: whatever it says, this key must verify.
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(a.key.verifier, time.Time{}, time.Time{}), nil
	})
	v, err := sigstore.NewVerifier(material, sigstore.WithNoObserverTimestamps(), sigstore.WithoutStatementPredicate())
	if err != nil {
		return nil, fail("verify.internal", "the verifier cannot be set up: %s", oneLine(err.Error()))
	}
	result, err := v.Verify(c.entity, sigstore.NewPolicy(
		sigstore.WithArtifactDigest(c.digest.algorithm, c.digest.bytes), sigstore.WithKey()))
	if err != nil {
		return nil, c.explainKey(a, err)
	}
	return result, nil
}

func (c *candidate) explainKey(a *authority, err error) error {
	if c.hint != "" && hintOf(a.key.id) == c.hint {
		return fail("verify.signature", "it names the key of authority %q, but its signature does not verify with it: it was changed after signing", a.name)
	}
	if strings.HasPrefix(err.Error(), "failed to verify signature") {
		f := fail("verify.key", "it is not signed with the key of authority %q (%s)", a.name, a.key.id)
		f.hint = "if it was signed with another key that you trust, name that key"
		return f
	}
	return fail("verify.malformed", "%s", oneLine(err.Error()))
}

// hintOf turns a key ID into the form that cosign gives as a hint.
func hintOf(id string) string {
	b, err := hex.DecodeString(strings.TrimPrefix(id, "sha256:"))
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(b)
}
