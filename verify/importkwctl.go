package verify

import (
	"fmt"
	"regexp"
	"strings"
)

// A kwctlConfig is Kubewarden's verification config (kwctl verify
// --verification-config-path), apiVersion v1.
type kwctlConfig struct {
	APIVersion string           `yaml:"apiVersion"`
	AllOf      []kwctlSignature `yaml:"allOf"`
	AnyOf      *kwctlAnyOf      `yaml:"anyOf"`
}

type kwctlAnyOf struct {
	MinimumMatches *int             `yaml:"minimumMatches"`
	Signatures     []kwctlSignature `yaml:"signatures"`
}

type kwctlSignature struct {
	Kind        string            `yaml:"kind"`
	Owner       string            `yaml:"owner"`
	Repo        string            `yaml:"repo"`
	Key         string            `yaml:"key"`
	Issuer      string            `yaml:"issuer"`
	Subject     *kwctlSubject     `yaml:"subject"`
	Annotations map[string]string `yaml:"annotations"`
}

type kwctlSubject struct {
	Equal     string `yaml:"equal"`
	URLPrefix string `yaml:"urlPrefix"`
}

const gitHubIssuer = "https://token.actions.githubusercontent.com"

// ImportKwctl turns Kubewarden's verification config into a trust policy with
// one rule for every reference.
//
// allOf becomes require.allOf; anyOf becomes require.signatures. What cannot be
// said is an error: both of them together, several matches among identities
// that one or many people could have, and certificates in place of keys.
// Errors are [*PolicyError] with their line.
func ImportKwctl(name string, data []byte) (TrustPolicy, error) {
	y := &yamlFile{name: name, foreign: true}
	var c kwctlConfig
	if err := y.read(data, &c); err != nil {
		return TrustPolicy{}, cannotImport(err)
	}
	p, err := c.policy()
	if err == nil {
		_, _, err = compilePolicy(&p)
		err = relocate(err, "rules[0].authorities", c.field())
	}
	if err != nil {
		return TrustPolicy{}, y.place(err)
	}
	return p, nil
}

// field names the list of signatures that is given.
func (c *kwctlConfig) field() string {
	if c.AnyOf != nil {
		return "anyOf.signatures"
	}
	return "allOf"
}

func (c *kwctlConfig) policy() (TrustPolicy, error) {
	p := TrustPolicy{}
	if c.APIVersion != "v1" {
		return p, policyError("trust.kind", "apiVersion", "it is apiVersion %q; want v1 of Kubewarden's verification config", c.APIVersion)
	}
	rule := Rule{Name: "kubewarden", Match: []string{"**"}}
	list := c.AllOf
	if c.AnyOf != nil {
		if len(c.AllOf) > 0 {
			return p, policyError("trust.import", "anyOf", "allOf and anyOf together cannot be expressed in one rule: make two policies of it")
		}
		list = c.AnyOf.Signatures
		rule.Signers = 1
		if c.AnyOf.MinimumMatches != nil {
			rule.Signers = *c.AnyOf.MinimumMatches
		}
		if rule.Signers < 1 || rule.Signers > len(list) {
			return p, policyError("trust.signers", "anyOf.minimumMatches", "minimumMatches is %d of %d signatures", rule.Signers, len(list))
		}
	}
	for i := range list {
		at := fmt.Sprintf("%s[%d]", c.field(), i)
		a, err := list[i].authority(at, fmt.Sprintf("%s-%d", list[i].Kind, i+1))
		if err != nil {
			return p, err
		}
		if rule.Signers > 1 && a.Keyless != nil && a.Keyless.Identities[0].SubjectRegexp != "" {
			return p, policyError("trust.import", at, "%d matches where one of them can be met by several people cannot be expressed: name exact subjects", rule.Signers)
		}
		if c.AnyOf == nil {
			rule.AllOf = append(rule.AllOf, a.Name)
		}
		p.Root.PublicGood = p.Root.PublicGood || a.Keyless != nil
		rule.Authorities = append(rule.Authorities, a)
	}
	p.Rules = []Rule{rule}
	return p, nil
}

func (s *kwctlSignature) authority(field, name string) (Authority, error) {
	a := Authority{Name: name, Annotations: s.Annotations}
	id := Identity{Issuer: s.Issuer}
	switch s.Kind {
	case "pubKey":
		a.Key = &Key{PEM: []byte(s.Key)}
		return a, nil
	case "githubAction":
		if s.Owner == "" {
			return a, policyError("trust.identity", field, "a githubAction without an owner would trust every repository")
		}
		prefix := "https://github.com/" + s.Owner + "/"
		if s.Repo != "" {
			prefix += s.Repo + "/"
		}
		id = Identity{Issuer: gitHubIssuer, SubjectRegexp: prefixExpression(prefix)}
	case "genericIssuer":
		if s.Subject == nil || (s.Subject.Equal == "") == (s.Subject.URLPrefix == "") {
			return a, policyError("trust.identity", field, "a genericIssuer needs a subject with either equal or urlPrefix")
		}
		id.Subject = s.Subject.Equal
		if s.Subject.URLPrefix != "" {
			// A prefix ends where a path element ends, as kwctl has it.
			id.SubjectRegexp = prefixExpression(strings.TrimSuffix(s.Subject.URLPrefix, "/") + "/")
		}
	default:
		return a, policyError("trust.import", field+".kind", "signatures of the kind %q cannot be expressed; pubKey, githubAction and genericIssuer can", s.Kind)
	}
	a.Keyless = &Keyless{Identities: []Identity{id}}
	return a, nil
}

func prefixExpression(prefix string) string { return "^" + regexp.QuoteMeta(prefix) + ".*$" }
