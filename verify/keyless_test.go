package verify_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
	"github.com/krmsafe/krmsafe/verify"
)

const (
	subject = "https://github.com/acme/fns/.github/workflows/release.yml@refs/tags/v1"
	issuer  = "https://token.actions.githubusercontent.com"
)

// workflow is what a GitHub workflow that signs has in its certificate.
var workflow = sigstore.Request{Subject: subject, Issuer: issuer, Extensions: map[int]string{
	2: "push", 3: "1234567890abcdef1234567890abcdef12345678", 4: "release", 5: "acme/fns", 6: "refs/tags/v1",
	11: "github-hosted", 12: "https://github.com/acme/fns", 14: "refs/tags/v1", 20: "push",
}}

func newInstance(t *testing.T) *sigstore.Instance {
	t.Helper()
	i, err := sigstore.NewInstance()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func rootOf(t *testing.T, i *sigstore.Instance) verify.TrustRoot {
	t.Helper()
	b, err := i.TrustedRoot()
	if err != nil {
		t.Fatal(err)
	}
	return verify.TrustRoot{JSON: b, Source: "trusted_root.json"}
}

// keyless is a policy with one keyless authority, "ci".
func keyless(t *testing.T, i *sigstore.Instance, change func(*verify.Authority)) verify.TrustPolicy {
	t.Helper()
	a := verify.Authority{Name: "ci", Keyless: &verify.Keyless{Identities: []verify.Identity{{Issuer: issuer, Subject: subject}}}}
	if change != nil {
		change(&a)
	}
	return verify.TrustPolicy{Root: rootOf(t, i), Rules: []verify.Rule{{Match: []string{"**"}, Authorities: []verify.Authority{a}}}}
}

func certified(t *testing.T, i *sigstore.Instance, r sigstore.Request, digest string) verify.Evidence {
	t.Helper()
	b, err := i.Sign(r, sigstore.Statement(digest, nil))
	return bundleEvidence(t, b, err)
}

var image = verify.Subject{Reference: reference, Digest: digest}

func TestKeylessReportsTheSigner(t *testing.T) {
	i := newInstance(t)
	p := accepted(t, newVerifier(t, keyless(t, i, nil)), image, certified(t, i, workflow, digest))
	s := p.Signatures()[0]
	if s.Type != "certificate" || s.Issuer != issuer || s.Subject != subject || s.Authority != "ci" || len(s.Unchecked) != 0 || s.TrustRoot == "" {
		t.Errorf("signature = %+v", s)
	}
	want := map[string]string{
		"githubWorkflowTrigger": "push", "githubWorkflowSHA": "1234567890abcdef1234567890abcdef12345678", "githubWorkflowName": "release",
		"githubWorkflowRepository": "acme/fns", "githubWorkflowRef": "refs/tags/v1", "runnerEnvironment": "github-hosted",
		"sourceRepositoryURI": "https://github.com/acme/fns", "sourceRepositoryRef": "refs/tags/v1", "buildTrigger": "push",
	}
	if !maps.Equal(s.Extensions, want) {
		t.Errorf("extensions = %v, want %v", s.Extensions, want)
	}
	if len(s.Timestamps) != 2 || s.Timestamps[0].Type != "tlog" || s.Timestamps[1].Type != "tsa" || !s.Timestamps[1].Time.Equal(sigstore.Now.Add(60e9)) {
		t.Errorf("timestamps = %+v", s.Timestamps)
	}
	if len(s.Logs) != 1 || s.Logs[0].Index != 1 {
		t.Errorf("logs = %+v", s.Logs)
	}
}

// Each part of an identity alone must be able to refuse (kyverno
// CVE-2025-29778 ignored two of them).
func TestEachPartOfAnIdentityRefuses(t *testing.T) {
	i := newInstance(t)
	good := certified(t, i, workflow, digest)
	identity := func(id verify.Identity) func(*verify.Authority) {
		return func(a *verify.Authority) { a.Keyless.Identities = []verify.Identity{id} }
	}
	extension := func(name, value string) func(*verify.Authority) {
		return func(a *verify.Authority) { a.Keyless.Extensions = map[string]string{name: value} }
	}
	expression := func(name, value string) func(*verify.Authority) {
		return func(a *verify.Authority) { a.Keyless.ExtensionsRegexp = map[string]string{name: value} }
	}
	tests := []struct {
		name   string
		change func(*verify.Authority)
		ok     bool
	}{
		{"exact", nil, true},
		{"expressions", identity(verify.Identity{IssuerRegexp: "^https://token\\.actions\\..*$", SubjectRegexp: "^https://github\\.com/acme/.*$"}), true},
		{"one of two", func(a *verify.Authority) {
			a.Keyless.Identities = append([]verify.Identity{{Issuer: "https://a", Subject: "b"}}, a.Keyless.Identities...)
		}, true},
		{"extension", extension("sourceRepositoryURI", "https://github.com/acme/fns"), true},
		{"extension expression", expression("sourceRepositoryRef", "^refs/tags/v.*$"), true},
		{"issuer", identity(verify.Identity{Issuer: "https://accounts.google.com", Subject: subject}), false},
		{"issuer expression", identity(verify.Identity{IssuerRegexp: "^https://google$", Subject: subject}), false},
		{"subject", identity(verify.Identity{Issuer: issuer, Subject: subject + "2"}), false},
		{"subject prefix", identity(verify.Identity{Issuer: issuer, Subject: subject[:len(subject)-1]}), false},
		{"subject expression", identity(verify.Identity{Issuer: issuer, SubjectRegexp: "^https://github\\.com/acme/other/.*$"}), false},
		{"alternatives are anchored as a whole", identity(verify.Identity{Issuer: issuer, SubjectRegexp: "^https://github\\.com|x$"}), false},
		{"expression for a part", identity(verify.Identity{Issuer: issuer, SubjectRegexp: "^https://github\\.com$"}), false},
		{"crossed identities", func(a *verify.Authority) {
			a.Keyless.Identities = []verify.Identity{{Issuer: issuer, Subject: "other"}, {Issuer: "https://other", Subject: subject}}
		}, false},
		{"source repository", extension("sourceRepositoryURI", "https://github.com/acme/fork"), false},
		{"trigger", extension("buildTrigger", "pull_request"), false},
		{"runner", extension("runnerEnvironment", "self-hosted"), false},
		{"ref expression", expression("sourceRepositoryRef", "^refs/heads/.*$"), false},
		{"extension that is not there", extension("buildSignerURI", "https://x"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVerifier(t, keyless(t, i, tt.change))
			if tt.ok {
				accepted(t, v, image, good)
				return
			}
			r := refused(t, v, image, good)
			if r.Code != "verify.identity" {
				t.Errorf("code = %s, want verify.identity (%s)", r.Code, r.Message)
			}
			if id := r.Candidates[0].Identity; id == nil || id.Subject != subject || id.Issuer != issuer {
				t.Errorf("the refusal does not say who signed it: %+v", id)
			}
		})
	}
}

func TestIdentityMismatchSaysWhatWouldTrustIt(t *testing.T) {
	i := newInstance(t)
	r := workflow
	r.Subject = "o'neil@example.com"
	refusal := refused(t, newVerifier(t, keyless(t, i, nil)), image, certified(t, i, r, digest))
	if want := `--certificate-identity='o'\''neil@example.com' --certificate-oidc-issuer=` + issuer; !strings.Contains(refusal.Hint, want) {
		t.Errorf("hint = %q, want it to contain %q", refusal.Hint, want)
	}
	yaml := refusal.Candidates[0].Identity.YAML()
	policy := "apiVersion: krmsafe.dev/v1alpha1\nkind: TrustPolicy\ntrustRoot: {file: root.json}\nrules:\n- match: ['**']\n  authorities:\n  " +
		strings.ReplaceAll(strings.TrimSpace(yaml), "\n", "\n  ") + "\n"
	p, err := verify.ParseTrustPolicy("policy.yaml", []byte(policy), func(string) ([]byte, error) { return i.TrustedRoot() })
	if err != nil {
		t.Fatalf("the YAML that the refusal offers does not parse: %v\n%s", err, policy)
	}
	accepted(t, newVerifier(t, p), image, certified(t, i, r, digest))
}

// What is asked for must be there; leaving it out is what a dropped check
// would let pass.
func TestMissingProofs(t *testing.T) {
	i := newInstance(t)
	with := func(change func(*sigstore.Request)) verify.Evidence {
		r := workflow
		change(&r)
		return certified(t, i, r, digest)
	}
	noLog := with(func(r *sigstore.Request) { r.NoLog = true })
	noSCT := with(func(r *sigstore.Request) { r.NoSCT = true })
	noTSA := with(func(r *sigstore.Request) { r.NoTSA = true })
	late := with(func(r *sigstore.Request) { r.At = sigstore.Now.Add(11 * 60e9) })
	early := with(func(r *sigstore.Request) { r.At = sigstore.Now.Add(-60e9) })
	tests := []struct {
		name     string
		change   func(*verify.Authority)
		evidence verify.Evidence
		code     string
		skipped  string
	}{
		{"all", nil, with(func(*sigstore.Request) {}), "", ""},
		{"no log", nil, noLog, "verify.tlog", ""},
		{"no log, none asked for", func(a *verify.Authority) { a.Log = verify.None }, noLog, "", "tlog"},
		{"no sct", nil, noSCT, "verify.sct", ""},
		{"no sct, none asked for", func(a *verify.Authority) { a.SCT = verify.None }, noSCT, "", "sct"},
		{"no timestamp, the log's time will do", nil, noTSA, "", ""},
		{"no timestamp", func(a *verify.Authority) { a.TSA = verify.Required }, noTSA, "verify.timestamp", ""},
		{"no timestamp and no log", func(a *verify.Authority) { a.Log = verify.None }, noTSA, "verify.timestamp", ""},
		{"signed after the certificate expired", nil, late, "verify.tlog", ""},
		{"stamped after the certificate expired", func(a *verify.Authority) { a.Log = verify.None }, late, "verify.certificate", ""},
		{"signed before the certificate was issued", nil, early, "verify.tlog", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVerifier(t, keyless(t, i, tt.change))
			if tt.code == "" {
				p := accepted(t, v, image, tt.evidence)
				if got := strings.Join(p.Signatures()[0].Unchecked, ","); got != tt.skipped {
					t.Errorf("Unchecked = %q, want %q", got, tt.skipped)
				}
				return
			}
			if r := refused(t, v, image, tt.evidence); r.Code != tt.code {
				t.Errorf("code = %s, want %s (%s)", r.Code, tt.code, r.Message)
			}
		})
	}
}

func TestAnotherInstanceIsNotTrusted(t *testing.T) {
	i, other := newInstance(t), newInstance(t)
	v := newVerifier(t, keyless(t, i, nil))
	if r := refused(t, v, image, certified(t, other, workflow, digest)); r.Code != "verify.tlog" {
		t.Errorf("code = %s, want verify.tlog", r.Code)
	}
	// Without a log it is the authorities that refuse.
	v = newVerifier(t, keyless(t, i, func(a *verify.Authority) { a.Log, a.SCT = verify.None, verify.None }))
	if r := refused(t, v, image, certified(t, other, workflow, digest)); r.Code != "verify.timestamp" {
		t.Errorf("code = %s, want verify.timestamp", r.Code)
	}
	// With both roots it is.
	p := keyless(t, i, nil)
	p.Root.JSON = append(append(p.Root.JSON, '\n'), rootOf(t, other).JSON...)
	accepted(t, newVerifier(t, p), image, certified(t, other, workflow, digest))
}

// transplant puts parts of one bundle into another.
func transplant(t *testing.T, into, from verify.Evidence, path ...string) verify.Evidence {
	t.Helper()
	var a, b map[string]any
	if json.Unmarshal(into.Bytes, &a) != nil || json.Unmarshal(from.Bytes, &b) != nil {
		t.Fatal("not bundles")
	}
	x, y := a, b
	for _, p := range path[:len(path)-1] {
		x, _ = x[p].(map[string]any)
		y, _ = y[p].(map[string]any)
	}
	x[path[len(path)-1]] = y[path[len(path)-1]]
	bytes, err := json.Marshal(a)
	return bundleEvidence(t, bytes, err)
}

// A log entry, a timestamp, a certificate or a payload from elsewhere must not
// vouch for this signature (cosign CVE-2022-36056, CVE-2026-22703).
func TestSwappedParts(t *testing.T) {
	i := newInstance(t)
	a := certified(t, i, workflow, digest)
	other := workflow
	other.Subject = "attacker@example.com"
	b := certified(t, i, other, digestOf("another"))
	same := certified(t, i, workflow, digest)
	tests := []struct {
		name string
		path []string
		from verify.Evidence
	}{
		{"log entry of another artifact", []string{"verificationMaterial", "tlogEntries"}, b},
		{"log entry of another signature of the same artifact", []string{"verificationMaterial", "tlogEntries"}, same},
		{"timestamp of another signature", []string{"verificationMaterial", "timestampVerificationData"}, b},
		{"certificate of somebody else", []string{"verificationMaterial", "certificate"}, b},
		{"another certificate of the same identity", []string{"verificationMaterial", "certificate"}, same},
		{"signature of another payload", []string{"dsseEnvelope", "signatures"}, b},
		{"payload of another signature", []string{"dsseEnvelope", "payload"}, b},
	}
	v := newVerifier(t, keyless(t, i, func(a *verify.Authority) { a.TSA = verify.Required }))
	accepted(t, v, image, a)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_ = refused(t, v, image, transplant(t, a, tt.from, tt.path...))
		})
	}
}

func TestCertificateAndKeyAreNotConfused(t *testing.T) {
	i, k := newInstance(t), newKey(t)
	byCert, byKey := certified(t, i, workflow, digest), signed(t, k, digest, nil)
	if r := refused(t, newVerifier(t, trust(k)), image, byCert); r.Code != "verify.key" {
		t.Errorf("certificate under a key policy: code = %s, want verify.key", r.Code)
	}
	if r := refused(t, newVerifier(t, keyless(t, i, nil)), image, byKey); r.Code != "verify.key" {
		t.Errorf("key under a keyless policy: code = %s, want verify.key", r.Code)
	}
	// A policy with both takes each for what it is.
	p := keyless(t, i, nil)
	p.Rules[0].Authorities = append(p.Rules[0].Authorities, verify.Authority{Name: "offline", Key: &verify.Key{PEM: k.PublicPEM()}})
	v := newVerifier(t, p)
	for want, e := range map[string]verify.Evidence{"ci": byCert, "offline": byKey} {
		if got := accepted(t, v, image, e).Signatures(); len(got) != 1 || got[0].Authority != want {
			t.Errorf("authorities = %+v, want %s alone", got, want)
		}
	}
}

func TestCertificateWithTwoNames(t *testing.T) {
	i := newInstance(t)
	r := workflow
	r.AlsoSubject = "attacker@example.com"
	if got := refused(t, newVerifier(t, keyless(t, i, nil)), image, certified(t, i, r, digest)); got.Code != "verify.certificate" {
		t.Errorf("code = %s, want verify.certificate", got.Code)
	}
}

func TestOneIdentityIsOneSigner(t *testing.T) {
	i := newInstance(t)
	p := keyless(t, i, func(a *verify.Authority) {
		a.Keyless.Identities = append(a.Keyless.Identities, verify.Identity{Issuer: issuer, Subject: "second@example.com"})
	})
	p.Rules[0].Signers = 2
	v := newVerifier(t, p)
	first := certified(t, i, workflow, digest)
	if r := refused(t, v, image, first, certified(t, i, workflow, digest)); r.Code != "verify.signers" {
		t.Errorf("two certificates of one identity: code = %s, want verify.signers", r.Code)
	}
	other := workflow
	other.Subject = "second@example.com"
	accepted(t, v, image, first, certified(t, i, other, digest))
	// One name from two issuers is two people.
	p.Rules[0].Authorities[0].Keyless.Identities = append(p.Rules[0].Authorities[0].Keyless.Identities, verify.Identity{Issuer: "https://gitlab.com", Subject: subject})
	elsewhere := workflow
	elsewhere.Issuer = "https://gitlab.com"
	accepted(t, newVerifier(t, p), image, first, certified(t, i, elsewhere, digest))
}

// A certificate is valid for minutes: without a log or a timestamp nothing
// says that it was when it signed, and no clock is asked instead.
func TestCertificatesNeedATime(t *testing.T) {
	i := newInstance(t)
	p := keyless(t, i, func(a *verify.Authority) { a.Log, a.TSA = verify.None, verify.None })
	v, err := verify.New(p)
	var pe *verify.PolicyError
	if v != nil || !errors.As(err, &pe) || pe.Code != "trust.mode" {
		t.Errorf("New = %v, want trust.mode", err)
	}
}

// The reason says whether a log entry is missing, of an unknown log or wrong:
// each has another remedy.
func TestLogRefusalsAreToldApart(t *testing.T) {
	i := newInstance(t)
	v := newVerifier(t, keyless(t, i, nil))
	missing, wrong := workflow, workflow
	missing.NoLog = true
	wrong.LogOf = certified(t, i, workflow, digest).Bytes
	for want, e := range map[string]verify.Evidence{
		"comes without a transparency log entry": certified(t, i, missing, digest),
		"that the trusted root does not know":    certified(t, newInstance(t), workflow, digest),
		"does not hold":                          certified(t, i, wrong, digest),
	} {
		if r := refused(t, v, image, e); r.Code != "verify.tlog" || !strings.Contains(r.Message, want) {
			t.Errorf("refusal = %s: %s, want verify.tlog that says %q", r.Code, r.Message, want)
		}
	}
}

func TestVerifierIsSafeForConcurrentUse(t *testing.T) {
	i, k := newInstance(t), newKey(t)
	p := keyless(t, i, nil)
	p.Rules[0].Authorities = append(p.Rules[0].Authorities, verify.Authority{Key: &verify.Key{PEM: k.PublicPEM()}})
	v := newVerifier(t, p)
	evidence := []verify.Evidence{certified(t, i, workflow, digest), signed(t, k, digest, nil), legacy(t, i, workflow, sigstore.SimpleSigning(signedAs, digest, nil))}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if p, err := v.Verify(t.Context(), image, evidence); err != nil || len(p.Signatures()) != 3 {
				t.Errorf("Verify = %v, %v", p, err)
			}
		})
	}
	wg.Wait()
}

// The sentence of a refusal is about the candidate that came nearest, not the
// one that came first.
func TestRefusalNamesTheNearestCandidate(t *testing.T) {
	i := newInstance(t)
	other := workflow
	other.Subject = "dev@example.com"
	r := refused(t, newVerifier(t, keyless(t, i, nil)), image,
		bundleEvidence(t, []byte("junk"), nil), signed(t, newKey(t), digest, nil), certified(t, i, other, digest), certified(t, i, workflow, digestOf("x")))
	if r.Code != "verify.no_signature" || !strings.Contains(r.Message, `it is signed by "dev@example.com"`) || !strings.Contains(r.Hint, "--certificate-identity=dev@example.com") {
		t.Errorf("refusal = %s: %s, hint %q", r.Code, r.Message, r.Hint)
	}
}
