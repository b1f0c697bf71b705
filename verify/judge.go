package verify

import (
	"fmt"
	"maps"
	"slices"
)

// A judgement gathers what the evidence for one subject amounts to.
type judgement struct {
	rule    *rule
	subject Subject
	digests []digest

	signatures   []Signature
	attestations []Attestation
	rejected     []Candidate
}

func (j *judgement) reject(e *Evidence, f *failure) {
	j.rejected = append(j.rejected, Candidate{Digest: e.Digest, Source: e.Source, Code: f.code, Message: f.message, Hint: f.hint})
}

// consider judges one piece of evidence. Whatever happens inside ends here: a
// panic in a dependency is a reason to reject, never to stop looking and never
// to let pass.
func (j *judgement) consider(e *Evidence) {
	signatures, attestations := len(j.signatures), len(j.attestations)
	defer func() {
		if r := recover(); r != nil {
			j.signatures, j.attestations = j.signatures[:signatures], j.attestations[:attestations]
			j.reject(e, fail("verify.panic", "it makes the verifier panic: %s", oneLine(fmt.Sprint(r))))
		}
	}()
	if err := j.judge(e); err != nil {
		j.reject(e, asFailure(err, "verify.malformed"))
	}
}

func (j *judgement) judge(e *Evidence) error {
	if len(e.Bytes) > MaxEvidenceBytes {
		return fail("verify.limit", "it is %d bytes; at most %d are read", len(e.Bytes), MaxEvidenceBytes)
	}
	if e.Kind != Bundle {
		return fail("verify.unsupported", "evidence of kind %q is not read", string(e.Kind))
	}
	c, err := readBundle(e)
	if err != nil {
		return err
	}
	if err := c.about(j.subject, j.digests); err != nil {
		return err
	}
	var first error
	counted := false
	for i := range j.rule.authorities {
		if err := j.try(c, &j.rule.authorities[i]); err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		counted = true
	}
	if counted {
		return nil
	}
	return first
}

// try judges a candidate by one authority.
func (j *judgement) try(c *candidate, a *authority) error {
	result, err := c.verifyKey(a)
	if err != nil {
		return err
	}
	s := Signature{
		Authority: a.name, Type: "key", Format: c.format, KeyID: a.key.id, Digest: c.digest.String(),
		Annotations: map[string]string{}, Evidence: c.origin,
	}
	for _, t := range result.VerifiedTimestamps {
		s.Timestamps = append(s.Timestamps, Timestamp{Type: t.Type, URI: t.URI, Time: t.Timestamp})
	}
	if c.subject != nil {
		s.PredicateType = c.statement.predicateType
		s.Annotations = maps.Clone(c.subject.annotations)
	}
	for _, k := range slices.Sorted(maps.Keys(a.annotations)) {
		got, ok := s.Annotations[k]
		if !ok {
			return fail("verify.annotation", "authority %q asks for the annotation %q, which is not signed", a.name, k)
		}
		if got != a.annotations[k] {
			return fail("verify.annotation", "authority %q asks for the annotation %q to be %q; %q is signed", a.name, k, a.annotations[k], oneLine(got))
		}
	}
	if c.statement == nil || c.statement.predicateType == SignPredicateType {
		j.signatures = append(j.signatures, s)
		return nil
	}
	at := Attestation{Signature: s, StatementType: c.statement.kind, Subjects: len(c.statement.subjects)}
	if len(c.statement.predicate) <= MaxPredicateBytes && c.statement.depth <= MaxPredicateDepth {
		at.Predicate = slices.Clone(c.statement.predicate)
	}
	j.attestations = append(j.attestations, at)
	return nil
}

// conclude compares what was verified with what the rule asks for.
func (j *judgement) conclude(found int) (*Provenance, error) {
	signers := map[string]bool{}
	for i := range j.signatures {
		signers[j.signatures[i].KeyID] = true
	}
	if len(signers) >= j.rule.signers {
		return &Provenance{
			verified: true, reference: j.subject.Reference, digest: j.subject.Digest, rule: j.rule.name,
			signatures: j.signatures, attestations: j.attestations, rejected: j.rejected,
		}, nil
	}
	return nil, j.refuse(found, len(signers))
}

func (j *judgement) refuse(found, signers int) error {
	r := &RefusalError{Candidates: j.rejected}
	for i := range j.attestations {
		a := &j.attestations[i]
		r.Candidates = append(r.Candidates, Candidate{
			Digest: a.Evidence.Digest, Source: a.Evidence.Source, Code: "verify.predicate",
			Message: fmt.Sprintf("it is an attestation of type %q by authority %q, and an attestation is not a signature", oneLine(a.PredicateType), a.Authority),
		})
	}
	what := fmt.Sprintf("%s (%s)", j.subject.Reference, j.subject.Digest)
	switch {
	case found == 0:
		r.Code = "verify.no_evidence"
		r.Message = fmt.Sprintf("%s carries no signature", what)
		r.Hint = "sign it with `cosign sign --key cosign.key`, or attach the signature where the artifact was copied to"
	case signers > 0:
		r.Code = "verify.signers"
		r.Message = fmt.Sprintf("%s is signed by %d of the %d distinct signers that the rule %q asks for", what, signers, j.rule.signers, j.rule.name)
	default:
		r.Code = "verify.no_signature"
		r.Message = fmt.Sprintf("%s carries no signature that counts for the rule %q", what, j.rule.name)
		if len(r.Candidates) > 0 {
			r.Message += ": " + r.Candidates[0].Message
			r.Hint = r.Candidates[0].Hint
		}
		if same(r.Candidates) {
			r.Code = r.Candidates[0].Code
		}
	}
	return r
}

// same reports whether all candidates were rejected for one reason, which is
// then the reason of the refusal.
func same(c []Candidate) bool {
	return len(c) > 0 && !slices.ContainsFunc(c, func(x Candidate) bool { return x.Code != c[0].Code })
}
