package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/krmsafe/krmsafe/internal/hashed"
	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
	"github.com/krmsafe/krmsafe/verify"
)

// A judgement is one request on its way through the stages.
type judgement struct {
	p       *Pipeline
	req     Request
	report  *Report
	lenient bool // an unsigned module goes on, for Inspect
	stage   Stage
	waived  bool // the policy refused, and ModeWarn let it go on

	request     policy.Request
	artifact    *oci.Artifact // nil for a local file
	bytes       hashed.Bytes  // the module that is judged, read and hashed once
	given       hashed.Bytes  // the request's Module
	provenance  *verify.Provenance
	module      *sandbox.Module
	confinement string          // of the child, as far as it is known
	known       policy.Facts    // what the policy was asked about
	terms       policy.Decision // what it grants
	limits      policy.Limits   // those, lowered by the request
	engine      sandbox.Engine
	exchange    *krm.Exchange
}

func document(items int, data []byte) Document {
	sum := sha256.Sum256(data)
	return Document{Items: items, Bytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
}

func (j *judgement) refuse(stage Stage, code, message, hint string) {
	j.report.Outcome = Outcome{Stage: stage, Code: code, Message: message, Hint: hint}
}

func (j *judgement) refused() bool { return j.report.Outcome.Stage != "" && !j.report.Outcome.OK }

// fetch reads the module once. What is read here is what is verified, inspected
// and run; no later stage reads it again (SR-10).
func (j *judgement) fetch(ctx context.Context) error {
	if j.req.File != "" {
		return j.fetchFile()
	}
	ref, err := oci.ParseRef(j.req.Image)
	if err != nil {
		return err
	}
	name := ref.String()
	if ref.Source == oci.SourceLayout { // what a registry holds has one name
		name = cmp.Or(j.req.Name, name)
	}
	j.report.Function = functionOf(j.req, Function{Source: ref.Source, Reference: name})
	if !j.covered() {
		return nil
	}
	pinned, ok := j.pinned(ref)
	if !ok {
		return nil
	}
	artifact, err := j.p.cfg.Registry.Fetch(ctx, pinned)
	var bad *oci.ArtifactError
	var large *oci.LimitError
	switch {
	case errors.As(err, &bad):
		j.refuse(StageFetch, bad.Code, j.about(bad.Error()), bad.Hint)
		return nil
	case errors.As(err, &large):
		j.refuse(StageFetch, large.Limit, j.about(strings.TrimSuffix(large.Error(), " ("+large.Limit+")")), large.Hint)
		return nil
	case err != nil:
		return err
	}
	j.artifact, j.bytes = artifact, artifact.Hashed()
	j.request = policy.Request{
		Source: ref.Source, Reference: name, Registry: ref.Registry, Repository: ref.Repository,
		Tag: ref.Tag, Digest: artifact.Digest, Pinned: pinned.Pinned(),
	}
	j.report.Function = functionOf(j.req, Function{
		Source: ref.Source, Reference: name, Digest: artifact.Digest, ModuleDigest: artifact.ModuleDigest,
		Layout: string(artifact.Layout), SizeBytes: int64(len(artifact.Module)),
	})
	for _, r := range artifact.Rejected {
		j.report.Rejected = append(j.report.Rejected, Candidate{Source: r.Source, Digest: r.Manifest, Code: r.Code, Message: r.Reason})
	}
	return nil
}

// inspect decodes the module without executing anything of it.
func (j *judgement) inspect(context.Context) error {
	module, err := j.look()
	var bad *sandbox.ModuleError
	switch {
	case errors.As(err, &bad):
		j.refuse(StageInspect, bad.Code, j.about(bad.Error()), bad.Hint)
		return nil
	case err != nil:
		return fmt.Errorf("inspecting %s: %w", j.name(), err)
	}
	if digest := j.report.Function.ModuleDigest; digest != "" && digest != module.Digest() {
		return fmt.Errorf("inspecting %s: the module in memory is %s and not %s", j.name(), module.Digest(), digest)
	}
	j.module = module
	j.report.Function.ModuleDigest = module.Digest()
	j.report.Function.SizeBytes = int64(j.bytes.Len())
	return nil
}

// look is the sandbox's Inspect, which may know the module.
func (j *judgement) look() (*sandbox.Module, error) {
	if j.p.cfg.Sandbox == nil {
		return sandbox.Inspect(j.bytes.Data())
	}
	return j.p.cfg.Sandbox.InspectHashed(j.bytes)
}

// about puts the module's name before a message that does not begin with it.
func (j *judgement) about(message string) string {
	if strings.HasPrefix(message, j.name()) {
		return message
	}
	return j.name() + ": " + message
}

// name is what messages call the module.
func (j *judgement) name() string { return j.report.Function.Reference }
