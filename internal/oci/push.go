package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"
)

// PushOptions says what is written beside the module.
type PushOptions struct {
	// Annotations of the manifest, such as org.opencontainers.image.source.
	Annotations map[string]string
	// Created is written into the config. Its zero value stands for 1970-01-01, so that the same module has the same digest
	// whenever it is pushed.
	Created time.Time
}

// packed is an artifact that is ready to be written.
type packed struct {
	module, config, manifest []byte
	layer, configDescriptor  descriptor
	digest                   string
}

// pack lays a module out as a CNCF Wasm artifact.
func pack(module []byte, opts PushOptions) (packed, error) {
	if err := checkModule(&Artifact{Module: module, ModuleDigest: digestOf(module)}); err != nil {
		return packed{}, err
	}
	created := opts.Created
	if created.IsZero() {
		created = time.Unix(0, 0)
	}
	p := packed{module: module}
	p.layer = descriptor{MediaType: typeWasm, Digest: digestOf(module), Size: int64(len(module))}
	var err error
	p.config, err = json.Marshal(struct {
		Created      string   `json:"created"`
		Architecture string   `json:"architecture"`
		OS           string   `json:"os"`
		LayerDigests []string `json:"layerDigests"`
	}{created.UTC().Format(time.RFC3339), "wasm", "wasip1", []string{p.layer.Digest}})
	if err != nil {
		return packed{}, fmt.Errorf("writing the config: %w", err)
	}
	p.configDescriptor = descriptor{MediaType: typeWasmConfig, Digest: digestOf(p.config), Size: int64(len(p.config))}
	p.manifest, err = json.Marshal(manifest{
		SchemaVersion: 2, MediaType: typeOCIManifest, Config: &p.configDescriptor, Layers: []descriptor{p.layer}, Annotations: opts.Annotations,
	})
	if err != nil {
		return packed{}, fmt.Errorf("writing the manifest: %w", err)
	}
	p.digest = digestOf(p.manifest)
	return p, nil
}

// Push writes a module as a CNCF Wasm artifact to a registry or into an OCI layout, which is made where it does not exist, and gives
// the manifest's digest. The same module, options and annotations always give the same digest. A mirror is never written to: the
// reference's own registry is. Only a core module is accepted. Errors: as Fetch's.
func (c *Client) Push(ctx context.Context, ref Ref, module []byte, opts PushOptions) (manifestDigest string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	if ref.Digest != "" {
		return "", &RefError{Ref: ref.String(), Code: "ref.digest", Reason: "a push cannot choose its digest", Hint: "name a tag alone; the digest is printed after the push"}
	}
	if n := int64(len(module)); n > c.limits.ModuleBytes {
		return "", c.limits.module().exceeded("module", n)
	}
	p, err := pack(module, opts)
	if err != nil {
		return "", c.explain(ctx, ref, err)
	}
	switch {
	case ref.Source == SourceLayout:
		err = writeLayout(ref, p, c.limits)
	case ref.Source != SourceRegistry:
		err = &RefError{Ref: ref.String(), Code: "ref.empty", Reason: "it was not made by ParseRef"}
	case c.config.Offline:
		err = offline(ref)
	default:
		err = c.explain(ctx, ref, c.web.origin(ctx, ref).push(ctx, ref.Tag, p))
	}
	if err != nil {
		return "", err
	}
	return p.digest, nil
}

// push writes the blobs, then the manifest under its tag.
func (r *repository) push(ctx context.Context, tag string, p packed) error {
	op := fmt.Sprintf("pushing %q", tag)
	to := &remote.Repository{Client: r.client, PlainHTTP: r.scheme == "http"}
	to.Reference.Registry, to.Reference.Repository = r.host, r.repo
	for _, b := range []struct {
		d    descriptor
		body []byte
	}{{p.layer, p.module}, {p.configDescriptor, p.config}} {
		d := spec(b.d)
		there, err := to.Blobs().Exists(ctx, d)
		if err != nil {
			return r.broken(op, err)
		}
		if there {
			continue
		}
		if err := to.Blobs().Push(ctx, d, bytes.NewReader(b.body)); err != nil {
			return r.broken(op, err)
		}
	}
	d := spec(descriptor{MediaType: typeOCIManifest, Digest: p.digest, Size: int64(len(p.manifest))})
	if err := to.Manifests().PushReference(ctx, d, bytes.NewReader(p.manifest), tag); err != nil {
		return r.broken(op, err)
	}
	return nil
}

// spec is a descriptor as the registry library wants it.
func spec(d descriptor) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: d.MediaType, Size: d.Size, Digest: digest.Digest(d.Digest)}
}
