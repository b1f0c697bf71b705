package verify

import (
	"maps"
	"slices"
	"time"
)

// A Provenance is the proof that a digest met a rule of the trust policy. Only
// [Verifier.Verify] makes one that counts: the zero Provenance and a nil one
// report that nothing was verified. It never changes.
type Provenance struct {
	verified     bool
	pinned       bool
	reference    string
	digest       string
	rule         string
	signatures   []Signature
	attestations []Attestation
	rejected     []Candidate
}

// A Signature is one verified signature that the rule counts.
type Signature struct {
	// Authority is the name of the authority of the trust policy it met.
	Authority string
	// Type is "key" or "certificate".
	Type string
	// Format is "bundle", "legacy" or "blob".
	Format string
	// Issuer and Subject are the identity in the certificate, and Extensions
	// what else it says, by the names of ExtensionNames; empty for a key, and
	// Extensions is never nil.
	Issuer     string
	Subject    string
	Extensions map[string]string
	// KeyID is "sha256:" and the hex digest of the DER (PKIX) form of the
	// public key that verified it, whatever hint came with the signature.
	KeyID string
	// PredicateType is that of the signed statement; empty for signatures
	// that are not statements.
	PredicateType string
	// Digest is the subject digest that was signed.
	Digest string
	// Annotations are those signed for that digest; never nil.
	Annotations map[string]string
	// DockerReference is the repository that a legacy signature names; empty
	// for all others.
	DockerReference string
	// Timestamps are the verified times of signing, in the order of the
	// evidence; empty if the authority asks for none.
	Timestamps []Timestamp
	// Logs are the verified transparency log entries; empty if the authority
	// asks for none, or if there were several and it is not known which held.
	Logs []LogEntry
	// Unchecked names the proofs that the authority does without: "tlog" and,
	// for certificates, "sct".
	Unchecked []string
	// TrustRoot is the digest of the trusted root it was verified with; empty
	// for a key that needed none.
	TrustRoot string
	// Evidence says where the signature was found.
	Evidence Origin
}

// An Attestation is one verified statement that is not a signature.
type Attestation struct {
	Signature
	// StatementType is the statement's _type.
	StatementType string
	// Subjects is the number of subjects the statement names.
	Subjects int
	// Predicate is the predicate as it was signed, JSON; nil if it is larger
	// than MaxPredicateBytes or nested deeper than MaxPredicateDepth.
	Predicate []byte
}

// An Origin says where evidence came from. It is for people: none of it is
// signed.
type Origin struct {
	Digest string
	Source string
}

// A Timestamp is a time at which a signature provably existed.
type Timestamp struct {
	// Type is "tlog" for a log's integrated time, "tsa" for an RFC 3161
	// timestamp.
	Type string
	// URI names the log or authority as the trusted root does.
	URI  string
	Time time.Time
}

// A LogEntry is an entry of a transparency log.
type LogEntry struct {
	// LogID is the hex form of the log's key ID.
	LogID string
	Index int64
}

// Verified reports whether p is the result of a verification.
func (p *Provenance) Verified() bool { return p != nil && p.verified }

// Reference returns the reference that was judged, as the subject gave it.
func (p *Provenance) Reference() string {
	if p == nil {
		return ""
	}
	return p.reference
}

// Digest returns the digest that was judged, Subject.Digest.
func (p *Provenance) Digest() string {
	if p == nil {
		return ""
	}
	return p.digest
}

// Rule returns the name of the rule that was met.
func (p *Provenance) Rule() string {
	if p == nil {
		return ""
	}
	return p.rule
}

// Pinned reports whether the rule allowed the digest by name, without any
// signature.
func (p *Provenance) Pinned() bool { return p.Verified() && p.pinned }

// Signatures returns the verified signatures, in the order of the evidence. It
// is the caller's own copy, and empty unless p is verified.
func (p *Provenance) Signatures() []Signature {
	if !p.Verified() {
		return nil
	}
	out := make([]Signature, len(p.signatures))
	for i := range p.signatures {
		out[i] = p.signatures[i].clone()
	}
	return out
}

// Attestations returns the verified attestations that are not signatures, in
// the order of the evidence. It is the caller's own copy, and empty unless p
// is verified.
func (p *Provenance) Attestations() []Attestation {
	if !p.Verified() {
		return nil
	}
	out := make([]Attestation, len(p.attestations))
	for i := range p.attestations {
		out[i] = p.attestations[i]
		out[i].Signature = p.attestations[i].clone()
		out[i].Predicate = slices.Clone(p.attestations[i].Predicate)
	}
	return out
}

// Rejected returns the evidence that did not count and why. It is for messages
// only: a decision that rests on it rests on what anybody may attach.
func (p *Provenance) Rejected() []Candidate {
	if p == nil {
		return nil
	}
	return slices.Clone(p.rejected)
}

func (s *Signature) clone() Signature {
	c := *s
	c.Annotations = maps.Clone(s.Annotations)
	c.Extensions = maps.Clone(s.Extensions)
	c.Timestamps = slices.Clone(s.Timestamps)
	c.Logs = slices.Clone(s.Logs)
	c.Unchecked = slices.Clone(s.Unchecked)
	return c
}
