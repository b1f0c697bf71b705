package pipeline

import (
	"time"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
	"github.com/krmsafe/krmsafe/verify"
)

// facts gathers everything that is known of the run before it starts: what the
// policy will see as its input.
func (j *judgement) facts() policy.Facts {
	f := policy.Facts{
		Request:   j.request,
		Module:    moduleFacts(j.module.Facts()),
		Runtime:   j.p.cfg.Runtime,
		Resources: resourceFacts(krm.Summarize(j.req.Input)),
	}
	f.Runtime.CompiledCode = sandbox.CodeNone
	if box := j.p.cfg.Sandbox; box != nil {
		f.Runtime.CompiledCode = box.CodeOrigin(j.module, j.voucher())
	}
	if j.confinement != "" {
		f.Runtime.Jail = j.confinement
	}
	f.Request.Date = j.p.cfg.Date
	f.Request.NamedBy = j.req.NamedBy
	f.Request.Flags = j.p.cfg.Flags
	f.Request.Flags.AllowUnsigned, f.Request.Flags.RequireJail = j.p.cfg.AllowUnsigned, j.p.cfg.Runtime.Jail
	f.Request.Flags.Mode = string(j.p.cfg.Mode)
	if j.artifact != nil {
		f.Unverified.Annotations = j.artifact.Annotations
	}
	if c := j.req.Input.FunctionConfig; c != nil {
		f.FunctionConfig = policy.FunctionConfig{APIVersion: c.APIVersion(), Kind: c.Kind, Name: c.Name, Namespace: c.Namespace}
	}
	if j.provenance.Verified() {
		f.Verified = verifiedFacts(j.provenance)
	}
	return f.Normalize()
}

// verifiedFacts is signed truth and nothing else.
func verifiedFacts(p *verify.Provenance) policy.Verified {
	v := policy.Verified{Signed: true, Rule: p.Rule()}
	for _, s := range p.Signatures() {
		fact := policy.Signature{
			Authority: s.Authority, Type: s.Type, Format: s.Format, KeyID: s.KeyID, Issuer: s.Issuer, Subject: s.Subject,
			Annotations: s.Annotations, Extensions: s.Extensions,
		}
		for _, t := range s.Timestamps {
			fact.Timestamps = append(fact.Timestamps, policy.Timestamp{Type: t.Type, URI: t.URI, Time: t.Time.UTC().Format(time.RFC3339)})
		}
		v.Signatures = append(v.Signatures, fact)
	}
	for _, a := range p.Attestations() {
		v.Attestations = append(v.Attestations, policy.Attestation{
			Authority: a.Authority, PredicateType: a.PredicateType, Predicate: a.Predicate,
		})
	}
	return v
}

func resourceFacts(s krm.Summary) policy.Resources {
	r := policy.Resources{Count: s.Count, Namespaces: s.Namespaces, ContainsSecrets: s.ContainsSecrets}
	for _, k := range s.Kinds {
		r.Kinds = append(r.Kinds, policy.ResourceKinds(k))
	}
	return r
}

func moduleFacts(m sandbox.Facts) policy.Module {
	out := policy.Module{
		Digest: m.Digest, SizeBytes: m.SizeBytes, ImportClasses: m.ImportClasses, Memory: policy.Memory(m.Memory),
		Globals: m.Globals, StartSection: m.StartSection, EntryPoint: m.EntryPoint, Features: m.Features,
		Functions: m.Functions, CodeBytes: m.CodeBytes, DataBytes: m.DataBytes, DataSegments: m.DataSegments,
		LargestFunctionBytes: m.LargestFunctionBytes, DeepestNesting: m.DeepestNesting,
	}
	for _, i := range m.Imports {
		out.Imports = append(out.Imports, policy.Import(i))
	}
	for _, e := range m.Exports {
		out.Exports = append(out.Exports, policy.Export(e))
	}
	for _, t := range m.Tables {
		out.Tables = append(out.Tables, policy.Table(t))
	}
	for _, p := range m.Producers {
		out.Producers = append(out.Producers, policy.Producer(p))
	}
	for _, c := range m.CustomSections {
		out.CustomSections = append(out.CustomSections, policy.CustomSection(c))
	}
	return out
}
