package oci

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
)

// Media types of configs and layers.
const (
	typeWasmConfig  = "application/vnd.wasm.config.v0+json"
	typeWasm        = "application/wasm"
	typeEmpty       = "application/vnd.oci.empty.v1+json"
	emptyDigest     = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // of {}
	bundleTypeStart = "application/vnd.dev.sigstore.bundle"

	typeKubewardenConfig = "application/vnd.wasm.config.v1+json"
	typeKubewardenLayer  = "application/vnd.wasm.content.layer.v1+wasm"
	typeSoloConfig       = "application/vnd.module.wasm.config.v1+json"
	typeSoloLayer        = "application/vnd.module.wasm.content.layer.v1+wasm"
)

// componentHint is the remedy for a component.
const componentHint = "build the function for WASI preview 1 (GOOS=wasip1 GOARCH=wasm in Go, wasm32-wasip1 in Rust)"

// picker finds the one module in a document. Its rules are deterministic and know no preference: two candidates are a refusal,
// and no annotation, title or entry point chooses between them.
type picker struct {
	src      source
	limits   Limits
	platform string
}

// manifest descends from the top document to the manifest that holds the module.
func (p picker) manifest(ctx context.Context, top document) (document, *Artifact, error) {
	artifact := &Artifact{Digest: top.digest, MediaType: top.mediaType}
	doc := top
	if top.isIndex() {
		child, err := p.child(ctx, top)
		if err != nil {
			return document{}, nil, err
		}
		doc, artifact.Platform = child.document, child.platform
	}
	artifact.ManifestDigest, artifact.ConfigDigest, artifact.Annotations = doc.digest, doc.Config.Digest, doc.Annotations
	return doc, artifact, nil
}

// module reads the module out of its manifest.
func (p picker) module(ctx context.Context, doc document, artifact *Artifact) error {
	var err error
	switch doc.Config.MediaType {
	case typeWasmConfig:
		err = p.cncf(ctx, doc, artifact)
	case typeEmpty:
		err = p.single(ctx, doc, artifact)
	case typeKubewardenConfig:
		err = p.plain(ctx, doc, artifact, LayoutWasmToOCI, typeKubewardenLayer)
	case typeSoloConfig:
		err = p.plain(ctx, doc, artifact, LayoutSolo, typeSoloLayer)
	case typeOCIConfig, typeDockerConfig:
		err = p.image(ctx, doc, artifact)
	default:
		err = refuseLayout(doc, "its config has the media type %q, in which no module is published", shorten(doc.Config.MediaType, 100))
	}
	if err != nil {
		return err
	}
	return checkModule(artifact)
}

func refuse(doc document, code, hint, format string, args ...any) error {
	return &ArtifactError{Code: code, Digest: doc.digest, Hint: hint, Message: "manifest " + doc.digest + ": " + fmt.Sprintf(format, args...)}
}

func refuseLayout(doc document, format string, args ...any) error {
	return refuse(doc, "artifact.layout", "publish the module with krmsafe push, or as a CNCF Wasm artifact (config "+typeWasmConfig+", one layer "+typeWasm+")", format, args...)
}

// cncf reads the CNCF layout: exactly one layer, of type application/wasm, which the config's layerDigests must name.
// https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/
func (p picker) cncf(ctx context.Context, doc document, artifact *Artifact) error {
	layer, err := onlyLayer(doc, typeWasm)
	if err != nil {
		return err
	}
	var config struct {
		Architecture string   `json:"architecture"`
		OS           string   `json:"os"`
		LayerDigests []string `json:"layerDigests"`
	}
	if err := p.readConfig(ctx, doc, &config); err != nil {
		return err
	}
	artifact.Layout, artifact.Platform = LayoutCNCF, config.OS+"/"+config.Architecture
	switch {
	case config.OS == "wasip2" || config.OS == "wasip3":
		return refuse(doc, "module.component", componentHint, "it is a component for %s, and %s is not supported", config.OS, config.OS)
	case config.OS != "wasip1" || config.Architecture != "wasm":
		return refuse(doc, "artifact.platform", "", "its config is for %q, not for wasip1/wasm", shorten(artifact.Platform, 60))
	case !slices.Equal(config.LayerDigests, []string{layer.Digest}):
		return refuse(doc, "artifact.layer_digests", "", "the config's layerDigests are not those of its one layer %s", layer.Digest)
	}
	return p.rawModule(ctx, layer, artifact)
}

// single reads an OCI 1.1 artifact: the empty config, an artifactType and exactly one application/wasm layer.
func (p picker) single(ctx context.Context, doc document, artifact *Artifact) error {
	artifact.Layout = LayoutArtifact
	switch {
	case doc.mediaType != typeOCIManifest || doc.ArtifactType == "":
		return refuseLayout(doc, "it has the empty config but no artifactType")
	case doc.Config.Digest != emptyDigest || doc.Config.Size != 2:
		return refuse(doc, "artifact.malformed", "", "its config is called empty but is %s", doc.Config.Digest)
	case strings.HasPrefix(doc.ArtifactType, bundleTypeStart):
		return refuseLayout(doc, "it is a signature, not a module")
	}
	layer, err := onlyLayer(doc, typeWasm)
	if err != nil {
		return err
	}
	return p.rawModule(ctx, layer, artifact)
}

// plain reads the two older layouts, in which one layer of a type of its own is the module and the config says nothing.
func (p picker) plain(ctx context.Context, doc document, artifact *Artifact, layout Layout, layerType string) error {
	layer, err := onlyLayer(doc, layerType)
	if err != nil {
		return err
	}
	artifact.Layout = layout
	return p.rawModule(ctx, layer, artifact)
}

// onlyLayer gives the layer of a manifest that must have exactly one, of the given type.
func onlyLayer(doc document, mediaType string) (descriptor, error) {
	if n := len(doc.Layers); n != 1 {
		return descriptor{}, refuse(doc, "artifact.ambiguous", "publish the module alone", "it has %d layers where exactly one is allowed", n)
	}
	layer := doc.Layers[0]
	switch err := layerSupported(doc, layer); {
	case layer.MediaType == mediaType && len(layer.URLs) == 0:
		return layer, nil
	case err != nil:
		return descriptor{}, err
	}
	return descriptor{}, refuseLayout(doc, "its layer has the media type %q, not %q", shorten(layer.MediaType, 100), mediaType)
}

// rawModule reads a layer that is the module itself.
func (p picker) rawModule(ctx context.Context, layer descriptor, artifact *Artifact) error {
	body, err := readHashed(ctx, p.src, layer, "module", p.limits.module())
	if err != nil {
		return err
	}
	artifact.LayerDigest = layer.Digest
	artifact.hold(body)
	return nil
}

// checkModule looks at the first eight bytes, so that a thing that is no module is refused by its name before anything else is
// asked of it.
func checkModule(a *Artifact) error {
	head := a.Module[:min(8, len(a.Module))]
	switch {
	case bytes.Equal(head, []byte("\x00asm\x01\x00\x00\x00")):
		return nil
	case bytes.Equal(head, []byte("\x00asm\x0d\x00\x01\x00")):
		return &ArtifactError{
			Code: "module.component", Digest: a.ModuleDigest, Message: "it is a WebAssembly component, and wasip2 is not supported",
			Hint: componentHint,
		}
	}
	return &ArtifactError{
		Code: "module.malformed", Digest: a.ModuleDigest, Message: fmt.Sprintf("%s does not begin as a WebAssembly module does: %q", a.ModuleDigest, head),
	}
}
