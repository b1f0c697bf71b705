package verify

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"google.golang.org/protobuf/encoding/protojson"
)

// inTotoPayload is the DSSE payload type of statements.
const inTotoPayload = "application/vnd.in-toto+json"

// rekorKinds are the kinds of log entries that sigstore-go verifies. Others
// exist in older material, intoto/0.0.1 above all.
var rekorKinds = []string{"hashedrekord/0.0.1", "hashedrekord/0.0.2", "dsse/0.0.1", "intoto/0.0.2"}

// SplitBundles turns a file of bundles, one JSON document or several one after
// the other as `gh attestation download` writes them, into evidence. name is
// the file's, for messages. A file that is larger than MaxTotalBytes, holds
// more than MaxCandidates documents or is not JSON is an error; what is in the
// documents is for Verify to find out.
func SplitBundles(name string, data []byte) ([]Evidence, error) {
	if len(data) > MaxTotalBytes {
		return nil, fmt.Errorf("reading bundles from %q: it is %d bytes; at most %d are read", name, len(data), MaxTotalBytes)
	}
	var out []Evidence
	for dec := json.NewDecoder(bytes.NewReader(data)); ; {
		var doc json.RawMessage
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading bundles from %q: %s", name, oneLine(err.Error()))
		}
		if len(out) == MaxCandidates {
			return nil, fmt.Errorf("reading bundles from %q: it holds more than %d", name, MaxCandidates)
		}
		out = append(out, Evidence{Kind: Bundle, MediaType: "application/json", Digest: digestOf(doc).String(), Source: name, Bytes: doc})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("reading bundles from %q: it is empty", name)
	}
	return out, nil
}

// readBundle reads a Sigstore bundle (protobuf-specs, v0.1 to v0.3), or the
// JSON that cosign 2 wrote for files before there were bundles.
func readBundle(e *Evidence, s Subject, digests []digest) (*candidate, error) {
	if _, err := scanJSON(e.Bytes, bundleScan); err != nil {
		f := asFailure(err)
		return nil, fail(f.code, "the bundle cannot be read: %s", f.message)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(e.Bytes, &members); err != nil {
		return nil, fail("verify.malformed", "the bundle cannot be read: %s", oneLine(err.Error()))
	}
	if _, old := members["base64Signature"]; old {
		return readLegacyBlob(e, members, s, digests)
	}
	var pb protobundle.Bundle
	if err := protojson.Unmarshal(e.Bytes, &pb); err != nil {
		return nil, fail("verify.malformed", "the bundle cannot be read: %s", oneLine(err.Error()))
	}
	b, err := newBundle(&pb)
	if err != nil {
		return nil, err
	}
	c := &candidate{origin: Origin{Digest: e.Digest, Source: e.Source}, format: "bundle"}
	content, err := b.VerificationContent()
	if err != nil {
		return nil, fail("verify.malformed", "the bundle's verification material cannot be read: %s", oneLine(err.Error()))
	}
	if key := content.PublicKey(); key != nil {
		c.byKey, c.hint = b, key.Hint()
	} else {
		c.byCert = b
	}
	if b.GetMessageSignature() != nil {
		c.format = "blob"
		return c, c.aboutFile(b, s, digests)
	}
	envelope := b.GetDsseEnvelope()
	if envelope == nil {
		return nil, fail("verify.malformed", "the bundle holds no signature")
	}
	if n := len(envelope.GetSignatures()); n != 1 {
		return nil, fail("verify.malformed", "the envelope has %d signatures; a bundle has exactly one", n)
	}
	return c, c.readEnvelope(envelope.GetPayloadType(), envelope.GetPayload(), digests)
}

// newBundle checks what sigstore-go would not name, then lets it check the
// rest.
func newBundle(pb *protobundle.Bundle) (*bundle.Bundle, error) {
	for _, entry := range pb.GetVerificationMaterial().GetTlogEntries() {
		kind := entry.GetKindVersion().GetKind() + "/" + entry.GetKindVersion().GetVersion()
		if !slices.Contains(rekorKinds, kind) {
			return nil, fail("verify.unsupported", "its transparency log entry is of the kind %q, which is not supported; %v are", oneLine(kind), rekorKinds)
		}
	}
	b, err := bundle.NewBundle(pb)
	if err != nil {
		return nil, fail("verify.malformed", "the bundle cannot be used: %s", oneLine(err.Error()))
	}
	return b, nil
}

// readEnvelope reads a statement and finds out which of our digests it is
// about.
func (c *candidate) readEnvelope(payloadType string, payload []byte, digests []digest) error {
	if payloadType != inTotoPayload {
		return fail("verify.unsupported", "the envelope holds %q, not an in-toto statement", oneLine(payloadType))
	}
	st, err := readStatement(payload)
	if err != nil {
		return err
	}
	subject, d, err := st.find(digests)
	if err != nil {
		return err
	}
	c.statement, c.digest, c.annotations = st, d, subject.annotations
	return nil
}

// aboutFile does the same for a signature over plain bytes.
func (c *candidate) aboutFile(b *bundle.Bundle, s Subject, digests []digest) error {
	if !s.File {
		return fail("verify.unsupported", "it is a signature over plain bytes (cosign sign-blob), which counts for local files only")
	}
	signed := b.GetMessageSignature().GetMessageDigest().GetDigest()
	for _, d := range digests {
		if string(signed) == string(d.bytes) {
			// With the content at hand any hash will do, that of P-384 keys, too.
			c.digest, c.payload = d, s.Content
			return nil
		}
	}
	return aboutOther("a file with the digest %s", hex.EncodeToString(signed), digests)
}
