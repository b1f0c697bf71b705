package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"strings"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
)

// What cosign 1 and 2 wrote before there were bundles (cosign's
// specs/SIGNATURE_SPEC.md): everything beside the payload is in annotations.
const (
	simpleSigningMediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
	dsseMediaType          = "application/vnd.dsse.envelope.v1+json"
	simpleSigningType      = "cosign container image signature"

	signatureAnnotation   = "dev.cosignproject.cosign/signature"
	certificateAnnotation = "dev.sigstore.cosign/certificate"
	bundleAnnotation      = "dev.sigstore.cosign/bundle"
	timestampAnnotation   = "dev.sigstore.cosign/rfc3161timestamp"

	// bundleV01 asks for a log's promise, the SET, which is all that legacy
	// material has.
	bundleV01 = "application/vnd.dev.sigstore.bundle+json;version=0.1"
)

// readLegacySignature turns a layer of a ".sig" manifest into a bundle over
// its payload, and holds the payload against the subject. Cosign's own format
// leaves that to the verifier: a signature copied to another image is valid
// for every library that looks at the payload's bytes alone.
func readLegacySignature(e *Evidence, digests []digest) (*candidate, error) {
	if e.MediaType != simpleSigningMediaType {
		return nil, fail("verify.unsupported", "the layer is of the type %q, not %q", oneLine(e.MediaType), simpleSigningMediaType)
	}
	c := &candidate{origin: Origin{Digest: e.Digest, Source: e.Source}, format: "legacy", payload: e.Bytes}
	if err := c.readSimpleSigning(e.Bytes, digests); err != nil {
		return nil, err
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(e.Annotations[signatureAnnotation])
	if err != nil || len(sig) == 0 {
		return nil, fail("verify.malformed", "the annotation %s is not a signature in base64", signatureAnnotation)
	}
	sum := digestOf(e.Bytes)
	return c, c.legacyBundles(e.Annotations, true, func(pb *protobundle.Bundle) {
		pb.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
			MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: sum.bytes},
			Signature:     sig,
		}}
	})
}

// readSimpleSigning reads the payload of a legacy signature.
func (c *candidate) readSimpleSigning(payload []byte, digests []digest) error {
	if _, err := scanJSON(payload, bundleScan); err != nil {
		f := asFailure(err)
		return fail(f.code, "the signed payload cannot be read: %s", f.message)
	}
	top, err := object(payload)
	if err != nil {
		return err
	}
	critical, err := object(top["critical"])
	if err != nil {
		return err
	}
	identity, err := object(critical["identity"])
	if err != nil {
		return err
	}
	image, err := object(critical["image"])
	if err != nil {
		return err
	}
	var kind, manifest string
	for _, m := range []struct {
		members map[string]json.RawMessage
		name    string
		into    *string
	}{{critical, "type", &kind}, {identity, "docker-reference", &c.dockerReference}, {image, "docker-manifest-digest", &manifest}} {
		if err := stringMember(m.members, m.name, m.into); err != nil {
			return err
		}
	}
	if kind != simpleSigningType {
		return fail("verify.malformed", "the signed payload has the type %q, not %q", oneLine(kind), simpleSigningType)
	}
	for _, d := range digests {
		if d.String() == manifest {
			c.digest = d
		}
	}
	if c.digest.algorithm == "" {
		return aboutOther("%q", oneLine(manifest), digests)
	}
	c.annotations, err = stringValues(top["optional"])
	return err
}

// object reads the members of a JSON object by their exact names.
func object(raw json.RawMessage) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return nil, fail("verify.malformed", "the signed payload is not simple signing: a part of it is missing or not an object")
	}
	return members, nil
}

// readLegacyAttestation turns a layer of a ".att" manifest into a bundle.
func readLegacyAttestation(e *Evidence, digests []digest) (*candidate, error) {
	if e.MediaType != dsseMediaType {
		return nil, fail("verify.unsupported", "the layer is of the type %q, not %q", oneLine(e.MediaType), dsseMediaType)
	}
	if _, err := scanJSON(e.Bytes, bundleScan); err != nil {
		f := asFailure(err)
		return nil, fail(f.code, "the envelope cannot be read: %s", f.message)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(e.Bytes, &members); err != nil {
		return nil, fail("verify.malformed", "the envelope cannot be read: %s", oneLine(err.Error()))
	}
	var (
		payloadType string
		payload     []byte
		signatures  []map[string]json.RawMessage
		sig         []byte
	)
	if stringMember(members, "payloadType", &payloadType) != nil || json.Unmarshal(members["payload"], &payload) != nil ||
		json.Unmarshal(members["signatures"], &signatures) != nil || len(signatures) != 1 || json.Unmarshal(signatures[0]["sig"], &sig) != nil {
		return nil, fail("verify.malformed", "it is not a DSSE envelope with exactly one signature")
	}
	c := &candidate{origin: Origin{Digest: e.Digest, Source: e.Source}, format: "legacy"}
	if err := c.readEnvelope(payloadType, payload, digests); err != nil {
		return nil, err
	}
	// The timestamps of legacy attestations cover the payload, not the
	// signature, so they say nothing about when it was signed.
	return c, c.legacyBundles(e.Annotations, false, func(pb *protobundle.Bundle) {
		pb.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: payload, PayloadType: payloadType, Signatures: []*protodsse.Signature{{Sig: sig}},
		}}
	})
}

// readLegacyBlob reads what `cosign sign-blob --bundle` wrote up to cosign 2.
func readLegacyBlob(e *Evidence, members map[string]json.RawMessage, s Subject, digests []digest) (*candidate, error) {
	if !s.File {
		return nil, fail("verify.unsupported", "it is a signature over plain bytes (cosign sign-blob), which counts for local files only")
	}
	var (
		sig  []byte
		cert []byte
	)
	if json.Unmarshal(members["base64Signature"], &sig) != nil || len(sig) == 0 {
		return nil, fail("verify.malformed", "base64Signature is not a signature in base64")
	}
	annotations := map[string]string{}
	if raw, ok := members["cert"]; ok {
		if json.Unmarshal(raw, &cert) != nil {
			return nil, fail("verify.malformed", "cert is not a certificate in base64")
		}
		annotations[certificateAnnotation] = string(cert)
	}
	if raw, ok := members["rekorBundle"]; ok {
		annotations[bundleAnnotation] = string(raw)
	}
	// It does not say which bytes it is about: it is about those that we have.
	c := &candidate{origin: Origin{Digest: e.Digest, Source: e.Source}, format: "blob", digest: digests[0], payload: s.Content}
	return c, c.legacyBundles(annotations, false, func(pb *protobundle.Bundle) {
		pb.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
			MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: digests[0].bytes},
			Signature:     sig,
		}}
	})
}

// legacyBundles builds the bundle for a key and, where there is a certificate,
// the one for an identity.
func (c *candidate) legacyBundles(annotations map[string]string, timestamps bool, content func(*protobundle.Bundle)) error {
	entry, err := legacyLogEntry(annotations[bundleAnnotation])
	if err != nil {
		return err
	}
	build := func(m *protobundle.VerificationMaterial) (*bundle.Bundle, error) {
		if entry != nil {
			m.TlogEntries = []*protorekor.TransparencyLogEntry{entry}
		}
		if text := annotations[timestampAnnotation]; text != "" && timestamps {
			var t struct{ SignedRFC3161Timestamp []byte }
			if json.Unmarshal([]byte(text), &t) != nil {
				return nil, fail("verify.malformed", "the annotation %s is not a timestamp", timestampAnnotation)
			}
			m.TimestampVerificationData = &protobundle.TimestampVerificationData{
				Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: t.SignedRFC3161Timestamp}},
			}
		}
		pb := &protobundle.Bundle{MediaType: bundleV01, VerificationMaterial: m}
		content(pb)
		return newBundle(pb)
	}
	c.byKey, err = build(&protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{}},
	})
	if err != nil || annotations[certificateAnnotation] == "" {
		return err
	}
	// The chain that comes along is not looked at: intermediates come from the
	// trusted root.
	block, rest := pem.Decode([]byte(annotations[certificateAnnotation]))
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return fail("verify.malformed", "the certificate is not exactly one PEM block")
	}
	c.byCert, err = build(&protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_X509CertificateChain{X509CertificateChain: &protocommon.X509CertificateChain{
			Certificates: []*protocommon.X509Certificate{{RawBytes: block.Bytes}},
		}},
	})
	return err
}

// legacyLogEntry reads cosign's Rekor bundle: an entry and the log's promise
// (SET) to include it.
func legacyLogEntry(text string) (*protorekor.TransparencyLogEntry, error) {
	if text == "" {
		return nil, nil
	}
	var b struct {
		SignedEntryTimestamp []byte
		Payload              struct {
			Body           []byte `json:"body"`
			IntegratedTime int64  `json:"integratedTime"`
			LogIndex       int64  `json:"logIndex"`
			LogID          string `json:"logID"`
		}
	}
	var body struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
	}
	_, scanErr := scanJSON([]byte(text), bundleScan)
	if scanErr != nil || json.Unmarshal([]byte(text), &b) != nil || json.Unmarshal(b.Payload.Body, &body) != nil {
		return nil, fail("verify.malformed", "the transparency log entry that came with it cannot be read")
	}
	id, err := hex.DecodeString(b.Payload.LogID)
	if err != nil {
		return nil, fail("verify.malformed", "the transparency log entry names the log %q", oneLine(b.Payload.LogID))
	}
	return &protorekor.TransparencyLogEntry{
		LogIndex: b.Payload.LogIndex, LogId: &protocommon.LogId{KeyId: id}, IntegratedTime: b.Payload.IntegratedTime,
		KindVersion:       &protorekor.KindVersion{Kind: body.Kind, Version: body.APIVersion},
		InclusionPromise:  &protorekor.InclusionPromise{SignedEntryTimestamp: b.SignedEntryTimestamp},
		CanonicalizedBody: b.Payload.Body,
	}, nil
}

// sameRepository holds the docker-reference of a legacy signature against the
// reference the user wrote.
func sameRepository(signed, reference string) bool {
	if local(reference) {
		return true // a path is no name that a signer could have known
	}
	return canonicalRepository(signed) == canonicalRepository(reference)
}

func canonicalRepository(s string) string {
	return strings.Replace(repository(s), "index.docker.io/", "docker.io/", 1)
}
