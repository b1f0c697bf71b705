package oci

import (
	"bytes"
	"context"
	"io"

	"github.com/krmsafe/krmsafe/internal/hashed"
)

// Cache keeps content by digest between runs. What it gives back was hashed on the way, by hashed.Of and nobody else, so it need not
// be trusted; tags, and whether anything was ever verified, are never asked of it. Its methods may be called from several goroutines.
type Cache interface {
	// Load gives the content of a sha256 digest, if it has it and it is no larger than max bytes.
	Load(digest string, max int64) (hashed.Bytes, bool)
	// Store offers content to be kept. The cache must not change body.
	Store(digest string, body []byte)
}

// keeper is a source that wants to have what was read and found good, and may have had it before.
type keeper interface {
	kept(d descriptor) (hashed.Bytes, bool)
	keep(digest string, body []byte)
}

// cached is a source in front of which a Cache stands, for whatever is asked for by digest.
type cached struct {
	source
	cache  Cache
	limits Limits
}

func (c *cached) keep(digest string, body []byte) { c.cache.Store(digest, body) }

// kept is what the cache has of a blob, all of it.
func (c *cached) kept(d descriptor) (hashed.Bytes, bool) {
	body, ok := c.load(d.Digest, d.Size)
	return body, ok && int64(body.Len()) == d.Size
}

// load gives content of this digest. A cache with damaged content is as good as an empty one.
func (c *cached) load(digest string, limit int64) (hashed.Bytes, bool) {
	body, ok := c.cache.Load(digest, limit)
	if !ok || int64(body.Len()) > limit || !body.Is(digest) {
		return hashed.Bytes{}, false
	}
	return body, true
}

func (c *cached) document(ctx context.Context, name string) (document, error) {
	if !validDigest(name) {
		return c.source.document(ctx, name)
	}
	if body, ok := c.load(name, c.limits.ManifestBytes); ok {
		if doc, err := parseDocument(body.Data(), "", c.limits); err == nil {
			return doc, nil
		}
	}
	doc, err := c.source.document(ctx, name)
	if err == nil && doc.MediaType != "" { // without it, the bytes alone do not say what they are
		c.cache.Store(doc.digest, doc.body)
	}
	return doc, err
}

func (c *cached) open(ctx context.Context, d descriptor, what string) (io.ReadCloser, error) {
	if body, ok := c.load(d.Digest, d.Size); ok {
		return io.NopCloser(bytes.NewReader(body.Data())), nil
	}
	return c.source.open(ctx, d, what)
}
