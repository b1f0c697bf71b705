// Package oci fetches WebAssembly modules, and the evidence about them, from OCI registries and OCI image layouts. It knows
// references, digests, media types, the layouts in which modules are published and the places where signatures are kept.
// It does not know whether a signature is good, whether a module may run, or what a module is beyond its first eight bytes:
// nothing in an Artifact is trusted, except that every byte in it hashes to the digest beside it.
//
// A tag is resolved once, by hashing the manifest that came for it; from there on everything is asked for by digest and
// hashed again. Nothing is read without a bound (see Limits), nothing is written to disk by Fetch, and no archive is unpacked
// anywhere but in memory.
//
// # Why evidence that is missing is no error, but evidence that cannot be read is
//
// A registry can always hide a signature, and an artifact without one is refused later on. So an absent referrer list or tag
// (404, or a registry without the Referrers API) is an empty answer. Anything else, such as 403 or 500, ends the fetch: it is
// better to say that the registry failed than to say that a signed artifact is unsigned.
//
// # What does not work
//
// Only sha256 digests; no Docker schema 1 manifests; no zstd, foreign or encrypted layers. A bearer token service on another
// host gets credentials only where Config.TokenHosts says so, and on a private address not even then (the client library
// refuses it): give such a registry a token under "registrytoken" in its credentials file, or serve tokens from its own host.
package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Client fetches artifacts. It is safe for concurrent use, keeps connections and bearer tokens between calls, and caches
// content only in the Cache it is given.
type Client struct {
	config Config
	limits Limits
	web    *web // nil when offline
}

// New checks the configuration and makes a Client. It opens no connection, but reads the CA file and the credential files.
// The error is a *ConfigError.
func New(config Config) (*Client, error) {
	config, err := config.checked()
	if err != nil {
		return nil, err
	}
	c := &Client{config: config, limits: config.Limits}
	if !config.Offline {
		if c.web, err = newWeb(config); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// source is where documents and blobs come from: a registry or a layout. A
// document is hashed where it is read, a blob by who reads it.
type source interface {
	// document reads a manifest or index by tag or by digest. Where there is none, absent(err) holds.
	document(ctx context.Context, tagOrDigest string) (document, error)
	// open opens the blob that d names, unchecked: readBlob and openBlob do the checking.
	open(ctx context.Context, d descriptor, what string) (io.ReadCloser, error)
	// referrers lists the manifests that name digest as their subject, by every way the source has. The list is a claim.
	referrers(ctx context.Context, digest string) ([]candidate, error)
	close()
}

// candidate is a manifest that may carry evidence.
type candidate struct {
	digest string
	source string // one of the From constants
	// rejected stands instead of the digest where what was found cannot be a list of referrers.
	rejected *Rejection
}

// open finds the source of a reference.
func (c *Client) open(ctx context.Context, ref Ref) (source, error) {
	switch ref.Source {
	case SourceLayout:
		return openLayout(ref, c.limits)
	case SourceRegistry:
		if c.config.Offline {
			return nil, offline(ref)
		}
		if err := c.config.checkPublic(ref); err != nil {
			return nil, err
		}
		if c.config.Cache != nil {
			return &cached{source: c.web.repository(ctx, ref), cache: c.config.Cache, limits: c.limits}, nil
		}
		return c.web.repository(ctx, ref), nil
	}
	return nil, &RefError{Ref: ref.String(), Code: "ref.empty", Reason: "it was not made by ParseRef"}
}

func offline(ref Ref) *RegistryError {
	return &RegistryError{
		Code: "registry.offline", Registry: ref.Registry, Op: "opening " + ref.String(), Message: "the network is not to be used",
		Hint: "pull the artifact to a layout where there is a network, and name it as oci-layout:DIR",
	}
}

// Fetch resolves ref once to a digest, reads the manifest, the module and all evidence about it, and checks every byte against
// its digest. It answers within Config.Timeout. Errors: *ArtifactError (it is there and is refused), *LimitError (it is larger
// than Limits allow), *RegistryError and *LayoutError (it could not be read), *RefError.
func (c *Client) Fetch(ctx context.Context, ref Ref) (*Artifact, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	src, err := c.open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer src.close()
	artifact, err := c.fetch(ctx, src, ref)
	if err != nil {
		return nil, c.explain(ctx, ref, err)
	}
	return artifact, nil
}

func (c *Client) fetch(ctx context.Context, src source, ref Ref) (*Artifact, error) {
	top, err := resolve(ctx, src, ref)
	if err != nil {
		return nil, err
	}
	pick := picker{src: src, limits: c.limits, platform: c.config.Platform}
	doc, artifact, err := pick.manifest(ctx, top)
	if err != nil {
		return nil, err
	}
	artifact.Ref = ref
	// The module and the evidence are read side by side. What is wrong with the module is told first, whichever failed first.
	found := collector{src: src, limits: c.limits}
	collecting, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- found.collect(collecting, artifact.Subjects()) }()
	if err := pick.module(ctx, doc, artifact); err != nil {
		stop()
		_ = ignore(<-done)
		return nil, err
	}
	if err := <-done; err != nil {
		return nil, err
	}
	artifact.Evidence, artifact.Rejected = found.evidence, found.rejected
	return artifact, nil
}

// resolve reads the document a reference names. With both a tag and a digest the tag decides what is read and the digest
// whether it is accepted, so that neither can be swapped without the other.
func resolve(ctx context.Context, src source, ref Ref) (document, error) {
	name := ref.Tag
	if name == "" {
		name = ref.Digest
	}
	top, err := src.document(ctx, name)
	if err != nil {
		return document{}, err
	}
	if ref.Digest != "" && top.digest != ref.Digest {
		return document{}, &ArtifactError{
			Code: "artifact.tag_digest", Digest: top.digest,
			Message: fmt.Sprintf("tag %q leads to %s, not to the digest in the reference", ref.Tag, top.digest),
			Hint:    "the tag has moved, or the digest belongs to another tag: drop the one that you do not mean",
		}
	}
	return top, nil
}

// explain gives an error its reference, and names the deadline where that is what ended the fetch.
func (c *Client) explain(ctx context.Context, ref Ref, err error) error {
	var ae *ArtifactError
	if errors.As(err, &ae) && ae.Ref == "" {
		ae.Ref = ref.String()
		return ae
	}
	if ref.Source == SourceRegistry && ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		return &RegistryError{
			Code: "registry.timeout", Registry: ref.Registry, Op: fmt.Sprintf("reading %s", ref), Err: err,
			Message: fmt.Sprintf("it took longer than %s", c.config.Timeout.Round(time.Millisecond)),
			Hint:    "the registry or the network is slow; try again, or allow more time for a pull",
		}
	}
	return err
}
