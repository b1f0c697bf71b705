package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/verify"
)

// Verify fetches the module and says who signed it, without inspecting it or
// asking the policy. Where it is refused, Report.Rejected says what every piece
// of evidence lacked.
func (p *Pipeline) Verify(ctx context.Context, req Request) (*Report, error) {
	if err := checkRequest(&req); err != nil {
		return nil, err
	}
	j := &judgement{p: p, req: req, report: p.newReport(req, nil)}
	if err := j.walk(ctx, j.fetch, j.verify); err != nil {
		return nil, err
	}
	if j.expected(); j.refused() {
		return j.report, nil
	}
	j.report.Outcome = Outcome{OK: true, Stage: StageDone, Code: "ok", Message: "verified"}
	return j.report, nil
}

// verify asks who signed the module, and compares that with the lock.
func (j *judgement) verify(ctx context.Context) error {
	err := j.verifySignatures(ctx)
	if err == nil {
		j.locked()
	}
	return err
}

func (j *judgement) verifySignatures(ctx context.Context) error {
	if j.p.cfg.Verifier == nil {
		if !j.p.cfg.AllowUnsigned && !j.lenient {
			j.refuseUntrusted()
		}
		return nil
	}
	provenance, err := j.p.cfg.Verifier.Verify(ctx, j.subject(), j.evidence())
	var refusal *verify.RefusalError
	switch {
	case errors.As(err, &refusal):
		j.reject(refusal.Candidates)
		if !j.lenient {
			j.refuse(StageVerify, refusal.Code, j.about(refusal.Message), refusal.Hint)
		}
		return nil
	case err != nil:
		return fmt.Errorf("verifying %s: %w", j.name(), err)
	}
	j.provenance = provenance
	j.reject(provenance.Rejected())
	j.report.Trust = Trust{Rule: provenance.Rule(), Pinned: provenance.Pinned()}
	for _, s := range provenance.Signatures() {
		j.report.Signatures = append(j.report.Signatures, signature(s))
	}
	for _, a := range provenance.Attestations() {
		j.report.Attestations = append(j.report.Attestations, signature(a.Signature))
	}
	return nil
}

// covered refuses a reference that no rule of the trust policy is about, before
// anybody is asked for it.
func (j *judgement) covered() bool {
	if j.p.cfg.Verifier == nil || j.lenient {
		return true
	}
	_, err := j.p.cfg.Verifier.Rule(j.name())
	var refusal *verify.RefusalError
	if errors.As(err, &refusal) {
		j.refuse(StageVerify, refusal.Code, j.about(refusal.Message), refusal.Hint)
		return false
	}
	return true
}

func (j *judgement) refuseUntrusted() {
	if j.artifact == nil {
		j.refuse(StageVerify, "verify.unsigned_file", fmt.Sprintf("%s is a local file, and nobody is trusted to have signed it", j.name()),
			"--allow-unsigned runs a module that you built yourself; for a signed one name --key and --bundle")
		return
	}
	j.refuse(StageVerify, "verify.no_trust", fmt.Sprintf("%s: nobody is trusted to sign it", j.name()),
		"name its signer with --key, or with --certificate-identity and --certificate-oidc-issuer, or in a file with --trust")
}

// subject is what a signature must be about.
func (j *judgement) subject() verify.Subject {
	if j.artifact != nil {
		return verify.Subject{Reference: j.name(), Digest: j.artifact.Digest, AlsoDigests: j.artifact.Subjects()[1:]}
	}
	return verify.Subject{
		Reference: "file://" + j.name(), Digest: j.report.Function.ModuleDigest, Content: j.bytes.Data(), File: true,
	}
}

// evidence is what the operator named, and what the registry holds.
func (j *judgement) evidence() []verify.Evidence {
	var found []oci.Evidence
	if j.artifact != nil {
		found = j.artifact.Evidence
	}
	list := append(make([]verify.Evidence, 0, len(found)+len(j.req.Bundles)), j.req.Bundles...)
	for _, e := range found {
		list = append(list, verify.Evidence{
			Kind: verify.Kind(e.Kind), MediaType: e.MediaType, Digest: e.Manifest, Source: e.Source,
			Bytes: e.Bytes, Annotations: e.Annotations,
		})
	}
	return list
}

func (j *judgement) reject(candidates []verify.Candidate) {
	for _, c := range candidates {
		rejected := Candidate{Digest: c.Digest, Source: c.Source, Code: c.Code, Message: c.Message, Hint: c.Hint}
		if c.Identity != nil {
			rejected.Issuer, rejected.Subject = c.Identity.Issuer, c.Identity.Subject
		}
		j.report.Rejected = append(j.report.Rejected, rejected)
	}
}

func signature(s verify.Signature) Signature {
	out := Signature{
		Authority: s.Authority, Type: s.Type, Format: s.Format, KeyID: s.KeyID, Issuer: s.Issuer, Subject: s.Subject,
		PredicateType: s.PredicateType, Digest: s.Digest, Annotations: s.Annotations, Extensions: s.Extensions,
		Timestamps: []Timestamp{}, Logs: []LogEntry{}, Unchecked: append([]string{}, s.Unchecked...),
		Evidence: s.Evidence.Digest, Source: s.Evidence.Source,
	}
	for _, t := range s.Timestamps {
		out.Timestamps = append(out.Timestamps, Timestamp{Type: t.Type, URI: t.URI, Time: t.Time.UTC().Format(time.RFC3339)})
	}
	for _, l := range s.Logs {
		out.Logs = append(out.Logs, LogEntry(l))
	}
	return out
}
