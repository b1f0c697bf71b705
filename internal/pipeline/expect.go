package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// An Expectation is what a document that the operator named, such as a catalog,
// says of a module. It only tightens: what it does not say stands, and a module
// that meets it is verified and judged like any other.
type Expectation struct {
	// Source is what messages call who says so.
	Source string
	// ModuleDigest is "sha256:" and the hex digest of the module itself, or empty.
	ModuleDigest string
	// Signers are those of whom one, at least, must have signed, besides all that
	// the trust policy asks for. Where there are some, an unsigned module is refused
	// even under AllowUnsigned.
	Signers []ExpectedSigner
}

// An ExpectedSigner is a key by its ID, or an identity by its issuer and subject,
// all of them exact.
type ExpectedSigner struct {
	KeyID   string // "sha256:" and the hex digest of the public key, as reports show it
	Issuer  string
	Subject string
}

// matches says whether the signer made a signature. One that names nobody matches
// none.
func (e ExpectedSigner) matches(s Signature) bool {
	if e.KeyID != "" {
		return e.Issuer == "" && e.Subject == "" && s.Type == "key" && s.KeyID == e.KeyID
	}
	return e.Issuer != "" && e.Subject != "" && s.Type != "key" && s.Issuer == e.Issuer && s.Subject == e.Subject
}

func (e ExpectedSigner) String() string {
	if e.KeyID != "" {
		return "key " + e.KeyID
	}
	return e.Issuer + " " + e.Subject
}

// expected compares what was verified with the expectation.
func (j *judgement) expected() {
	want := j.req.Expect
	if want == nil || j.refused() {
		return
	}
	const hint = "if the change is meant, whoever keeps the catalog must review and write it there"
	if want.ModuleDigest != "" && want.ModuleDigest != j.report.Function.ModuleDigest {
		j.refuse(StageVerify, "expect.module", fmt.Sprintf("the module of %s is %s in %s and is %s", j.name(), want.ModuleDigest, want.Source, j.report.Function.ModuleDigest), hint)
		return
	}
	if len(want.Signers) == 0 {
		return
	}
	for _, s := range j.report.Signatures {
		if slices.ContainsFunc(want.Signers, func(e ExpectedSigner) bool { return e.matches(s) }) {
			return
		}
	}
	names := make([]string, len(want.Signers))
	for i, e := range want.Signers {
		names[i] = e.String()
	}
	by := "nobody who is trusted"
	if len(j.report.Signatures) > 0 {
		by = signer(j.report.Signatures[0])
	}
	j.refuse(StageVerify, "expect.signer", fmt.Sprintf("%s is to be signed by %q according to %s and is signed by %q", j.name(), strings.Join(names, " or "), want.Source, by), hint)
}
