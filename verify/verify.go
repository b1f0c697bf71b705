// Package verify says who signed an artifact.
//
// It takes bytes and returns a [Provenance] or a [RefusalError]. It knows
// digests, public keys, Sigstore bundles and the trust policy that says whose
// signature counts for which reference. It does not know registries,
// WebAssembly, Rego or the command line, and it opens no file and no socket:
// what is to be judged, and whom to trust, is handed in.
//
// # What it promises
//
//   - A [Provenance] that reports Verified exists only if [Verifier.Verify]
//     made it, for one digest, under one rule.
//   - A signature is a statement with the cosign sign/v1 predicate, a legacy
//     simple-signing payload or, for a local file, a signature over its bytes.
//     Any other attestation is not one, however valid, unless the rule names
//     its predicate type.
//   - Only what was verified is reported: hints, unsigned annotations and the
//     fields of evidence that was rejected never reach a Provenance.
//   - Evidence is monotone. A bad candidate beside a good one does not refuse,
//     and removing evidence never turns a refusal into a pass.
//   - A panic in a dependency refuses the candidate that caused it.
//   - The same policy, subject and evidence give the same answer at any time:
//     no clock is read. Time comes from signed timestamps and from logs.
//
// # What it does not promise
//
// It does not know whether a newer version exists or whether a signature was
// withdrawn: who controls a registry can serve an older digest that was signed
// in its day. Pin digests, or let the Rego policy judge the time of signing.
// It does not ask a transparency log anything: an entry is proved by what the
// evidence carries, never looked up.
package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Limits on what is read from evidence. Each has its own message, and none can
// be raised: evidence beyond them is not something a signer produces.
const (
	// MaxCandidates is the number of pieces of evidence considered for one
	// subject. What lies beyond is reported as rejected and never read.
	MaxCandidates = 64
	// MaxEvidenceBytes is the size of one piece of evidence.
	MaxEvidenceBytes = 16 << 20
	// MaxTotalBytes is the size of all evidence for one subject. What goes
	// beyond is reported as rejected and never read.
	MaxTotalBytes = 64 << 20
	// MaxPredicateBytes is the size up to which a verified predicate is kept.
	MaxPredicateBytes = 4 << 20
	// MaxPredicateDepth is the nesting up to which a verified predicate is kept.
	MaxPredicateDepth = 64
	// MaxSubjects is the number of subjects in one statement.
	MaxSubjects = 1024
	// MaxSubjectDigests is the number of digests of one subject.
	MaxSubjectDigests = 32
)

// A Subject is what a signature must be about.
type Subject struct {
	// Reference is the name the user wrote, before any mirror was applied:
	// "ghcr.io/acme/fn:v1", "oci-layout:./dir" or "file://./fn.wasm". It
	// selects the rule.
	Reference string
	// Digest is the digest of what was resolved, "sha256:…": the manifest or
	// index of an OCI artifact, the content of a local file.
	Digest string
	// AlsoDigests are further digests of the same thing that a signature may
	// name instead: the manifest that was selected from an index, or the
	// sha384 and sha512 of a local file.
	AlsoDigests []string
	// Content is the content of a local file, if the caller has it in memory.
	// It must have the digest that Digest says, and then AlsoDigests need not
	// be given. Verify does not change or keep it.
	Content []byte
	// File says that the subject is a local file. Only then does a signature
	// over plain bytes (cosign sign-blob) count.
	File bool
}

// Evidence is one piece of what came with a subject. Nothing in it is trusted.
type Evidence struct {
	// Kind says how Bytes and Annotations are to be read. Its zero value is
	// not read at all and counts as rejected.
	Kind Kind
	// MediaType is what the source called it; used in messages only.
	MediaType string
	// Digest is that of the manifest or blob that carried it; used in
	// messages and to tell candidates apart.
	Digest string
	// Source says where it was found, in words: "referrer", "tag
	// sha256-….sig", a file name.
	Source string
	// Bytes is the bundle, or the payload of a legacy signature. Verify does
	// not change or keep it.
	Bytes []byte
	// Annotations are those of the layer of a legacy signature.
	Annotations map[string]string
}

// size is what there is to read.
func (e *Evidence) size() int {
	n := len(e.Bytes)
	for k, v := range e.Annotations {
		n += len(k) + len(v)
	}
	return n
}

// A Kind is a form of evidence.
type Kind string

// The forms of evidence.
const (
	// Bundle is a Sigstore bundle, v0.1 to v0.3, as JSON; or what cosign 2
	// wrote with sign-blob --bundle, which is told apart by its members.
	Bundle Kind = "bundle"
	// LegacySignature is a layer of a cosign ".sig" manifest: Bytes is the
	// simple-signing payload.
	LegacySignature Kind = "legacy-signature"
	// LegacyAttestation is a layer of a cosign ".att" manifest: Bytes is the
	// DSSE envelope.
	LegacyAttestation Kind = "legacy-attestation"
)

// A Verifier judges evidence under one trust policy. It is safe for concurrent
// use and never changes after New.
type Verifier struct {
	root   *trustRoot
	rules  []rule
	digest string
}

// New checks a trust policy and returns the Verifier that applies it. A policy
// that trusts nobody, a key that is of no use, an identity that anybody could
// have and a rule that cannot be told from another are errors; all of them are
// [*PolicyError].
func New(p TrustPolicy) (*Verifier, error) {
	root, rules, err := compilePolicy(&p)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encoding the trust policy: %w", err)
	}
	if root != nil {
		encoded = append(encoded, root.digest...)
	}
	return &Verifier{root: root, rules: rules, digest: digestOf(encoded).String()}, nil
}

// Digest returns the digest of the whole trust policy with its keys and roots.
// Two policies that differ in anything, be it a name, have different ones.
func (v *Verifier) Digest() string { return v.digest }

// Rule returns the name of the rule that decides about a reference, or a
// [*RefusalError] if none does or two do.
func (v *Verifier) Rule(reference string) (string, error) {
	if v == nil {
		v = &Verifier{}
	}
	r, err := v.match(reference)
	if err != nil {
		return "", err
	}
	return r.name, nil
}

// Verify says who signed the subject. It returns a Provenance if the rule that
// matches the subject's reference is met, a [*RefusalError] if it is not, and
// any other error if it could not judge: ctx ended, or the subject's own
// digests are malformed.
func (v *Verifier) Verify(ctx context.Context, s Subject, evidence []Evidence) (*Provenance, error) {
	if v == nil || len(v.rules) == 0 {
		return nil, errors.New("verifying with a Verifier that New did not make")
	}
	digests, err := subjectDigests(s)
	if err != nil {
		return nil, err
	}
	r, err := v.match(s.Reference)
	if err != nil {
		return nil, err
	}
	j := judgement{root: v.root, rule: r, subject: s, digests: digests}
	if p, err := j.pinned(); p != nil || err != nil {
		return p, err
	}
	total := 0
	for i := range evidence {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("verifying %q: %w", s.Reference, err)
		}
		if i == MaxCandidates {
			j.reject(&evidence[i], fail("verify.limit", "%d pieces of evidence were found and only the first %d are considered", len(evidence), MaxCandidates))
			break
		}
		if total += evidence[i].size(); total > MaxTotalBytes {
			j.reject(&evidence[i], fail("verify.limit", "all evidence together is larger than %d bytes, and no more is read", MaxTotalBytes))
			break
		}
		j.consider(&evidence[i])
	}
	return j.conclude(len(evidence))
}
