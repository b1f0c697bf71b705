package verify

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// FormatTrustPolicy returns the YAML form of a trust policy, which
// [ParseTrustPolicy] reads. Keys are written out; a trusted root is named by
// TrustRoot.Source, the file that must hold it. The policy is checked first.
func FormatTrustPolicy(p TrustPolicy) ([]byte, error) {
	if _, _, err := compilePolicy(&p); err != nil {
		return nil, err
	}
	f := trustFile{APIVersion: TrustPolicyAPIVersion, Kind: TrustPolicyKind}
	if p.Root.PublicGood || len(p.Root.JSON) > 0 {
		f.TrustRoot = &rootFile{File: p.Root.Source}
		if p.Root.PublicGood {
			f.TrustRoot.Builtin = "public-good"
		}
		if len(p.Root.JSON) > 0 && p.Root.Source == "" {
			return nil, fmt.Errorf("writing the trust policy: its trusted root has no file name")
		}
	}
	for i := range p.Rules {
		f.Rules = append(f.Rules, formatRule(&p.Rules[i]))
	}
	for _, m := range p.Mirrors {
		f.Mirrors = append(f.Mirrors, mirrorFile(m))
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&f); err != nil {
		return nil, fmt.Errorf("writing the trust policy: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("writing the trust policy: %w", err)
	}
	return out.Bytes(), nil
}

func formatRule(r *Rule) ruleFile {
	f := ruleFile{
		Name: r.Name, Match: r.Match, Pin: r.Pin, AttestationsAsSignatures: r.AttestationsAsSignatures,
		Require: requireFile{Signatures: r.Signers, DigestRef: r.DigestRef, AllOf: r.AllOf},
	}
	if r.AnyRepository {
		f.RepositoryIdentity = "any"
	}
	for _, a := range r.Attestations {
		f.Attestations = append(f.Attestations, attestationFile{PredicateType: a.PredicateType, Authorities: a.Authorities, Min: a.Signers})
	}
	for i := range r.Authorities {
		f.Authorities = append(f.Authorities, formatAuthority(&r.Authorities[i]))
	}
	if len(r.CompiledCode) > 0 {
		f.CompiledCode = &codeFile{}
		for i := range r.CompiledCode {
			f.CompiledCode.Authorities = append(f.CompiledCode.Authorities, formatAuthority(&r.CompiledCode[i]))
		}
	}
	return f
}

func formatAuthority(a *Authority) authorityFile {
	f := authorityFile{Name: a.Name, Annotations: a.Annotations, TLog: string(a.Log), SCT: string(a.SCT)}
	if a.TSA == Required {
		f.Timestamp = "tsa"
	}
	if a.Key != nil {
		f.Key = &keyFile{PEM: string(a.Key.PEM), ValidFrom: a.Key.ValidFrom, ValidUntil: a.Key.ValidUntil}
	}
	if a.Keyless != nil {
		f.Keyless = &keylessFile{Extensions: a.Keyless.Extensions, ExtensionsRegexp: a.Keyless.ExtensionsRegexp}
		for _, id := range a.Keyless.Identities {
			f.Keyless.Identities = append(f.Keyless.Identities, identityFile(id))
		}
	}
	return f
}
