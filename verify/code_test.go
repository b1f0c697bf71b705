package verify_test

import (
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
	"github.com/krmsafe/krmsafe/verify"
)

// A voucher stands for all on which compiled code is believed, and for nothing else.
func TestVoucherNamesWhoIsBelievedAndHow(t *testing.T) {
	var keys [2]sigstore.Key
	for i := range keys {
		var err error
		if keys[i], err = sigstore.NewKey(); err != nil {
			t.Fatal(err)
		}
	}
	key := func(i int, name string) verify.Authority {
		return verify.Authority{Name: name, Key: &verify.Key{PEM: keys[i].PublicPEM(), Source: name + ".pub"}}
	}
	voucher := func(change func(*verify.TrustPolicy)) string {
		t.Helper()
		p := verify.TrustPolicy{Rules: []verify.Rule{
			{Match: []string{"example.com/dev/**"}, Authorities: []verify.Authority{key(0, "dev")}, CompiledCode: []verify.Authority{key(1, "farm")}},
			{Match: []string{"example.com/**"}, Authorities: []verify.Authority{key(0, "all")}},
		}}
		if change != nil {
			change(&p)
		}
		c, err := verify.NewCode(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Voucher("example.com/prod/fn:v1"); got != "" {
			t.Errorf("Voucher under a rule that names nobody = %q", got)
		}
		if got := c.Voucher("elsewhere.example/fn:v1"); got != "" {
			t.Errorf("Voucher under no rule = %q", got)
		}
		return c.Voucher("example.com/dev/fn:v1")
	}
	want := voucher(nil)
	if want == "" {
		t.Fatal("Voucher is empty where somebody is named")
	}
	for name, change := range map[string]func(*verify.TrustPolicy){
		"another name":          func(p *verify.TrustPolicy) { p.Rules[0].CompiledCode[0] = key(1, "mill") },
		"the function's signer": func(p *verify.TrustPolicy) { p.Rules[0].Authorities[0] = key(1, "dev") },
	} {
		if got := voucher(change); got != want {
			t.Errorf("%s: Voucher = %s, want %s as before", name, got, want)
		}
	}
	for name, change := range map[string]func(*verify.TrustPolicy){
		"another key": func(p *verify.TrustPolicy) { p.Rules[0].CompiledCode[0] = key(0, "farm") },
		"one more":    func(p *verify.TrustPolicy) { p.Rules[0].CompiledCode = append(p.Rules[0].CompiledCode, key(0, "more")) },
		"a log": func(p *verify.TrustPolicy) {
			p.Root.PublicGood = true
			p.Rules[0].CompiledCode[0].Log = verify.Required
		},
		"annotations":    func(p *verify.TrustPolicy) { p.Rules[0].CompiledCode[0].Annotations = map[string]string{"a": "b"} },
		"another root":   func(p *verify.TrustPolicy) { p.Root.PublicGood = true },
		"any repository": func(p *verify.TrustPolicy) { p.Rules[0].AnyRepository = true },
	} {
		if got := voucher(change); got == want || got == "" {
			t.Errorf("%s: Voucher = %q, want another than before", name, got)
		}
	}
}

// The zero CodeVerifier, which a trust policy without compiled code has, believes nobody.
func TestNobodyVouchesWithoutCompiledCode(t *testing.T) {
	var c *verify.CodeVerifier
	if got := c.Voucher("example.com/fn:v1"); got != "" {
		t.Errorf("Voucher = %q", got)
	}
}
