package oci

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/krmsafe/krmsafe/internal/hashed"
)

// Media types of container images.
const (
	typeOCIConfig    = "application/vnd.oci.image.config.v1+json"
	typeDockerConfig = "application/vnd.docker.container.image.v1+json"
	typeTar          = "application/vnd.oci.image.layer.v1.tar"
	typeTarGzip      = "application/vnd.oci.image.layer.v1.tar+gzip"
	typeDockerTarGz  = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// image reads a module out of a container image built FROM scratch: the one .wasm file in all its layers. Layers are streamed and
// nothing is written anywhere.
func (p picker) image(ctx context.Context, doc document, artifact *Artifact) error {
	want, err := p.imageConfig(ctx, doc, artifact)
	if err != nil {
		return err
	}
	u := unpacker{picker: p, doc: doc, paths: map[string]bool{}}
	var diffs []string
	for _, layer := range doc.Layers {
		if err := layerSupported(doc, layer); err != nil {
			return err
		}
	}
	for _, layer := range doc.Layers {
		diff, err := u.layer(ctx, layer)
		if err != nil {
			return err
		}
		diffs = append(diffs, diff)
	}
	if u.module == nil {
		return refuse(doc, "artifact.no_module", "", "there is no .wasm file in its %d layers", len(doc.Layers))
	}
	if len(want) > 0 && !slices.Equal(want, diffs) {
		return refuse(doc, "artifact.layer_digests", "", "the config's diff_ids are not those of its layers")
	}
	artifact.Layout, artifact.LayerDigest = LayoutImage, u.layerDigest
	artifact.hold(hashed.Of(u.module))
	return nil
}

// imageConfig checks the platform of the config and gives the digests that the unpacked layers are to have.
func (p picker) imageConfig(ctx context.Context, doc document, artifact *Artifact) (diffIDs []string, err error) {
	var config struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
		RootFS       struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := p.readConfig(ctx, doc, &config); err != nil {
		return nil, err
	}
	name := config.OS + "/" + config.Architecture
	wanted := wasmPlatforms
	if p.platform != "" {
		wanted = []string{p.platform}
	}
	switch {
	case slices.Contains(wanted, name):
	case name == "js/wasm":
		return nil, refuse(doc, "artifact.js_wasm", "build the function with GOOS=wasip1 instead of GOOS=js", "it is for js/wasm, which needs a JavaScript host; krmsafe runs WASI preview 1")
	case config.OS == "wasip2":
		return nil, refuse(doc, "module.component", componentHint, "it is a component for wasip2, and wasip2 is not supported")
	default:
		return nil, refuse(doc, "artifact.platform", "", "its config is for %q, not for %s", shorten(name, 60), strings.Join(wanted, " or "))
	}
	if artifact.Platform != "" && artifact.Platform != name {
		return nil, refuse(doc, "artifact.platform", "", "the index says it is for %q, its config for %q", shorten(artifact.Platform, 60), name)
	}
	artifact.Platform = name
	return config.RootFS.DiffIDs, nil
}

// readConfig reads a config blob strictly.
func (p picker) readConfig(ctx context.Context, doc document, into any) error {
	body, err := readBlob(ctx, p.src, *doc.Config, "config", p.limits.config())
	if err != nil {
		return err
	}
	if err := checkJSON(body, p.limits.depth()); err != nil {
		return refuse(doc, "artifact.malformed", "", "config %s: %v", doc.Config.Digest, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return refuse(doc, "artifact.malformed", "", "config %s: %s", doc.Config.Digest, jsonReason(err))
	}
	return nil
}

// layerSupported names what a layer is when it cannot be read.
func layerSupported(doc document, layer descriptor) error {
	t := shorten(layer.MediaType, 100)
	switch {
	case slices.Contains([]string{typeTar, typeTarGzip, typeDockerTarGz}, layer.MediaType) && len(layer.URLs) == 0:
		return nil
	case strings.HasSuffix(t, "+encrypted"):
		return refuse(doc, "artifact.encrypted_layer", "publish the module unencrypted: its signature is what protects it", "layer %s is encrypted (%q)", layer.Digest, t)
	case strings.Contains(t, "zstd"):
		return refuse(doc, "artifact.zstd_layer", "build the image with gzip layers, or publish the module with krmsafe push", "layer %s is compressed with zstd (%q)", layer.Digest, t)
	case len(layer.URLs) > 0 || strings.Contains(t, "nondistributable") || strings.Contains(t, "foreign"):
		return refuse(doc, "artifact.foreign_layer", "", "layer %s is to be read from elsewhere (%q)", layer.Digest, t)
	case strings.Contains(t, "component"):
		return refuse(doc, "module.component", componentHint, "layer %s is a WebAssembly component (%q), and wasip2 is not supported", layer.Digest, t)
	}
	return refuseLayout(doc, "layer %s has the media type %q", layer.Digest, t)
}

// unpacker walks the layers of one image and keeps the count over all of them.
type unpacker struct {
	picker
	doc         document
	paths       map[string]bool // clean path → is a directory
	files       int64
	bytes       int64
	module      []byte
	layerDigest string
}

// layer streams one layer and gives the digest of its unpacked bytes.
func (u *unpacker) layer(ctx context.Context, d descriptor) (diff string, err error) {
	if d.Size > u.limits.LayerBytes {
		return "", bound{"layer_bytes", "LayerBytes", u.limits.LayerBytes}.exceeded("layer "+d.Digest, d.Size)
	}
	blob, err := openBlob(ctx, u.src, d, "layer")
	if err != nil {
		return "", err
	}
	defer func() {
		if closing := blob.Close(); err == nil {
			err = closing // a pull writes the blob to disk on the way
		}
	}()
	var plain io.Reader = blob
	if d.MediaType != typeTar {
		unzip, err := gzip.NewReader(blob)
		if err != nil {
			return "", u.broken(d, err)
		}
		plain = unzip
	}
	sum := sha256.New()
	counted := &countedReader{next: io.TeeReader(plain, sum), unpacker: u}
	if err := u.walk(d, tar.NewReader(counted)); err != nil {
		return "", u.broken(d, err)
	}
	// What follows the archive's end belongs to the blob, and counts.
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return "", u.broken(d, err)
	}
	return digestPrefix + hex.EncodeToString(sum.Sum(nil)), blob.verify()
}

// broken lets our own errors pass, and words those of gzip and tar.
func (u *unpacker) broken(d descriptor, err error) error {
	var (
		ae *ArtifactError
		le *LimitError
		re *RegistryError
	)
	if errors.As(err, &ae) || errors.As(err, &le) || errors.As(err, &re) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	return refuse(u.doc, "artifact.malformed", "", "layer %s cannot be unpacked: %s", d.Digest, reason(err))
}

// countedReader bounds the unpacked bytes of all layers together, so that no bomb gets further than the limit.
type countedReader struct {
	next     io.Reader
	unpacker *unpacker
}

// Read passes bytes on until there were too many.
func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.next.Read(p)
	u := c.unpacker
	if u.bytes += int64(n); u.bytes > u.limits.UnpackedBytes {
		return 0, bound{"unpacked_bytes", "UnpackedBytes", u.limits.UnpackedBytes}.exceeded("unpacked layers of "+u.doc.digest, u.bytes)
	}
	return n, err
}

// walk reads the entries of one layer.
func (u *unpacker) walk(d descriptor, archive *tar.Reader) error {
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if u.files++; u.files > u.limits.UnpackedFiles {
			return bound{"unpacked_files", "UnpackedFiles", u.limits.UnpackedFiles}.exceeded("entries in the layers of "+u.doc.digest, u.files)
		}
		if err := u.entry(d, h, archive); err != nil {
			return err
		}
	}
}

// entry judges one entry. A path that leads out, a path that a later entry or layer would hide or replace, a whiteout: each would make
// it a matter of opinion which file is the module.
func (u *unpacker) entry(d descriptor, h *tar.Header, body io.Reader) error {
	name := h.Name
	refuseEntry := func(why string) error {
		return refuse(u.doc, "artifact.layer_entry", "build the image FROM scratch with one .wasm file and nothing else", "layer %s holds %q: %s", d.Digest, shorten(name, 200), why)
	}
	if strings.ContainsAny(name, "\\\x00") || slices.Contains(strings.Split(name, "/"), "..") {
		return refuseEntry("that path leads elsewhere")
	}
	clean := strings.TrimPrefix(path.Clean("/"+name), "/")
	if strings.HasPrefix(path.Base(clean), ".wh.") {
		return refuseEntry("a whiteout hides files of other layers")
	}
	isDir := h.Typeflag == tar.TypeDir
	if wasDir, again := u.paths[clean]; again && (!isDir || !wasDir) {
		return refuseEntry("that path is there twice")
	}
	u.paths[clean] = isDir
	if isDir || !strings.HasSuffix(strings.ToLower(clean), ".wasm") {
		return nil
	}
	switch {
	case h.Typeflag != tar.TypeReg || h.PAXRecords["GNU.sparse.major"] != "":
		return refuseEntry("a .wasm that is no regular file")
	case u.module != nil:
		return refuse(u.doc, "artifact.ambiguous", "publish the module alone", "its layers hold more than one .wasm file; %q is the second", shorten(name, 200))
	}
	var err error
	u.module, err = readBounded(body, fmt.Sprintf("module %q", shorten(name, 200)), h.Size, u.limits.module())
	u.layerDigest = d.Digest
	if err == nil && u.module == nil {
		u.module = []byte{}
	}
	return err
}
