package verify_test

import (
	"errors"
	"testing"

	"github.com/krmsafe/krmsafe/verify"
)

// TestExpressionForAnybodyIsRefused asks for an identity in words that fit every
// identity there is.
func TestExpressionForAnybodyIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, subject string
		extensions    map[string]string
		ok            bool
	}{
		{"anything", "^.*$", nil, false},
		{"something", "^.+$", nil, false},
		{"any, but of one repository", "^.*$", map[string]string{"sourceRepositoryURI": "https://github.com/acme/fns"}, true},
		{"a domain", "^.*@acme\\.example$", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := verify.New(verify.TrustPolicy{
				Root: verify.TrustRoot{PublicGood: true},
				Rules: []verify.Rule{{Match: []string{"**"}, Authorities: []verify.Authority{{Keyless: &verify.Keyless{
					Identities: []verify.Identity{{IssuerRegexp: "^.*$", SubjectRegexp: c.subject}}, Extensions: c.extensions,
				}}}}},
			})
			var bad *verify.PolicyError
			if got := !errors.As(err, &bad); got != c.ok {
				t.Errorf("New with the subject %q: %v, want accepted %v", c.subject, err, c.ok)
			}
		})
	}
}

// TestEquallySpecificRulesAreRefused has two rules of which neither could win.
func TestEquallySpecificRulesAreRefused(t *testing.T) {
	key := verify.Authority{Key: &verify.Key{PEM: readFixture(t, "cosign3-key.pub")}}
	_, err := verify.New(verify.TrustPolicy{Rules: []verify.Rule{
		{Match: []string{"ghcr.io/acme/**"}, Authorities: []verify.Authority{key}},
		{Match: []string{"ghcr.io/acme/*"}, Authorities: []verify.Authority{key}},
	}})
	var bad *verify.PolicyError
	if !errors.As(err, &bad) || bad.Code != "trust.match" {
		t.Errorf("New with two equally specific rules: %v, want trust.match", err)
	}
}
