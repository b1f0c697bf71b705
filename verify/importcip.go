package verify

import (
	"errors"
	"fmt"
	"strings"
)

// A clusterImagePolicy is what policy-controller's ClusterImagePolicy
// (policy.sigstore.dev) says, as far as it can be said here. What a field
// below cannot hold is unknown to the decoder and so refused.
type clusterImagePolicy struct {
	APIVersion string      `yaml:"apiVersion"`
	Kind       string      `yaml:"kind"`
	Metadata   cipMetadata `yaml:"metadata"`
	Spec       cipSpec     `yaml:"spec"`
	Status     unread      `yaml:"status"`
}

type cipMetadata struct {
	Name              string `yaml:"name"`
	Labels            unread `yaml:"labels"`
	Annotations       unread `yaml:"annotations"`
	UID               unread `yaml:"uid"`
	ResourceVersion   unread `yaml:"resourceVersion"`
	Generation        unread `yaml:"generation"`
	CreationTimestamp unread `yaml:"creationTimestamp"`
	Finalizers        unread `yaml:"finalizers"`
	ManagedFields     unread `yaml:"managedFields"`
}

type cipSpec struct {
	Images      []cipImage     `yaml:"images"`
	Authorities []cipAuthority `yaml:"authorities"`
	Mode        string         `yaml:"mode"`
}

type cipImage struct {
	Glob string `yaml:"glob"`
}

type cipAuthority struct {
	Name            string           `yaml:"name"`
	Key             *cipKey          `yaml:"key"`
	Keyless         *cipKeyless      `yaml:"keyless"`
	CTLog           *cipLog          `yaml:"ctlog"`
	Timestamp       *cipRootRef      `yaml:"rfc3161timestamp"`
	Attestations    []cipAttestation `yaml:"attestations"`
	SignatureFormat string           `yaml:"signatureFormat"`
}

type cipKey struct {
	Data          string `yaml:"data"`
	HashAlgorithm string `yaml:"hashAlgorithm"`
}

type cipKeyless struct {
	URL               string        `yaml:"url"`
	Identities        []cipIdentity `yaml:"identities"`
	TrustRootRef      string        `yaml:"trustRootRef"`
	InsecureIgnoreSCT bool          `yaml:"insecureIgnoreSCT"`
}

type cipIdentity struct {
	Issuer        string `yaml:"issuer"`
	IssuerRegexp  string `yaml:"issuerRegExp"`
	Subject       string `yaml:"subject"`
	SubjectRegexp string `yaml:"subjectRegExp"`
}

type cipLog struct {
	URL          string `yaml:"url"`
	TrustRootRef string `yaml:"trustRootRef"`
}

type cipRootRef struct {
	TrustRootRef string `yaml:"trustRootRef"`
}

type cipAttestation struct {
	Name          string `yaml:"name"`
	PredicateType string `yaml:"predicateType"`
}

// predicateTypes are the short names that cosign and policy-controller know.
var predicateTypes = map[string]string{
	"custom": "https://cosign.sigstore.dev/attestation/v1", "slsaprovenance": "https://slsa.dev/provenance/v0.2",
	"slsaprovenance02": "https://slsa.dev/provenance/v0.2", "slsaprovenance1": "https://slsa.dev/provenance/v1",
	"spdx": "https://spdx.dev/Document", "spdxjson": "https://spdx.dev/Document", "cyclonedx": "https://cyclonedx.org/bom",
	"link": "https://in-toto.io/Link/v1", "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1", "openvex": "https://openvex.dev/ns",
}

// PredicateType returns the predicate type that cosign's short name stands
// for, such as "slsaprovenance1", or the name itself.
func PredicateType(name string) string { return either(predicateTypes[name], name) }

// ImportClusterImagePolicy turns one ClusterImagePolicy of policy-controller
// into a trust policy. root stands for the TrustRoots that it refers to and
// may be zero; without a reference the public Sigstore instance is meant.
//
// What cannot be said here is an error, never left out: secrets, key
// management services and CA certificates, static actions, modes other than
// enforce, resource selectors, policies in CUE or Rego, other places for
// signatures, and attestations beside further authorities. So is a second
// document, because policy-controller asks an image to meet all policies
// that match it. Errors are [*PolicyError] with their line.
func ImportClusterImagePolicy(name string, data []byte, root TrustRoot) (TrustPolicy, error) {
	y := &yamlFile{name: name, foreign: true}
	var cip clusterImagePolicy
	if err := y.read(data, &cip); err != nil {
		return TrustPolicy{}, cannotImport(err)
	}
	if !strings.HasPrefix(cip.APIVersion, "policy.sigstore.dev/") || cip.Kind != "ClusterImagePolicy" {
		return TrustPolicy{}, y.place(policyError("trust.kind", "kind", "it is apiVersion %q, kind %q; want a ClusterImagePolicy of policy.sigstore.dev", cip.APIVersion, cip.Kind))
	}
	if cip.Spec.Mode != "" && cip.Spec.Mode != "enforce" {
		return TrustPolicy{}, y.place(policyError("trust.import", "spec.mode", "mode %q cannot be expressed: a rule that only warns is none", cip.Spec.Mode))
	}
	p := TrustPolicy{}
	rule := Rule{Name: cip.Metadata.Name}
	for i, image := range cip.Spec.Images {
		pattern, err := cipPattern(fmt.Sprintf("spec.images[%d].glob", i), image.Glob)
		if err != nil {
			return p, y.place(err)
		}
		rule.Match = append(rule.Match, pattern)
	}
	refers, needs := false, false
	for i := range cip.Spec.Authorities {
		a, err := cip.Spec.Authorities[i].authority(fmt.Sprintf("spec.authorities[%d]", i), i)
		if err != nil {
			return p, y.place(err)
		}
		rule.Authorities = append(rule.Authorities, a)
		refers = refers || cip.Spec.Authorities[i].refers()
		needs = needs || a.Keyless != nil || a.Log == Required || a.TSA == Required
	}
	if err := cip.attestations(&rule); err != nil {
		return p, y.place(err)
	}
	switch {
	case len(root.JSON) > 0 || root.PublicGood:
		p.Root = root
	case refers:
		return p, y.place(&PolicyError{
			Code: "trust.root", Field: "spec.authorities", Message: "it refers to a TrustRoot of the cluster, which is not in the file",
			Hint: "give its content with --trusted-root FILE",
		})
	case needs:
		p.Root.PublicGood = true
	}
	p.Rules = []Rule{rule}
	if _, _, err := compilePolicy(&p); err != nil {
		return TrustPolicy{}, y.place(relocate(err, "rules[0]", "spec"))
	}
	return p, nil
}

// cannotImport says of an unknown field what it means here.
func cannotImport(err error) error {
	var p *PolicyError
	if !errors.As(err, &p) || p.Code != "trust.field" {
		return err
	}
	out := *p
	out.Code, out.Message = "trust.import", fmt.Sprintf("the field %s cannot be expressed", oneLine(p.Field))
	return &out
}

// relocate renames the beginning of an error's field.
func relocate(err error, from, to string) error {
	var p *PolicyError
	if !errors.As(err, &p) {
		return err
	}
	out := *p
	if rest, ok := strings.CutPrefix(out.Field, from); ok {
		out.Field = to + rest
	}
	return &out
}

// cipPattern: policy-controller's "*" and "**" mean what ours do, but for the
// two globs that stand for Docker Hub.
func cipPattern(field, glob string) (string, error) {
	switch glob {
	case "*":
		return "docker.io/library/*", nil
	case "*/*":
		return "docker.io/*/*", nil
	case "":
		return "", policyError("trust.match", field, "the glob is empty")
	}
	return strings.Replace(glob, "index.docker.io/", "docker.io/", 1), nil
}

func (a *cipAuthority) refers() bool {
	return a.Keyless != nil && a.Keyless.TrustRootRef != "" || a.CTLog != nil && a.CTLog.TrustRootRef != "" ||
		a.Timestamp != nil && a.Timestamp.TrustRootRef != ""
}

const (
	publicFulcio = "https://fulcio.sigstore.dev"
	publicRekor  = "https://rekor.sigstore.dev"
)

func (a *cipAuthority) authority(field string, index int) (Authority, error) {
	out := Authority{Name: either(a.Name, fmt.Sprintf("authority-%d", index)), Log: Required}
	if a.CTLog != nil {
		switch {
		case a.CTLog.URL == "" && a.CTLog.TrustRootRef == "":
			out.Log = None // "ctlog: {}" is how it is turned off
		case a.CTLog.URL != "" && strings.TrimSuffix(a.CTLog.URL, "/") != publicRekor && a.CTLog.TrustRootRef == "":
			return out, policyError("trust.import", field+".ctlog.url", "the log %q cannot be expressed without its key: refer to a TrustRoot and give it", a.CTLog.URL)
		}
	}
	if a.Timestamp != nil {
		out.TSA = Required
	}
	if a.Key != nil {
		if a.Key.HashAlgorithm != "" && a.Key.HashAlgorithm != "sha256" {
			return out, policyError("trust.import", field+".key.hashAlgorithm", "hashAlgorithm %q cannot be expressed", a.Key.HashAlgorithm)
		}
		out.Key = &Key{PEM: []byte(a.Key.Data)}
	}
	if k := a.Keyless; k != nil {
		if k.URL != "" && strings.TrimSuffix(k.URL, "/") != publicFulcio && k.TrustRootRef == "" {
			return out, policyError("trust.import", field+".keyless.url", "the authority %q cannot be expressed without its certificate: refer to a TrustRoot and give it", k.URL)
		}
		out.Keyless = &Keyless{}
		for _, id := range k.Identities {
			out.Keyless.Identities = append(out.Keyless.Identities, Identity(id))
		}
		if k.InsecureIgnoreSCT {
			out.SCT = None
		}
	}
	return out, nil
}

// attestations: an authority with attestations asks for those instead of a
// signature. With one authority that is a rule; beside others it is a choice
// between kinds of evidence, which a rule is not.
func (c *clusterImagePolicy) attestations(rule *Rule) error {
	for i := range c.Spec.Authorities {
		a := &c.Spec.Authorities[i]
		if len(a.Attestations) > 0 && len(c.Spec.Authorities) > 1 {
			return policyError("trust.import", fmt.Sprintf("spec.authorities[%d].attestations", i), "attestations of one of several authorities cannot be expressed: make a policy of each")
		}
		for _, t := range a.Attestations {
			kind := PredicateType(t.PredicateType)
			rule.Attestations = append(rule.Attestations, Requirement{PredicateType: kind, Authorities: []string{rule.Authorities[i].Name}})
			rule.AttestationsAsSignatures = append(rule.AttestationsAsSignatures, kind)
		}
	}
	return nil
}
