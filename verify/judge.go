package verify

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A judgement gathers what the evidence for one subject amounts to.
type judgement struct {
	root    *trustRoot
	rule    *rule
	subject Subject
	digests []digest

	signatures   []Signature
	attestations []Attestation
	rejected     []Candidate
}

func (j *judgement) reject(e *Evidence, f *failure) {
	j.rejected = append(j.rejected, Candidate{
		Digest: e.Digest, Source: e.Source, Code: f.code, Message: f.message, Hint: f.hint, Identity: f.found,
	})
}

// pinned settles what needs no evidence.
func (j *judgement) pinned() (*Provenance, error) {
	if _, ok := referenceDigest(j.subject.Reference); j.rule.digestRef && !ok {
		return nil, &RefusalError{
			Code:    "verify.digest_ref",
			Message: fmt.Sprintf("the rule %q asks for references that carry a digest, and %q does not", j.rule.name, j.subject.Reference),
			Hint:    fmt.Sprintf("write %s@%s", oneLine(repository(j.subject.Reference)), j.subject.Digest),
		}
	}
	switch {
	case len(j.rule.pins) == 0:
		return nil, nil
	case slices.Contains(j.rule.pins, j.subject.Digest):
		return &Provenance{
			verified: true, pinned: true, reference: j.subject.Reference, digest: j.subject.Digest, rule: j.rule.name,
		}, nil
	}
	return nil, &RefusalError{
		Code:    "verify.pin",
		Message: fmt.Sprintf("%s has the digest %s, which the rule %q does not pin", oneLine(j.subject.Reference), j.subject.Digest, j.rule.name),
		Hint:    "if you reviewed it, add the digest under pin",
	}
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
		j.reject(e, asFailure(err))
	}
}

func (j *judgement) judge(e *Evidence) error {
	c, err := j.read(e)
	if err != nil {
		return err
	}
	var closest *failure
	counted := false
	for i := range j.rule.authorities {
		// All of them: one signature may count for several authorities.
		err := j.try(c, &j.rule.authorities[i])
		if err == nil {
			counted = true
		} else if f := asFailure(err); closest == nil || closeness(f.code) > closeness(closest.code) {
			closest = f
		}
	}
	if counted {
		return nil
	}
	return closest
}

func (j *judgement) read(e *Evidence) (*candidate, error) {
	if size := e.size(); size > MaxEvidenceBytes {
		return nil, fail("verify.limit", "it is %d bytes; at most %d are read", size, MaxEvidenceBytes)
	}
	switch e.Kind {
	case Bundle:
		return readBundle(e, j.subject, j.digests)
	case LegacySignature:
		return readLegacySignature(e, j.digests)
	case LegacyAttestation:
		return readLegacyAttestation(e, j.digests)
	}
	return nil, fail("verify.unsupported", "evidence of the kind %q is not read", oneLine(string(e.Kind)))
}

// closeness orders reasons by how near a candidate came to counting, so that
// of several authorities the one is named that it missed by least, and of
// several candidates the one that missed by least is named first.
func closeness(code string) int {
	return slices.Index([]string{
		"verify.limit", "verify.unsupported", "verify.malformed", "verify.internal", "verify.panic", "verify.digest", "verify.predicate", "verify.key", "verify.certificate", "verify.signature", "verify.tlog", "verify.timestamp",
		"verify.sct", "verify.key_window", "verify.identity", "verify.repository", "verify.annotation",
	}, code)
}

// try judges a candidate by one authority: first who made it, then what it
// says.
func (j *judgement) try(c *candidate, a *authority) error {
	found, err := c.verify(j.root, a)
	if err != nil {
		return err
	}
	s := j.signature(c, a, found)
	if found.identity != nil {
		if f := a.keyless.trusts(a.name, found.identity); f != nil {
			return f
		}
	}
	isSignature := c.statement == nil || c.statement.predicateType == SignPredicateType ||
		slices.Contains(j.rule.asSignatures, c.statement.predicateType)
	isAttestation := c.statement != nil && c.statement.predicateType != SignPredicateType
	if isSignature {
		if err := j.checkClaims(c, a, &s); err != nil {
			return err
		}
		j.signatures = append(j.signatures, s)
	}
	if isAttestation {
		at := Attestation{Signature: s, StatementType: c.statement.kind, Subjects: len(c.statement.subjects)}
		if len(c.statement.predicate) <= MaxPredicateBytes && c.statement.depth <= MaxPredicateDepth {
			at.Predicate = slices.Clone(c.statement.predicate)
		}
		j.attestations = append(j.attestations, at)
	}
	return nil
}

func (j *judgement) signature(c *candidate, a *authority, found *finding) Signature {
	s := Signature{
		Authority: a.name, Type: "key", Format: c.format, KeyID: found.keyID, Digest: c.digest.String(),
		Extensions: map[string]string{}, Annotations: map[string]string{}, DockerReference: c.dockerReference,
		Timestamps: found.times, Logs: found.logs, Evidence: c.origin,
	}
	maps.Copy(s.Annotations, c.annotations)
	if c.statement != nil {
		s.PredicateType = c.statement.predicateType
	}
	if !a.modes.log {
		s.Unchecked = append(s.Unchecked, "tlog")
	}
	if found.identity != nil {
		s.Type, s.Issuer, s.Subject = "certificate", found.identity.Issuer, found.identity.Subject
		maps.Copy(s.Extensions, found.identity.Extensions)
		if !a.modes.sct {
			s.Unchecked = append(s.Unchecked, "sct")
		}
	}
	if a.modes.needRoot() && j.root != nil {
		s.TrustRoot = j.root.digest
	}
	return s
}

// checkClaims compares what was signed with what the authority asks for.
func (j *judgement) checkClaims(c *candidate, a *authority, s *Signature) error {
	if c.dockerReference != "" && !j.rule.anyRepository && !sameRepository(c.dockerReference, j.subject.Reference) {
		f := fail("verify.repository", "it was signed as %q, not as %q", oneLine(c.dockerReference), repository(j.subject.Reference))
		f.hint = "if it was copied from there, name the original reference and a mirror, or set repositoryIdentity: any on the rule"
		return f
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
	return nil
}

// signer names who made a signature: the key, or the identity and who vouched
// for it. Certificates live for minutes, so their keys tell nobody apart.
func (s *Signature) signer() string {
	if s.Type == "certificate" {
		return "certificate\n" + s.Issuer + "\n" + s.Subject
	}
	return "key\n" + s.KeyID
}

// conclude compares what was verified with what the rule asks for.
func (j *judgement) conclude(found int) (*Provenance, error) {
	signers, by := map[string]bool{}, map[string]bool{}
	for i := range j.signatures {
		signers[j.signatures[i].signer()] = true
		by[j.signatures[i].Authority] = true
	}
	if len(signers) < j.rule.signers {
		return nil, j.refuse(found, len(signers))
	}
	for _, name := range j.rule.allOf {
		if !by[name] {
			return nil, &RefusalError{
				Code: "verify.all_of", Message: fmt.Sprintf("%s is not signed by %q, whose signature the rule %q asks for", j.what(), name, j.rule.name),
				Candidates: j.rejected,
			}
		}
	}
	for _, q := range j.rule.attestations {
		if err := j.require(&q); err != nil {
			return nil, err
		}
	}
	return &Provenance{
		verified: true, reference: j.subject.Reference, digest: j.subject.Digest, rule: j.rule.name,
		signatures: j.signatures, attestations: j.attestations, rejected: j.rejected,
	}, nil
}

func (j *judgement) require(q *Requirement) error {
	signers := map[string]bool{}
	for i := range j.attestations {
		a := &j.attestations[i]
		if a.PredicateType == q.PredicateType && (len(q.Authorities) == 0 || slices.Contains(q.Authorities, a.Authority)) {
			signers[a.signer()] = true
		}
	}
	if want := max(q.Signers, 1); len(signers) < want {
		by := ""
		if len(q.Authorities) > 0 {
			by = " by " + strings.Join(q.Authorities, " or ")
		}
		return &RefusalError{
			Code: "verify.attestation",
			Message: fmt.Sprintf("%s has %d of the %d attestations of type %q%s that the rule %q asks for",
				j.what(), len(signers), want, q.PredicateType, by, j.rule.name),
			Hint:       "attach it with `cosign attest --type " + shellQuote(q.PredicateType) + "`",
			Candidates: j.rejected,
		}
	}
	return nil
}

func (j *judgement) what() string {
	reference := oneLine(j.subject.Reference)
	if strings.HasSuffix(reference, "@"+j.subject.Digest) {
		return reference
	}
	return fmt.Sprintf("%s (%s)", reference, j.subject.Digest)
}

func (j *judgement) refuse(found, signers int) error {
	r := &RefusalError{Candidates: j.rejected}
	for i := range j.attestations {
		a := &j.attestations[i]
		r.Candidates = append(r.Candidates, Candidate{
			Digest: a.Evidence.Digest, Source: a.Evidence.Source, Code: "verify.predicate",
			Message: fmt.Sprintf("it is an attestation of type %q by authority %q, and an attestation is not a signature", oneLine(a.PredicateType), a.Authority),
			Hint:    "sign the artifact as well, or name the predicate type under attestationsAsSignatures if such a statement is what you trust",
		})
	}
	switch {
	case found == 0:
		r.Code = "verify.no_evidence"
		r.Message = fmt.Sprintf("%s carries no signature", j.what())
		r.Hint = "sign it with `cosign sign`; if it was copied, copy its signatures along (cosign copy, oras cp -r)"
	case signers > 0:
		r.Code = "verify.signers"
		r.Message = fmt.Sprintf("%s is signed by %d of the %d distinct signers that the rule %q asks for", j.what(), signers, j.rule.signers, j.rule.name)
	default:
		r.Code = "verify.no_signature"
		r.Message = fmt.Sprintf("%s carries no signature that counts for the rule %q", j.what(), j.rule.name)
		if len(r.Candidates) > 0 {
			c := slices.MaxFunc(r.Candidates, func(a, b Candidate) int { return cmp.Compare(closeness(a.Code), closeness(b.Code)) })
			r.Message += ": " + c.Message
			r.Hint = c.Hint
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

// asFailure turns any error into a failure. One that is none came from a
// dependency that could not make sense of what it was given.
func asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return fail("verify.malformed", "%s", oneLine(err.Error()))
}
