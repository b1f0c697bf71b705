package verify

import (
	"fmt"
	"time"
)

// The names of the trust policy's YAML form.
const (
	TrustPolicyAPIVersion = "krmsafe.dev/v1alpha1"
	TrustPolicyKind       = "TrustPolicy"
)

// ParseTrustPolicy reads the YAML form of a trust policy, of which
// testdata/trust-policy.yaml shows every field, and checks it as New does: what it returns, New
// accepts. name is shown in messages. readFile reads a key or a trusted root
// that the policy names; it gets the path as it is written. Every error is a
// [*PolicyError] with the line it is on.
func ParseTrustPolicy(name string, data []byte, readFile func(path string) ([]byte, error)) (TrustPolicy, error) {
	y := &yamlFile{name: name}
	var f trustFile
	if err := y.read(data, &f); err != nil {
		return TrustPolicy{}, err
	}
	if f.APIVersion != TrustPolicyAPIVersion || f.Kind != TrustPolicyKind {
		return TrustPolicy{}, &PolicyError{
			Code: "trust.kind", Field: "kind", File: name, Line: max(y.lines["kind"], y.lines["apiVersion"]),
			Message: fmt.Sprintf("it is apiVersion %q, kind %q; want %q, %q", f.APIVersion, f.Kind, TrustPolicyAPIVersion, TrustPolicyKind),
			Hint:    "another tool's policy is imported with `krmsafe trust import --from kwctl|policy-controller FILE`",
		}
	}
	p, err := f.policy(readFile)
	if err != nil {
		return TrustPolicy{}, y.place(err)
	}
	if _, _, err := compilePolicy(&p); err != nil {
		return TrustPolicy{}, y.place(err)
	}
	return p, nil
}

// The YAML form. Field by field it is the Go form, but for files and for modes
// that are given once for all authorities.
type trustFile struct {
	APIVersion string       `yaml:"apiVersion"`
	Kind       string       `yaml:"kind"`
	TrustRoot  *rootFile    `yaml:"trustRoot,omitempty"`
	Rules      []ruleFile   `yaml:"rules"`
	Mirrors    []mirrorFile `yaml:"mirrors,omitempty"`
}

type rootFile struct {
	Builtin   string `yaml:"builtin,omitempty"`
	File      string `yaml:"file,omitempty"`
	SCT       string `yaml:"sct,omitempty"`
	TLog      string `yaml:"tlog,omitempty"`
	Timestamp string `yaml:"timestamp,omitempty"`
}

type mirrorFile struct {
	Prefix   string `yaml:"prefix,omitempty"`
	Location string `yaml:"location,omitempty"`
}

type ruleFile struct {
	Name                     string            `yaml:"name,omitempty"`
	Match                    []string          `yaml:"match"`
	Pin                      []string          `yaml:"pin,omitempty"`
	Require                  requireFile       `yaml:"require,omitempty"`
	Authorities              []authorityFile   `yaml:"authorities,omitempty"`
	Attestations             []attestationFile `yaml:"attestations,omitempty"`
	CompiledCode             *codeFile         `yaml:"compiledCode,omitempty"`
	AttestationsAsSignatures []string          `yaml:"attestationsAsSignatures,omitempty"`
	RepositoryIdentity       string            `yaml:"repositoryIdentity,omitempty"`
}

type codeFile struct {
	Authorities []authorityFile `yaml:"authorities,omitempty"`
}

type requireFile struct {
	Signatures int      `yaml:"signatures,omitempty"`
	DigestRef  bool     `yaml:"digestRef,omitempty"`
	AllOf      []string `yaml:"allOf,omitempty"`
}

type attestationFile struct {
	PredicateType string   `yaml:"predicateType,omitempty"`
	Authorities   []string `yaml:"authorities,omitempty"`
	Min           int      `yaml:"min,omitempty"`
}

type authorityFile struct {
	Name        string            `yaml:"name,omitempty"`
	Key         *keyFile          `yaml:"key,omitempty"`
	Keyless     *keylessFile      `yaml:"keyless,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
	TLog        string            `yaml:"tlog,omitempty"`
	SCT         string            `yaml:"sct,omitempty"`
	Timestamp   string            `yaml:"timestamp,omitempty"`
}

type keyFile struct {
	File       string    `yaml:"file,omitempty"`
	PEM        string    `yaml:"pem,omitempty"`
	ValidFrom  time.Time `yaml:"validFrom,omitempty"`
	ValidUntil time.Time `yaml:"validUntil,omitempty"`
}

type keylessFile struct {
	Identities       []identityFile    `yaml:"identities,omitempty"`
	Extensions       map[string]string `yaml:"extensions,omitempty"`
	ExtensionsRegexp map[string]string `yaml:"extensionsRegexp,omitempty"`
}

type identityFile struct {
	Issuer        string `yaml:"issuer,omitempty"`
	IssuerRegexp  string `yaml:"issuerRegexp,omitempty"`
	Subject       string `yaml:"subject,omitempty"`
	SubjectRegexp string `yaml:"subjectRegexp,omitempty"`
}

func (f *trustFile) policy(readFile func(string) ([]byte, error)) (TrustPolicy, error) {
	var (
		p   TrustPolicy
		err error
	)
	root := rootFile{}
	if f.TrustRoot != nil {
		root = *f.TrustRoot
		if p.Root, err = root.root(readFile); err != nil {
			return p, err
		}
	}
	for _, m := range f.Mirrors {
		p.Mirrors = append(p.Mirrors, Mirror(m))
	}
	for i := range f.Rules {
		r, err := f.Rules[i].rule(fmt.Sprintf("rules[%d]", i), &root, readFile)
		if err != nil {
			return p, err
		}
		p.Rules = append(p.Rules, r)
	}
	return p, nil
}

func (f *rootFile) root(readFile func(string) ([]byte, error)) (TrustRoot, error) {
	r := TrustRoot{Source: f.File}
	switch f.Builtin {
	case "":
	case "public-good":
		r.PublicGood = true
	default:
		return r, policyError("trust.root", "trustRoot.builtin", "there is no builtin trusted root %q; want public-good", f.Builtin)
	}
	if f.File == "" {
		if !r.PublicGood {
			return r, policyError("trust.root", "trustRoot", "trustRoot names neither a file nor a builtin")
		}
		return r, nil
	}
	data, err := readFile(f.File)
	if err != nil {
		return r, policyError("trust.root", "trustRoot.file", "reading the trusted root: %s", oneLine(err.Error()))
	}
	r.JSON = data
	return r, nil
}

func (f *ruleFile) rule(field string, root *rootFile, readFile func(string) ([]byte, error)) (Rule, error) {
	r := Rule{
		Name: f.Name, Match: f.Match, Pin: f.Pin, DigestRef: f.Require.DigestRef, Signers: f.Require.Signatures,
		AllOf: f.Require.AllOf, AttestationsAsSignatures: f.AttestationsAsSignatures,
	}
	switch f.RepositoryIdentity {
	case "", "require":
	case "any":
		r.AnyRepository = true
	default:
		return r, policyError("trust.mode", field+".repositoryIdentity", "repositoryIdentity is %q; want require or any", f.RepositoryIdentity)
	}
	for _, a := range f.Attestations {
		r.Attestations = append(r.Attestations, Requirement{PredicateType: a.PredicateType, Authorities: a.Authorities, Signers: a.Min})
	}
	for i := range f.Authorities {
		a, err := f.Authorities[i].authority(fmt.Sprintf("%s.authorities[%d]", field, i), root, readFile)
		if err != nil {
			return r, err
		}
		r.Authorities = append(r.Authorities, a)
	}
	if f.CompiledCode == nil {
		return r, nil
	}
	if len(f.CompiledCode.Authorities) == 0 {
		return r, policyError("trust.nobody", field+".compiledCode", "compiledCode names no authority: leave it out, or say who may sign compiled code")
	}
	for i := range f.CompiledCode.Authorities {
		a, err := f.CompiledCode.Authorities[i].authority(fmt.Sprintf("%s.compiledCode.authorities[%d]", field, i), root, readFile)
		if err != nil {
			return r, err
		}
		r.CompiledCode = append(r.CompiledCode, a)
	}
	return r, nil
}

func (f *authorityFile) authority(field string, root *rootFile, readFile func(string) ([]byte, error)) (Authority, error) {
	a := Authority{Name: f.Name, Annotations: f.Annotations, Log: Mode(f.TLog), SCT: Mode(f.SCT)}
	timestamp := f.Timestamp
	if f.Keyless != nil {
		// What the trust root says holds for certificates; keys ask for a log
		// by themselves.
		a.Log, a.SCT = Mode(either(f.TLog, root.TLog)), Mode(either(f.SCT, root.SCT))
		timestamp = either(f.Timestamp, root.Timestamp)
		a.Keyless = &Keyless{Extensions: f.Keyless.Extensions, ExtensionsRegexp: f.Keyless.ExtensionsRegexp}
		for _, id := range f.Keyless.Identities {
			a.Keyless.Identities = append(a.Keyless.Identities, Identity(id))
		}
	}
	switch timestamp {
	case "", "any":
	case "tsa":
		a.TSA = Required
	default:
		return a, policyError("trust.mode", field+".timestamp", "timestamp is %q; want any or tsa", timestamp)
	}
	if f.Key == nil {
		return a, nil
	}
	a.Key = &Key{PEM: []byte(f.Key.PEM), Source: f.Key.File, ValidFrom: f.Key.ValidFrom, ValidUntil: f.Key.ValidUntil}
	if (f.Key.File == "") == (f.Key.PEM == "") {
		return a, policyError("trust.key", field+".key", "a key is given by file or by pem, exactly one of them")
	}
	if f.Key.File != "" {
		data, err := readFile(f.Key.File)
		if err != nil {
			return a, policyError("trust.key", field+".key.file", "reading the key: %s", oneLine(err.Error()))
		}
		a.Key.PEM = data
	}
	return a, nil
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
