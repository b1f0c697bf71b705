package pipeline

import (
	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
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
	f.Request.Date = j.p.cfg.Date
	f.Request.Flags = policy.Flags{AllowUnsigned: j.p.cfg.AllowUnsigned}
	if j.artifact != nil {
		f.Unverified.Annotations = j.artifact.Annotations
	}
	if c := j.req.Input.FunctionConfig; c != nil {
		f.FunctionConfig = policy.FunctionConfig{APIVersion: c.APIVersion(), Kind: c.Kind, Name: c.Name, Namespace: c.Namespace}
	}
	if j.provenance.Verified() {
		f.Verified.Signed = true
		for _, s := range j.provenance.Signatures() {
			f.Verified.Signatures = append(f.Verified.Signatures, policy.Signature{
				Authority: s.Authority, Type: s.Type, KeyID: s.KeyID, Annotations: s.Annotations,
			})
		}
		for _, a := range j.provenance.Attestations() {
			f.Verified.Attestations = append(f.Verified.Attestations, policy.Attestation{
				Authority: a.Authority, PredicateType: a.PredicateType, Predicate: a.Predicate,
			})
		}
	}
	return f.Normalize()
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
