package oci

import "context"

// A Layer is one layer of an artifact that holds no module, such as a policy.
type Layer struct {
	MediaType string
	// Title is the layer's name as its publisher wrote it, often that of a file. It is no path until somebody checks it.
	Title  string
	Digest string
	Bytes  []byte
}

// titleKey is the annotation of a layer that names the file it was made of.
const titleKey = "org.opencontainers.image.title"

// FetchLayers reads all layers of an artifact that is not a module, bounded as evidence is, and checks every byte against its
// digest. The reference must name a digest: what it leads to is not verified, so a tag would let a registry choose. It answers
// within Config.Timeout. Errors: as Fetch's.
func (c *Client) FetchLayers(ctx context.Context, ref Ref) ([]Layer, error) {
	if ref.Digest == "" {
		return nil, &RefError{
			Ref: ref.String(), Code: "ref.not_pinned", Reason: "it names no digest, and what is read by it is not verified",
			Hint: "add @sha256:… as the push printed it",
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	src, err := c.open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer src.close()
	layers, err := c.fetchLayers(ctx, src, ref)
	if err != nil {
		return nil, c.explain(ctx, ref, err)
	}
	return layers, nil
}

func (c *Client) fetchLayers(ctx context.Context, src source, ref Ref) ([]Layer, error) {
	doc, err := resolve(ctx, src, ref)
	if err != nil {
		return nil, err
	}
	if doc.isIndex() {
		return nil, refuse(doc, "artifact.layout", "name the manifest of the artifact itself", "it is an index")
	}
	var layers []Layer
	var total int64
	for _, d := range doc.Layers {
		if len(d.URLs) > 0 {
			return nil, refuse(doc, "artifact.foreign_layer", "", "layer %s is to be read from elsewhere", d.Digest)
		}
		if total += d.Size; total > c.limits.EvidenceTotal {
			return nil, c.limits.total().exceeded("layers of "+doc.digest, total)
		}
		body, err := readBlob(ctx, src, d, "layer", c.limits.bundle())
		if err != nil {
			return nil, err
		}
		layers = append(layers, Layer{MediaType: d.MediaType, Title: d.Annotations[titleKey], Digest: d.Digest, Bytes: body})
	}
	return layers, nil
}
