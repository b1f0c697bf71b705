// Package layout builds OCI artifacts for tests and the demo: modules in every layout that is published, indexes, signatures of both
// generations, and OCI layouts on disk. It knows media types and digests. It does not know whether what it builds makes sense:
// most callers want to see nonsense refused.
package layout

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Media types, spelled out once for tests.
const (
	TypeManifest       = "application/vnd.oci.image.manifest.v1+json"
	TypeIndex          = "application/vnd.oci.image.index.v1+json"
	TypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	TypeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	TypeEmpty          = "application/vnd.oci.empty.v1+json"
	TypeWasmConfig     = "application/vnd.wasm.config.v0+json"
	TypeWasm           = "application/wasm"
	TypeBundle         = "application/vnd.dev.sigstore.bundle.v0.3+json"
	TypeSimpleSigning  = "application/vnd.dev.cosign.simplesigning.v1+json"
	TypeDSSE           = "application/vnd.dsse.envelope.v1+json"
	TypeImageConfig    = "application/vnd.oci.image.config.v1+json"
	// RefName is the annotation that names an entry of index.json.
	RefName = "org.opencontainers.image.ref.name"
)

// Module is the smallest WebAssembly module: a header and nothing else.
var Module = []byte("\x00asm\x01\x00\x00\x00")

// Descriptor points at a blob.
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Platform     *Platform         `json:"platform,omitempty"`
}

// Named is the descriptor with a ref.name annotation.
func (d Descriptor) Named(name string) Descriptor {
	return d.Annotated(RefName, name)
}

// Annotated is the descriptor with one more annotation.
func (d Descriptor) Annotated(key, value string) Descriptor {
	annotations := map[string]string{key: value}
	for k, v := range d.Annotations {
		if k != key {
			annotations[k] = v
		}
	}
	d.Annotations = annotations
	return d
}

// For is the descriptor with a platform.
func (d Descriptor) For(os, arch string) Descriptor {
	d.Platform = &Platform{Architecture: arch, OS: os}
	return d
}

// Platform of an index's child.
type Platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// Manifest is a manifest or an index, or anything between the two that a test needs.
type Manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        *Descriptor       `json:"config,omitempty"`
	Layers        []Descriptor      `json:"layers,omitempty"`
	Manifests     []Descriptor      `json:"manifests,omitempty"`
	Subject       *Descriptor       `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// Digest is the sha256 digest of b.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Blobs holds content by digest.
type Blobs map[string][]byte

// Add stores b and gives its descriptor.
func (s Blobs) Add(mediaType string, b []byte) Descriptor {
	d := Descriptor{MediaType: mediaType, Digest: Digest(b), Size: int64(len(b))}
	s[d.Digest] = b
	return d
}

// AddJSON stores v as JSON.
func (s Blobs) AddJSON(mediaType string, v any) Descriptor {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the values here are plain structs
	}
	return s.Add(mediaType, b)
}

// AddManifest stores a manifest under its own media type, or as an OCI image manifest where it has none.
func (s Blobs) AddManifest(m Manifest) Descriptor {
	if m.SchemaVersion == 0 {
		m.SchemaVersion = 2
	}
	if m.MediaType == "" {
		m.MediaType = TypeManifest
	}
	d := s.AddJSON(m.MediaType, m)
	d.ArtifactType = m.ArtifactType
	return d
}

// Empty stores {} as the empty config.
func (s Blobs) Empty() *Descriptor {
	d := s.Add(TypeEmpty, []byte("{}"))
	return &d
}

// CNCF packs a module as a CNCF Wasm artifact.
func (s Blobs) CNCF(module []byte, annotations map[string]string) Descriptor {
	layer := s.Add(TypeWasm, module)
	config := s.AddJSON(TypeWasmConfig, map[string]any{"architecture": "wasm", "os": "wasip1", "created": "2026-01-01T00:00:00Z", "layerDigests": []string{layer.Digest}})
	return s.AddManifest(Manifest{Config: &config, Layers: []Descriptor{layer}, Annotations: annotations})
}

// Artifact packs a module as a single-layer OCI 1.1 artifact.
func (s Blobs) Artifact(module []byte) Descriptor {
	layer := s.Add(TypeWasm, module)
	return s.AddManifest(Manifest{ArtifactType: "application/vnd.example.fn", Config: s.Empty(), Layers: []Descriptor{layer}})
}

// Index makes an index of children.
func (s Blobs) Index(children ...Descriptor) Descriptor {
	return s.AddManifest(Manifest{MediaType: TypeIndex, Manifests: children})
}

// Bundle attaches a Sigstore bundle to a subject as cosign 3 does, and gives the referrer's descriptor.
func (s Blobs) Bundle(subject Descriptor, bundle []byte) Descriptor {
	layer := s.Add(TypeBundle, bundle)
	subject = Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}
	return s.AddManifest(Manifest{ArtifactType: TypeBundle, Config: s.Empty(), Layers: []Descriptor{layer}, Subject: &subject, Annotations: map[string]string{"dev.sigstore.bundle.content": "dsse-envelope"}})
}

// Legacy makes the manifest that cosign 2 keeps at a .sig or .att tag. The layers come from Add, with annotations.
func (s Blobs) Legacy(layers ...Descriptor) Descriptor {
	config := s.AddJSON(TypeImageConfig, map[string]any{"architecture": "", "os": "", "rootfs": map[string]any{"type": "layers", "diff_ids": []string{}}})
	return s.AddManifest(Manifest{Config: &config, Layers: layers})
}

// FallbackTag is the tag at which registries without the Referrers API keep what refers to a digest; with .sig or .att added,
// cosign 2's.
func FallbackTag(digest string) string { return strings.Replace(digest, ":", "-", 1) }

// Save writes the blobs and an index.json of the given entries to dir, which is made where it does not exist.
func (s Blobs) Save(dir string, entries ...Descriptor) error {
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o750); err != nil {
		return err
	}
	var errs []error
	write := func(name string, b []byte) {
		errs = append(errs, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	for digest, b := range s {
		write(filepath.Join("blobs", "sha256", strings.TrimPrefix(digest, "sha256:")), b)
	}
	index, err := json.MarshalIndent(Manifest{SchemaVersion: 2, MediaType: TypeIndex, Manifests: entries}, "", "  ")
	errs = append(errs, err)
	write("index.json", index)
	write("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return errors.Join(errs...)
}

// Options says what Write packs.
type Options struct {
	// Tag is the ref.name of the artifact, or empty for none.
	Tag string
	// Generic packs a single-layer artifact instead of the CNCF layout.
	Generic bool
	// Annotations of the manifest (CNCF layout only).
	Annotations map[string]string
	// Bundles are attached as referrers.
	Bundles [][]byte
}

// Write packs a module into a new OCI layout in dir and gives the manifest's digest.
func Write(dir string, module []byte, opts Options) (manifestDigest string, err error) {
	blobs := Blobs{}
	var top Descriptor
	if opts.Generic {
		top = blobs.Artifact(module)
	} else {
		top = blobs.CNCF(module, opts.Annotations)
	}
	named := top
	if opts.Tag != "" {
		named = top.Named(opts.Tag)
	}
	entries := []Descriptor{named}
	for _, b := range opts.Bundles {
		entries = append(entries, blobs.Bundle(top, b))
	}
	return top.Digest, blobs.Save(dir, entries...)
}
