package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"oras.land/oras-go/v2/registry/remote"
)

// What compiled code is published as: an artifact whose subject is the function, with
// one layer, and the key of what it was compiled for among its annotations.
const (
	typeCode          = "application/vnd.krmsafe.compiled-code.v1"
	typeCodeLayer     = "application/vnd.krmsafe.compiled-code.v1.tar"
	annotationCodeKey = "dev.krmsafe.compiled-code.key"

	// maxCode is how many artifacts of compiled code are looked at for one key.
	maxCode = 8
)

// Code is an artifact of compiled code that was found beside a function. Digest is of
// its manifest, and holds; that it is what it says is for a signature on Digest to say.
type Code struct {
	// Ref names the artifact itself: the function's repository, and Digest.
	Ref string
	// Digest is of the manifest, which a signature must name.
	Digest string
	// Evidence and Rejected are as an Artifact's.
	Evidence []Evidence
	Rejected []Rejection

	ref   Ref
	layer descriptor
}

func (l Limits) code() bound { return bound{"layer_bytes", "LayerBytes", l.LayerBytes} }

// PushCode publishes compiled code as a referrer of the function a in its registry, under
// a key that says what it was compiled for, and gives the manifest's digest, which is to
// be signed. The same code has the same digest at any time. Errors: as Fetch's.
func (c *Client) PushCode(ctx context.Context, a *Artifact, key string, code []byte) (reference, manifestDigest string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	if n := int64(len(code)); n > c.limits.LayerBytes {
		return "", "", c.limits.code().exceeded("compiled code", n)
	}
	switch {
	case a.Ref.Source != SourceRegistry:
		return "", "", &RefError{Ref: a.Ref.String(), Code: "ref.registry", Reason: "compiled code is published in registries only", Hint: "use krmsafe cache export for a file"}
	case c.config.Offline:
		return "", "", offline(a.Ref)
	}
	to := c.web.origin(ctx, a.Ref)
	top, err := to.document(ctx, a.Digest)
	if err != nil {
		return "", "", c.explain(ctx, a.Ref, err)
	}
	layer := descriptor{MediaType: typeCodeLayer, Digest: digestOf(code), Size: int64(len(code))}
	config := descriptor{MediaType: typeEmpty, Digest: emptyDigest, Size: 2}
	body, err := json.Marshal(manifest{
		SchemaVersion: 2, MediaType: typeOCIManifest, ArtifactType: typeCode, Config: &config, Layers: []descriptor{layer},
		Subject:     &descriptor{MediaType: top.mediaType, Digest: top.digest, Size: int64(len(top.body))},
		Annotations: map[string]string{annotationCodeKey: key},
	})
	if err != nil {
		return "", "", fmt.Errorf("writing the manifest: %w", err)
	}
	digest := digestOf(body)
	if err := to.pushCode(ctx, digest, body, map[descriptorKey][]byte{{layer.MediaType, layer.Digest}: code, {config.MediaType, config.Digest}: []byte("{}")}); err != nil {
		return "", "", c.explain(ctx, a.Ref, err)
	}
	return a.Ref.Registry + "/" + a.Ref.Repository + "@" + digest, digest, nil
}

// descriptorKey is what tells two blobs apart.
type descriptorKey struct{ mediaType, digest string }

// pushCode writes blobs and then the manifest, and lets a registry without the Referrers
// API find it by the fallback tag.
func (r *repository) pushCode(ctx context.Context, digest string, body []byte, blobs map[descriptorKey][]byte) error {
	const op = "pushing compiled code"
	// The list of referrers that a fallback tag named before stays: many registries let
	// nobody delete anything, and nobody asked for it.
	to := &remote.Repository{Client: r.client, PlainHTTP: r.scheme == "http", SkipReferrersGC: true}
	to.Reference.Registry, to.Reference.Repository = r.host, r.repo
	for key, blob := range blobs {
		d := spec(descriptor{MediaType: key.mediaType, Digest: key.digest, Size: int64(len(blob))})
		there, err := to.Blobs().Exists(ctx, d)
		if err == nil && !there {
			err = to.Blobs().Push(ctx, d, bytes.NewReader(blob))
		}
		if err != nil {
			return r.broken(op, err)
		}
	}
	d := spec(descriptor{MediaType: typeOCIManifest, Digest: digest, Size: int64(len(body))})
	if err := to.Manifests().Push(ctx, d, bytes.NewReader(body)); err != nil {
		return r.broken(op, err)
	}
	return nil
}

// FindCode looks for compiled code of the function a under a key, with all evidence about
// each artifact that it finds; the code itself is read by ReadCode. What is found is a
// claim of whoever may push. Errors: as Fetch's.
func (c *Client) FindCode(ctx context.Context, a *Artifact, key string) ([]Code, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	src, err := c.openUncached(ctx, a.Ref)
	if err != nil {
		return nil, err
	}
	defer src.close()
	var out []Code
	for _, subject := range a.Subjects() {
		candidates, err := src.referrers(ctx, subject)
		if err != nil {
			return nil, c.explain(ctx, a.Ref, err)
		}
		for _, cand := range candidates {
			if cand.rejected != nil || len(out) == maxCode {
				continue
			}
			doc, err := src.document(ctx, cand.digest)
			if err != nil || !isCode(doc, subject, key) {
				continue // somebody else's, or not to be read: there is code, or there is none
			}
			found := collector{src: src, limits: c.limits}
			if err := found.collect(ctx, []string{doc.digest}); err != nil {
				return nil, c.explain(ctx, a.Ref, err)
			}
			at := a.Ref
			at.Tag, at.Digest = "", doc.digest
			out = append(out, Code{Ref: at.String(), Digest: doc.digest, Evidence: found.evidence, Rejected: found.rejected, ref: a.Ref, layer: doc.Layers[0]})
		}
	}
	return out, nil
}

func isCode(doc document, subject, key string) bool {
	return !doc.isIndex() && doc.ArtifactType == typeCode && doc.Subject != nil && doc.Subject.Digest == subject &&
		doc.Annotations[annotationCodeKey] == key && len(doc.Layers) == 1 && doc.Layers[0].MediaType == typeCodeLayer
}

// openUncached is open for content that is kept elsewhere.
func (c *Client) openUncached(ctx context.Context, ref Ref) (source, error) {
	src, err := c.open(ctx, ref)
	if behind, ok := src.(*cached); ok {
		src = behind.source
	}
	return src, err
}

// ReadCode reads compiled code that FindCode found. Its bytes are those that the manifest
// names. Errors: as Fetch's.
func (c *Client) ReadCode(ctx context.Context, code Code) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	src, err := c.openUncached(ctx, code.ref)
	if err != nil {
		return nil, err
	}
	defer src.close()
	body, err := readBlob(ctx, src, code.layer, "compiled code", c.limits.code())
	if err != nil {
		return nil, c.explain(ctx, code.ref, err)
	}
	return body, nil
}
