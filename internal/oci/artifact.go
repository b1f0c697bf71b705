package oci

import "github.com/krmsafe/krmsafe/internal/hashed"

// Layout is the way in which a module is put into an artifact.
type Layout string

// The layouts that are understood.
const (
	// LayoutCNCF is the CNCF Wasm OCI artifact: config application/vnd.wasm.config.v0+json, one layer application/wasm.
	LayoutCNCF Layout = "cncf-wasm"
	// LayoutArtifact is an OCI 1.1 artifact with the empty config, an artifactType and one layer application/wasm.
	LayoutArtifact Layout = "artifact"
	// LayoutWasmToOCI is the layout of wasm-to-oci and Kubewarden: config application/vnd.wasm.config.v1+json, one layer
	// application/vnd.wasm.content.layer.v1+wasm.
	LayoutWasmToOCI Layout = "wasm-to-oci"
	// LayoutSolo is the layout of Solo and Istio: config application/vnd.module.wasm.config.v1+json, one layer
	// application/vnd.module.wasm.content.layer.v1+wasm.
	LayoutSolo Layout = "solo"
	// LayoutImage is a container image built FROM scratch for wasi/wasm, with one .wasm file in its layers.
	LayoutImage Layout = "image"
)

// Artifact is a module with everything that was found about it. Every digest in it was computed here, from bytes that were read.
// Annotations, Platform and Evidence are what the publisher or the registry says: claims.
type Artifact struct {
	// Ref is the reference as it was asked for; mirrors do not change it.
	Ref Ref
	// Digest is of what the reference leads to: a manifest or an index.
	Digest string
	// MediaType is of what Digest names.
	MediaType string
	// ManifestDigest is of the manifest that holds the module. It equals Digest unless that is an index. A signature on either counts.
	ManifestDigest string
	// Layout says how the module was packed.
	Layout Layout
	// Platform is "os/arch" as the config or the index says, or empty where neither does.
	Platform string
	// ConfigDigest and LayerDigest name the manifest's config and the layer the module came from.
	ConfigDigest, LayerDigest string
	// ModuleDigest is of Module. It equals LayerDigest unless the layer is an archive.
	ModuleDigest string
	// Module is the module itself: a core WebAssembly module by its first eight bytes, otherwise unread.
	Module []byte
	// hashed is Module as it was hashed, by whoever read it.
	hashed hashed.Bytes
	// Annotations are the manifest's. Unsigned words of the publisher.
	Annotations map[string]string
	// Evidence is in a fixed order: by subject (the top first), kind, then manifest digest and layer.
	Evidence []Evidence
	// Rejected lists what looked like evidence and cannot be any. It never makes a fetch fail, since anyone who may push could
	// then block a signed artifact.
	Rejected []Rejection
}

// hold takes the module.
func (a *Artifact) hold(module hashed.Bytes) {
	a.hashed, a.Module, a.ModuleDigest = module, module.Data(), module.Digest()
}

// Hashed is the module with the digest that was computed of it when it was read, for whoever would hash it again.
func (a *Artifact) Hashed() hashed.Bytes { return a.hashed }

// Subjects are the digests a signature of this artifact may name: what the reference leads to, and, in an index, the child chosen.
func (a *Artifact) Subjects() []string {
	if a.ManifestDigest == a.Digest {
		return []string{a.Digest}
	}
	return []string{a.Digest, a.ManifestDigest}
}

// The kinds of evidence.
const (
	// KindBundle is a Sigstore bundle.
	KindBundle = "bundle"
	// KindSignature is a layer of a cosign 2 signature tag: a simple-signing payload, its signature in the annotations.
	KindSignature = "legacy-signature"
	// KindAttestation is a layer of a cosign 2 attestation tag: a DSSE envelope, its certificate in the annotations.
	KindAttestation = "legacy-attestation"
)

// The places where evidence is found.
const (
	// FromReferrers is the registry's Referrers API.
	FromReferrers = "referrers-api"
	// FromReferrersTag is the fallback tag sha256-HEX of registries without that API.
	FromReferrersTag = "referrers-tag"
	// FromSignatureTag is cosign 2's tag sha256-HEX.sig.
	FromSignatureTag = "signature-tag"
	// FromAttestationTag is cosign 2's tag sha256-HEX.att.
	FromAttestationTag = "attestation-tag"
	// FromLayout is an entry of a layout's index.json.
	FromLayout = "oci-layout"
)

// Evidence is bytes that may say who vouches for the artifact. Digest holds; everything else is a claim that verification judges.
type Evidence struct {
	// Kind is one of the Kind constants.
	Kind string
	// MediaType is the layer's.
	MediaType string
	// Digest is of Bytes.
	Digest string
	// Subject is the digest it was attached to: Artifact.Digest or Artifact.ManifestDigest.
	Subject string
	// Manifest is the digest of the manifest that carries it.
	Manifest string
	// Source is one of the From constants.
	Source string
	// Annotations are the layer's. In legacy evidence they hold the signature; nobody signed them.
	Annotations map[string]string
	// Bytes is the layer itself.
	Bytes []byte
}

// Rejection is something attached to the artifact that looked like evidence and cannot be any.
type Rejection struct {
	// Code is the stable dotted reason, such as "evidence.subject".
	Code string
	// Manifest is its digest, or empty where it has none.
	Manifest string
	// Source is one of the From constants.
	Source string
	// Reason is the sentence for people.
	Reason string
}
