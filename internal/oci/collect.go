package oci

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Media types of cosign 2's signature and attestation layers.
const (
	typeSimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
	typeDSSE          = "application/vnd.dsse.envelope.v1+json"
	typeNotation      = "application/vnd.cncf.notary.signature" // named only to be refused by name
)

// concurrency is how many requests one fetch has under way while it looks for evidence.
const concurrency = 4

// collector gathers the evidence about some subjects. What one candidate does wrong is noted and passed over; a source that
// cannot be read, and too many candidates, end the search with an error.
type collector struct {
	src    source
	limits Limits

	mu       sync.Mutex
	evidence []Evidence
	rejected []Rejection
	reserved int64
	order    map[string]int // subject → rank
}

func (c *collector) collect(ctx context.Context, subjects []string) error {
	c.order = map[string]int{}
	for i, s := range subjects {
		c.order[s] = i
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for _, subject := range subjects {
		group.Go(func() error {
			return c.legacy(ctx, subject, ".sig", typeSimpleSigning, KindSignature, FromSignatureTag)
		})
		group.Go(func() error {
			return c.legacy(ctx, subject, ".att", typeDSSE, KindAttestation, FromAttestationTag)
		})
		group.Go(func() error { return c.bundles(ctx, subject) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	slices.SortStableFunc(c.evidence, func(a, b Evidence) int {
		return cmp.Or(cmp.Compare(c.order[a.Subject], c.order[b.Subject]), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Manifest, b.Manifest))
	})
	slices.SortStableFunc(c.rejected, func(a, b Rejection) int {
		return cmp.Or(cmp.Compare(a.Manifest, b.Manifest), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Reason, b.Reason))
	})
	return nil
}

// bundles follows the referrers of a subject. The artifactType in a referrer list is never believed: registries that build the
// list as a tag get it wrong, so every referrer's own manifest is read.
func (c *collector) bundles(ctx context.Context, subject string) error {
	candidates, err := c.src.referrers(ctx, subject)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for _, cand := range candidates {
		if cand.rejected != nil {
			c.reject(*cand.rejected)
			continue
		}
		if seen[cand.digest] || cand.digest == subject {
			continue
		}
		seen[cand.digest] = true
		if n := int64(len(seen)); n > c.limits.Referrers {
			return errors.Join(c.limits.referrers().exceeded("referrers of "+subject, n), ignore(group.Wait()))
		}
		group.Go(func() error { return c.bundle(ctx, subject, cand) })
	}
	return group.Wait()
}

// ignore drops an error that another one overrides.
func ignore(error) error { return nil }

func (c *collector) bundle(ctx context.Context, subject string, cand candidate) error {
	doc, err := c.src.document(ctx, cand.digest)
	if err != nil {
		return c.passOver(err, cand.digest, cand.source)
	}
	isBundle := func(d descriptor) bool { return strings.HasPrefix(d.MediaType, bundleTypeStart) }
	reject := func(code, format string, args ...any) error {
		c.reject(Rejection{Code: code, Manifest: doc.digest, Source: cand.source, Reason: fmt.Sprintf(format, args...)})
		return nil
	}
	switch {
	case doc.ArtifactType == typeNotation || doc.Config != nil && doc.Config.MediaType == typeNotation:
		return reject("evidence.notation", "it is a Notary Project signature, and only Sigstore's are understood: sign with cosign too")
	case doc.isIndex() || !slices.ContainsFunc(doc.Layers, isBundle):
		return nil // an SBOM, a README: not for us
	case doc.Subject == nil:
		return reject("evidence.subject", "the referrer has no subject")
	case doc.Subject.Digest != subject:
		return reject("evidence.subject", "the referrer's subject is %s", doc.Subject.Digest)
	case len(doc.Layers) != 1:
		return reject("evidence.layers", "the referrer has %d layers where a bundle has one", len(doc.Layers))
	}
	return c.take(ctx, Evidence{Kind: KindBundle, Subject: subject, Manifest: doc.digest, Source: cand.source}, doc.Layers[0])
}

// legacy reads a cosign 2 tag: one manifest with one layer for each signature or attestation.
func (c *collector) legacy(ctx context.Context, subject, suffix, mediaType, kind, from string) error {
	doc, err := c.src.document(ctx, tagOf(subject)+suffix)
	if absent(err) {
		return nil
	}
	if err != nil {
		return c.passOver(err, "", from)
	}
	if doc.isIndex() {
		c.reject(Rejection{Code: "evidence.layers", Manifest: doc.digest, Source: from, Reason: "the tag holds an index"})
		return nil
	}
	for i, layer := range doc.Layers {
		if layer.MediaType != mediaType {
			c.reject(Rejection{
				Code: "evidence.media_type", Manifest: doc.digest, Source: from,
				Reason: fmt.Sprintf("layer %d has the media type %q, not %q", i, shorten(layer.MediaType, 100), mediaType),
			})
			continue
		}
		if err := c.take(ctx, Evidence{Kind: kind, Subject: subject, Manifest: doc.digest, Source: from}, layer); err != nil {
			return err
		}
	}
	return nil
}

// take reads the layer of a piece of evidence. Room for it is reserved before the first byte is read.
func (c *collector) take(ctx context.Context, e Evidence, layer descriptor) error {
	if layer.Size > c.limits.EvidenceBytes {
		return c.passOver(c.limits.bundle().exceeded("evidence "+layer.Digest, layer.Size), e.Manifest, e.Source)
	}
	c.mu.Lock()
	c.reserved += layer.Size
	total := c.reserved
	c.mu.Unlock()
	if total > c.limits.EvidenceTotal {
		return c.limits.total().exceeded("evidence about "+e.Subject, total)
	}
	body, err := readBlob(ctx, c.src, layer, "evidence", c.limits.bundle())
	if err != nil {
		return c.passOver(err, e.Manifest, e.Source)
	}
	e.MediaType, e.Digest, e.Annotations, e.Bytes = layer.MediaType, layer.Digest, layer.Annotations, body
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evidence = append(c.evidence, e)
	if n := int64(len(c.evidence)); n > c.limits.Evidence {
		return c.limits.evidence().exceeded("signatures and attestations of "+e.Subject, n)
	}
	return nil
}

// passOver turns what is wrong with one candidate into a Rejection, and lets through what is wrong with the source.
func (c *collector) passOver(err error, manifest, from string) error {
	var ae *ArtifactError
	var le *LimitError
	switch {
	case errors.As(err, &ae):
		c.reject(Rejection{Code: ae.Code, Manifest: manifest, Source: from, Reason: ae.Message})
	case errors.As(err, &le) && le.Limit == c.limits.total().dotted():
		return err // not this candidate, but all of them together
	case errors.As(err, &le):
		c.reject(Rejection{Code: le.Limit, Manifest: manifest, Source: from, Reason: le.Error()})
	case absent(err):
		c.reject(Rejection{Code: "evidence.absent", Manifest: manifest, Source: from, Reason: "it is listed but not there"})
	default:
		return err
	}
	return nil
}

func (c *collector) reject(r Rejection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if int64(len(c.rejected)) < c.limits.Referrers {
		c.rejected = append(c.rejected, r)
	}
}

// tagOf is the name under which registries without the Referrers API keep what refers to a digest.
func tagOf(digest string) string { return strings.Replace(digest, ":", "-", 1) }

// absent reports that a document or blob is not there, and that its source said so.
func absent(err error) bool { return errors.Is(err, errAbsent) }

var errAbsent = errors.New("it is not there")
