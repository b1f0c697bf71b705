package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/verify"
)

// takeCode takes compiled code from the module's registry where the trust policy names
// somebody who may sign it, and this machine has none. The function itself is verified by
// then; what goes wrong with the code is worth a warning and no more, as the module can
// be compiled here.
func (j *judgement) takeCode(ctx context.Context) {
	cfg := &j.p.cfg
	voucher := j.voucher()
	if voucher == "" {
		return
	}
	key, wanted := cfg.Sandbox.WantsCode(j.module, voucher)
	if !wanted {
		return
	}
	found, err := cfg.Registry.FindCode(ctx, j.artifact, key)
	if err != nil {
		j.warn("cache.registry", j.about("its compiled code could not be looked for: "+err.Error()), "")
		return
	}
	for _, code := range found {
		remedy := "sign it as one of those whom the trust policy's rule names under compiledCode; until then the module runs without it"
		signer, err := j.verifyCode(ctx, code)
		if err == nil {
			remedy = "publish it again with krmsafe cache push; until then the module runs without it"
			err = j.importCode(ctx, code, voucher)
		}
		if err == nil {
			j.warn("cache.imported", j.about(fmt.Sprintf("runs code that was compiled elsewhere, %s, signed by %s", code.Digest, signer)),
				"this is told once, when the code is taken; leave compiledCode out of the trust policy to compile here")
			return
		}
		j.warn("cache.refused", j.about(fmt.Sprintf("compiled code %s was not taken: %v", code.Digest, err)), remedy)
	}
}

// voucher names those whose compiled code of this function runs, by the rule of the trust
// policy that decides about it; empty where that is nobody. Code that another rule's
// people vouched for, or the same under other conditions, is not this function's.
func (j *judgement) voucher() string {
	if j.p.cfg.CodeVerifier == nil || j.artifact == nil || j.module == nil || !j.provenance.Verified() {
		return ""
	}
	return j.p.cfg.CodeVerifier.Voucher(j.name())
}

// tellCache tells what was found of compiled code where no run will tell it.
func (j *judgement) tellCache() {
	if j.p.cfg.Sandbox == nil {
		return
	}
	for _, n := range j.p.cfg.Sandbox.Notes() {
		j.warn(n.Code, n.Message, n.Hint)
	}
}

// verifyCode says who signed the code, if it is one of those who may.
func (j *judgement) verifyCode(ctx context.Context, code oci.Code) (signer string, err error) {
	var evidence []verify.Evidence
	for _, e := range code.Evidence {
		evidence = append(evidence, verify.Evidence{
			Kind: verify.Kind(e.Kind), MediaType: e.MediaType, Digest: e.Manifest, Source: e.Source,
			Bytes: e.Bytes, Annotations: e.Annotations,
		})
	}
	provenance, err := j.p.cfg.CodeVerifier.Verify(ctx, j.name(), verify.Subject{Reference: code.Ref, Digest: code.Digest}, evidence)
	if err != nil {
		return "", err
	}
	signatures := provenance.Signatures()
	if !provenance.Verified() || len(signatures) == 0 {
		return "", errors.New("nobody signed it")
	}
	return signatures[0].Authority, nil
}

// importCode reads what was verified and seals it for this machine.
func (j *judgement) importCode(ctx context.Context, code oci.Code, voucher string) error {
	body, err := j.p.cfg.Registry.ReadCode(ctx, code)
	if err != nil {
		return err
	}
	return j.p.cfg.Sandbox.ImportCode(bytes.NewReader(body), j.module, voucher)
}
