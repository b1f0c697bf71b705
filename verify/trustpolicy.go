package verify

import "time"

// A TrustPolicy says whose signatures count for which references. The zero
// TrustPolicy trusts nobody, and New refuses it.
type TrustPolicy struct {
	// Root is what certificates, logs and timestamps are checked against. It
	// is needed as soon as any authority asks for one of them.
	Root TrustRoot
	// Rules are matched on Subject.Reference; the most specific one decides
	// and a reference that none matches is refused.
	Rules []Rule
	// Mirrors say where to fetch from instead. Verification does not use
	// them: rules and signed names are always compared with the original
	// reference.
	Mirrors []Mirror
}

// A Mirror replaces the beginning of a reference when it is fetched.
type Mirror struct {
	Prefix   string
	Location string
}

// A TrustRoot holds Sigstore trusted roots: certificate authorities, logs and
// timestamp authorities.
type TrustRoot struct {
	// PublicGood adds the root of the public Sigstore instance as it was
	// embedded; see PublicGoodDate.
	PublicGood bool
	// JSON are further trusted roots (protobuf-specs TrustedRoot), one JSON
	// document or several, one after the other.
	JSON []byte
	// Source is the file or field JSON came from, for messages.
	Source string
}

// A Mode says whether a proof is asked for. Its zero value is the stricter
// choice for certificates; see Authority.
type Mode string

// The modes.
const (
	// Default is Required for certificates and None for keys.
	Default Mode = ""
	// Required refuses signatures without the proof.
	Required Mode = "required"
	// None neither asks for the proof nor looks at it.
	None Mode = "none"
)

// A Rule is what is asked of the references it matches.
type Rule struct {
	// Name is shown in messages; by default the first of Match.
	Name string
	// Match are patterns for the reference without tag and digest: "*" stands
	// for any characters but "/", "**" for any characters at all. A
	// pattern may name a tag. Paths ("file://…", "oci-layout:…") are compared in
	// their shortest spelling. The more characters come before the first
	// wildcard, the more specific it is, then the more characters it has.
	Match []string
	// Pin allows exactly these digests, "sha256:…", without any signature. A
	// rule has pins or authorities, never both.
	Pin []string
	// DigestRef refuses references that do not carry a digest themselves.
	DigestRef bool
	// Signers is the number of distinct signers that must have signed. Zero
	// means one; there is no way to ask for none.
	Signers int
	// AllOf names authorities each of which must have signed.
	AllOf []string
	// Authorities are those whose signatures count, each by itself.
	Authorities []Authority
	// Attestations must all be there.
	Attestations []Requirement
	// AttestationsAsSignatures are predicate types whose statements count as
	// signatures, for artifacts that carry nothing else, such as those of
	// GitHub's attest-build-provenance.
	AttestationsAsSignatures []string
	// CompiledCode are those who may sign machine code that was compiled of what
	// this rule is about (see NewCode). Nobody may where it is empty: who may sign
	// a function may not sign its machine code for that.
	CompiledCode []Authority `json:",omitempty"`
	// AnyRepository lets legacy signatures count whose docker-reference names
	// another repository, as copied images have them. Bundles name none, and
	// references that are paths are not compared with any.
	AnyRepository bool
}

// A Requirement asks for a verified attestation.
type Requirement struct {
	// PredicateType is compared exactly.
	PredicateType string
	// Authorities names who may have made it; empty means any of the rule's.
	Authorities []string
	// Signers is the number of distinct signers that must have made one. Zero
	// means one.
	Signers int
}

// An Authority is somebody who is trusted to sign: a key or identities in
// certificates, never both.
type Authority struct {
	// Name is reported with every signature it made; by default "key" or
	// "keyless", with its place in the list after it if that is taken.
	Name string
	// Key is the public key it signs with.
	Key *Key
	// Keyless are the identities it signs as.
	Keyless *Keyless
	// Annotations must all have been signed, with these values.
	Annotations map[string]string
	// Log asks for proof that the signature was logged (Rekor). For keyless
	// None means that a timestamp authority vouches for the time alone.
	Log Mode
	// SCT asks for proof that the certificate was logged. Keys have none.
	SCT Mode
	// TSA asks for an RFC 3161 timestamp. Default asks for one only where
	// nothing else vouches for the time.
	TSA Mode
}

// A Key is a public key: ECDSA P-256 or P-384, or RSA with 2048 bits or more.
type Key struct {
	// PEM is one PEM block "PUBLIC KEY".
	PEM []byte
	// Source is the file or field it came from, for messages.
	Source string
	// ValidFrom and ValidUntil bound the time of signing, where they are not
	// zero. A window asks for a signed timestamp or a logged time.
	ValidFrom  time.Time
	ValidUntil time.Time
}

// A Keyless authority signs with short-lived certificates (Fulcio).
type Keyless struct {
	// Identities are those that count, each by itself.
	Identities []Identity
	// Extensions must have exactly these values in the certificate. The names
	// are those of ExtensionNames.
	Extensions map[string]string
	// ExtensionsRegexp must match, each "^…$".
	ExtensionsRegexp map[string]string
}

// An Identity is who a certificate was issued to and who vouched for them.
// Both are needed: an issuer vouches for a great many subjects, and a subject
// means something only to its issuer.
type Identity struct {
	// Issuer is the OpenID Connect issuer; IssuerRegexp is a regular
	// expression for it (RE2), "^…$". Exactly one is set.
	Issuer       string
	IssuerRegexp string
	// Subject is the e-mail address or URI in the certificate; SubjectRegexp
	// is a regular expression for it, "^…$". Exactly one is set.
	Subject       string
	SubjectRegexp string
}
