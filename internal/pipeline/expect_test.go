package pipeline_test

import (
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/testkit/asm"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/sigstore"
)

// TestExpectationOnlyTightens: a module that is not what a catalog says is refused
// though the trust policy accepts it, and one that is what a catalog says is refused
// where the trust policy does not.
func TestExpectationOnlyTightens(t *testing.T) {
	key, err := sigstore.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := sigstore.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	module := layout.Digest(asm.Cat())
	signed, unsigned := publish(t, asm.Cat(), &key), publish(t, asm.Cat(), nil)
	trusting := setup{key: key.PublicPEM()}.pipeline(t)
	lax := setup{}.pipeline(t)
	id := run(t, trusting, pipeline.Request{Image: signed}).Signatures[0].KeyID
	by := func(s ...pipeline.ExpectedSigner) *pipeline.Expectation {
		return &pipeline.Expectation{Source: "catalog.yaml", ModuleDigest: module, Signers: s}
	}
	for _, tt := range []struct {
		name   string
		p      *pipeline.Pipeline
		image  string
		expect *pipeline.Expectation
		code   string
	}{
		{"nothing", trusting, signed, nil, "ok"},
		{"the module", trusting, signed, by(), "ok"},
		{"the module and its signer", trusting, signed, by(pipeline.ExpectedSigner{Issuer: "i", Subject: "s"}, pipeline.ExpectedSigner{KeyID: id}), "ok"},
		{"another module", trusting, signed, &pipeline.Expectation{ModuleDigest: "sha256:" + strings.Repeat("0", 64)}, "expect.module"},
		{"another key", trusting, signed, by(pipeline.ExpectedSigner{KeyID: "sha256:" + strings.Repeat("0", 64)}), "expect.signer"},
		{"an identity", trusting, signed, by(pipeline.ExpectedSigner{Issuer: "i", Subject: "s"}), "expect.signer"},
		{"nobody at all", trusting, signed, by(pipeline.ExpectedSigner{}), "expect.signer"},
		{"a signer of an unsigned module that is allowed", lax, unsigned, by(pipeline.ExpectedSigner{KeyID: id}), "expect.signer"},
		{"what the trust policy does not accept", setup{key: other.PublicPEM()}.pipeline(t), signed, by(pipeline.ExpectedSigner{KeyID: id}), "verify.key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, tt.p, pipeline.Request{Image: tt.image, Expect: tt.expect}).Outcome
			if got.Code != tt.code || (got.ExitCode() == pipeline.ExitOK) != (tt.code == "ok") || tt.code != "ok" && got.Stage != pipeline.StageVerify {
				t.Errorf("outcome %+v, want %s", got, tt.code)
			}
		})
	}
}
