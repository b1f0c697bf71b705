package oci_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
)

type (
	blobs = layout.Blobs
	desc  = layout.Descriptor
)

// saved writes blobs as a layout and gives a reference to top.
func saved(t *testing.T, b blobs, top desc) string {
	t.Helper()
	dir := t.TempDir()
	if err := b.Save(dir, top); err != nil {
		t.Fatal(err)
	}
	return "oci-layout:" + dir + "@" + top.Digest
}

// raw packs one layer under a config of the given type.
func raw(b blobs, configType, layerType string, module []byte) desc {
	config, layer := b.Add(configType, []byte(`{"x":1}`)), b.Add(layerType, module)
	return b.AddManifest(layout.Manifest{Config: &config, Layers: []desc{layer}})
}

func file(name string, body []byte) layout.File { return layout.File{Name: name, Body: body} }

func TestFetchEveryLayout(t *testing.T) {
	t.Parallel()
	m := layout.Module
	for _, tt := range []struct {
		name     string
		build    func(b blobs) desc
		layout   oci.Layout
		platform string
	}{
		{"CNCF", func(b blobs) desc { return b.CNCF(m, nil) }, oci.LayoutCNCF, "wasip1/wasm"},
		{"generic artifact", func(b blobs) desc { return b.Artifact(m) }, oci.LayoutArtifact, ""},
		{"wasm-to-oci and kubewarden", func(b blobs) desc {
			return raw(b, "application/vnd.wasm.config.v1+json", "application/vnd.wasm.content.layer.v1+wasm", m)
		}, oci.LayoutWasmToOCI, ""},
		{"solo and istio", func(b blobs) desc {
			return raw(b, "application/vnd.module.wasm.config.v1+json", "application/vnd.module.wasm.content.layer.v1+wasm", m)
		}, oci.LayoutSolo, ""},
		{"image, tar", func(b blobs) desc { return b.Image("wasi", "wasm", layout.TarLayer(file("fn.wasm", m))) }, oci.LayoutImage, "wasi/wasm"},
		{"image, two gzip layers", func(b blobs) desc {
			return b.Image("wasip1", "wasm", layout.GzipLayer(layout.File{Name: "etc/", Type: tar.TypeDir}, file("etc/passwd", []byte("x"))),
				layout.GzipLayer(layout.File{Name: "./etc", Type: tar.TypeDir}, file("./app/Fn.WASM", m)))
		}, oci.LayoutImage, "wasip1/wasm"},
		{"docker image", func(b blobs) desc {
			l := layout.GzipLayer(file("plugin.wasm", m))
			config := b.AddJSON("application/vnd.docker.container.image.v1+json", map[string]any{"os": "wasi", "architecture": "wasm"})
			layer := b.Add(layout.TypeDockerTarGz, l.Blob)
			return b.AddManifest(layout.Manifest{MediaType: layout.TypeDockerManifest, Config: &config, Layers: []desc{layer}})
		}, oci.LayoutImage, "wasi/wasm"},
		{"index with a wasi/wasm child", func(b blobs) desc {
			attestation := b.Artifact([]byte("no module")).For("unknown", "unknown").Annotated("vnd.docker.reference.type", "attestation-manifest")
			return b.Index(b.Image("linux", "amd64").For("linux", "amd64"), b.Image("wasi", "wasm", layout.GzipLayer(file("a.wasm", m))).For("wasi", "wasm"), attestation)
		}, oci.LayoutImage, "wasi/wasm"},
		{"index with a CNCF child", func(b blobs) desc { return b.Index(b.CNCF(m, nil).For("wasip1", "wasm")) }, oci.LayoutCNCF, "wasip1/wasm"},
		{"docker manifest list", func(b blobs) desc {
			child := b.CNCF(m, nil).For("wasip1", "wasm")
			return b.AddManifest(layout.Manifest{MediaType: layout.TypeDockerList, Manifests: []desc{child}})
		}, oci.LayoutCNCF, "wasip1/wasm"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := blobs{}
			top := tt.build(b)
			got := mustFetch(t, config(), saved(t, b, top))
			if got.Layout != tt.layout || got.Platform != tt.platform || !bytes.Equal(got.Module, m) {
				t.Errorf("layout %s, platform %q, module %q; want %s, %q", got.Layout, got.Platform, got.Module, tt.layout, tt.platform)
			}
			if got.ModuleDigest != layout.Digest(m) || got.Digest != top.Digest || !bytes.Contains(b[got.ManifestDigest], []byte(got.LayerDigest)) {
				t.Errorf("digests do not fit: %+v", got)
			}
			if len(got.Subjects()) == 2 != (got.Digest != got.ManifestDigest) {
				t.Errorf("Subjects() = %v", got.Subjects())
			}
		})
	}
}

func TestFetchRefusesWhatIsNoModule(t *testing.T) {
	t.Parallel()
	m := layout.Module
	component := []byte("\x00asm\x0d\x00\x01\x00")
	image := func(files ...layout.File) func(b blobs) desc {
		return func(b blobs) desc { return b.Image("wasi", "wasm", layout.GzipLayer(files...)) }
	}
	imageOf := func(mediaType string) func(b blobs) desc {
		return func(b blobs) desc {
			return b.Image("wasi", "wasm", layout.Layer{MediaType: mediaType, Blob: []byte("x"), Plain: []byte("x")})
		}
	}
	for _, tt := range []struct {
		name  string
		build func(b blobs) desc
		code  string
	}{
		{"component by its bytes", func(b blobs) desc { return b.CNCF(component, nil) }, "module.component"},
		{"component by its config", func(b blobs) desc {
			layer := b.Add(layout.TypeWasm, component)
			config := b.AddJSON(layout.TypeWasmConfig, map[string]any{"architecture": "wasm", "os": "wasip2", "layerDigests": []string{layer.Digest}})
			return b.AddManifest(layout.Manifest{Config: &config, Layers: []desc{layer}})
		}, "module.component"},
		{"runwasi component layer", imageOf("application/vnd.bytecodealliance.wasm.component.layer.v0+wasm"), "module.component"},
		{"text as module", func(b blobs) desc { return b.CNCF([]byte("#!/bin/sh\n"), nil) }, "module.malformed"},
		{"empty module", func(b blobs) desc { return b.CNCF(nil, nil) }, "module.malformed"},
		{"two CNCF layers", func(b blobs) desc {
			layer, other := b.Add(layout.TypeWasm, m), b.Add(layout.TypeWasm, []byte("\x00asm\x01\x00\x00\x00\x00"))
			config := b.AddJSON(layout.TypeWasmConfig, map[string]any{"architecture": "wasm", "os": "wasip1", "layerDigests": []string{layer.Digest}})
			return b.AddManifest(layout.Manifest{Config: &config, Layers: []desc{layer, other}})
		}, "artifact.ambiguous"},
		{"no layer", func(b blobs) desc {
			return b.AddManifest(layout.Manifest{ArtifactType: "a/b", Config: b.Empty()})
		}, "artifact.ambiguous"},
		{"CNCF layerDigests of another layer", func(b blobs) desc {
			layer := b.Add(layout.TypeWasm, m)
			config := b.AddJSON(layout.TypeWasmConfig, map[string]any{"architecture": "wasm", "os": "wasip1", "layerDigests": []string{layout.Digest([]byte("other"))}})
			return b.AddManifest(layout.Manifest{Config: &config, Layers: []desc{layer}})
		}, "artifact.layer_digests"},
		{"CNCF without layerDigests", func(b blobs) desc {
			return raw(b, layout.TypeWasmConfig, layout.TypeWasm, m)
		}, "artifact.platform"},
		{"wasm in a tar-typed layer", func(b blobs) desc {
			layer := b.Add(layout.TypeTar, m)
			return b.AddManifest(layout.Manifest{ArtifactType: "application/vnd.unknown.artifact.v1", Config: b.Empty(), Layers: []desc{layer}})
		}, "artifact.layout"},
		{"helm chart", func(b blobs) desc {
			return raw(b, "application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip", m)
		}, "artifact.layout"},
		{"CNCF config on a kubewarden layer", func(b blobs) desc {
			return raw(b, layout.TypeWasmConfig, "application/vnd.wasm.content.layer.v1+wasm", m)
		}, "artifact.layout"},
		{"empty config without artifactType", func(b blobs) desc {
			return b.AddManifest(layout.Manifest{Config: b.Empty(), Layers: []desc{b.Add(layout.TypeWasm, m)}})
		}, "artifact.layout"},
		{"empty config that is not", func(b blobs) desc {
			config := b.Add(layout.TypeEmpty, []byte(`{ }`))
			return b.AddManifest(layout.Manifest{ArtifactType: "a/b", Config: &config, Layers: []desc{b.Add(layout.TypeWasm, m)}})
		}, "artifact.malformed"},
		{"a signature", func(b blobs) desc { return b.Bundle(b.CNCF(m, nil), []byte("x")) }, "artifact.layout"},
		{"layer with urls", func(b blobs) desc {
			layer := b.Add(layout.TypeWasm, m)
			layer.URLs = []string{"https://elsewhere.example"}
			return b.AddManifest(layout.Manifest{ArtifactType: "a/b", Config: b.Empty(), Layers: []desc{layer}})
		}, "artifact.foreign_layer"},
		{"js/wasm in a manifest list, as kpt alpha wasm push has it", func(b blobs) desc {
			child := b.Image("js", "wasm", layout.GzipLayer(file("main.wasm", m))).For("js", "wasm")
			return b.AddManifest(layout.Manifest{MediaType: layout.TypeDockerList, Manifests: []desc{child}})
		}, "artifact.js_wasm"},
		{"js/wasm image", func(b blobs) desc { return b.Image("js", "wasm", layout.GzipLayer(file("main.wasm", m))) }, "artifact.js_wasm"},
		{"linux image", func(b blobs) desc { return b.Image("linux", "amd64", layout.GzipLayer(file("fn.wasm", m))) }, "artifact.platform"},
		{"index without wasm", func(b blobs) desc { return b.Index(b.CNCF(m, nil).For("linux", "amd64")) }, "artifact.no_module"},
		{"index with a child of no platform", func(b blobs) desc { return b.Index(b.CNCF(m, nil)) }, "artifact.no_module"},
		{"index with two children", func(b blobs) desc {
			return b.Index(b.CNCF(m, nil).For("wasi", "wasm"), b.Artifact(m).For("wasip1", "wasm"))
		}, "artifact.ambiguous"},
		{"empty index", func(b blobs) desc { return b.Index() }, "artifact.no_module"},
		{"nested index", func(b blobs) desc {
			return b.Index(b.Index(b.CNCF(m, nil).For("wasi", "wasm")).For("wasi", "wasm"))
		}, "artifact.nested_index"},
		{"child of another size", func(b blobs) desc {
			child := b.CNCF(m, nil).For("wasi", "wasm")
			child.Size++
			return b.Index(child)
		}, "artifact.size"},
		{"child of another type", func(b blobs) desc {
			child := b.CNCF(m, nil).For("wasi", "wasm")
			child.MediaType = layout.TypeDockerManifest
			return b.Index(child)
		}, "artifact.media_type"},
		{"index and image disagree", func(b blobs) desc {
			return b.Index(b.Image("wasip1", "wasm", layout.GzipLayer(file("a.wasm", m))).For("wasi", "wasm"))
		}, "artifact.platform"},
		{"image without wasm", image(file("readme.txt", m)), "artifact.no_module"},
		{"image with two wasm files", image(file("a.wasm", m), file("b.WASM", m)), "artifact.ambiguous"},
		{"image with two wasm files in two layers", func(b blobs) desc {
			return b.Image("wasi", "wasm", layout.TarLayer(file("a.wasm", m)), layout.TarLayer(file("b.wasm", m)))
		}, "artifact.ambiguous"},
		{"image with one path twice", image(file("a.wasm", m), file("./x/../a.wasm", m)), "artifact.layer_entry"},
		{"image with one path twice, spelled otherwise", image(file("a.wasm", m), file(".//a.wasm", m)), "artifact.layer_entry"},
		{"image with a file over a directory", image(layout.File{Name: "x", Type: tar.TypeDir}, file("x", m), file("a.wasm", m)), "artifact.layer_entry"},
		{"image with a whiteout", image(file("a.wasm", m), file(".wh.b.wasm", nil)), "artifact.layer_entry"},
		{"image with an opaque whiteout", image(file("a.wasm", m), file("x/.wh..wh..opq", nil)), "artifact.layer_entry"},
		{"image with a path that leads out", image(file("../a.wasm", m)), "artifact.layer_entry"},
		{"image with a hidden path that leads out", image(file("x/../../a.wasm", m)), "artifact.layer_entry"},
		{"image with a backslash", image(file("x\\a.wasm", m)), "artifact.layer_entry"},
		{"image with a symlink for a module", image(layout.File{Name: "a.wasm", Type: tar.TypeSymlink, Link: "/etc/passwd"}), "artifact.layer_entry"},
		{"image with a hard link for a module", image(file("x", m), layout.File{Name: "a.wasm", Type: tar.TypeLink, Link: "x"}), "artifact.layer_entry"},
		{"image with a device for a module", image(layout.File{Name: "a.wasm", Type: tar.TypeChar}), "artifact.layer_entry"},
		{"image of component", image(file("a.wasm", component)), "module.component"},
		{"zstd layer", imageOf("application/vnd.oci.image.layer.v1.tar+zstd"), "artifact.zstd_layer"},
		{"encrypted layer", imageOf("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"), "artifact.encrypted_layer"},
		{"foreign layer", imageOf("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), "artifact.foreign_layer"},
		{"nondistributable layer", imageOf("application/vnd.oci.image.layer.nondistributable.v1.tar"), "artifact.foreign_layer"},
		{"gzip that is none", imageOf(layout.TypeTarGzip), "artifact.malformed"},
		{"tar that is none", imageOf(layout.TypeTar), "artifact.malformed"},
		{"gzip cut short", func(b blobs) desc {
			l := layout.GzipLayer(file("a.wasm", bytes.Repeat(m, 9)))
			l.Blob = l.Blob[:len(l.Blob)-9]
			return b.Image("wasi", "wasm", l)
		}, "artifact.malformed"},
		{"diff_ids of other layers", func(b blobs) desc {
			l := layout.GzipLayer(file("a.wasm", m))
			l.Plain = nil
			return b.Image("wasi", "wasm", l)
		}, "artifact.layer_digests"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := blobs{}
			refused(t, config(), saved(t, b, tt.build(b)), tt.code)
		})
	}
}

// TestFetchImageLayerSwapped: a layer that was replaced by another well-formed one is found out by its digest, also where the config
// says nothing of its content, and what it held is not used.
func TestFetchImageLayerSwapped(t *testing.T) {
	t.Parallel()
	for _, tail := range []bool{false, true} {
		b := blobs{}
		good, evil := layout.Tar(file("a.wasm", layout.Module)), layout.Tar(file("a.wasm", []byte("\x00asm\x01\x00\x00\x00\x00\x01\x00")))
		if tail { // only what follows the archive's end differs
			good = append(good, make([]byte, 512)...)
			evil = append(append([]byte{}, good[:len(good)-1]...), 'x')
		}
		if len(good) != len(evil) {
			t.Fatal("the two layers are not of the same size")
		}
		config0, layer := b.AddJSON(layout.TypeImageConfig, map[string]any{"os": "wasi", "architecture": "wasm"}), b.Add(layout.TypeTar, good)
		top := b.AddManifest(layout.Manifest{Config: &config0, Layers: []desc{layer}})
		mustFetch(t, config(), saved(t, b, top))
		b[layer.Digest] = evil
		refused(t, config(), saved(t, b, top), "artifact.digest_mismatch")
	}
}

func TestFetchPlatformOnRequest(t *testing.T) {
	t.Parallel()
	b := blobs{}
	child := b.Image("js", "wasm", layout.GzipLayer(file("main.wasm", layout.Module))).For("js", "wasm")
	c := config()
	c.Platform = "js/wasm"
	if got := mustFetch(t, c, saved(t, b, b.Index(child))); got.Platform != "js/wasm" {
		t.Errorf("Platform = %q", got.Platform)
	}
}

func TestFetchBombsEndAtTheLimit(t *testing.T) {
	t.Parallel()
	small := oci.Limits{ModuleBytes: 1 << 10, UnpackedBytes: 64 << 10, UnpackedFiles: 20, LayerBytes: 8 << 10, Layers: 3, ConfigBytes: 512, ManifestBytes: 4 << 10, IndexEntries: 5}
	zeros := make([]byte, 1<<20)
	many := func(n int) []layout.File {
		var files []layout.File
		for i := range n {
			files = append(files, file(fmt.Sprintf("f%d", i), nil))
		}
		return files
	}
	for _, tt := range []struct {
		name  string
		build func(b blobs) desc
		limit string
	}{
		{"gzip bomb in a file that is skipped", func(b blobs) desc { return b.Image("wasi", "wasm", layout.GzipLayer(file("zeros", zeros))) }, "limit.unpacked_bytes"},
		{"gzip bomb after the archive's end", func(b blobs) desc {
			l := layout.GzipLayer(file("a.wasm", layout.Module))
			l.Blob = append(l.Blob, layout.Gzip(zeros)...)
			return b.Image("wasi", "wasm", l)
		}, "limit.unpacked_bytes"},
		{"many entries", func(b blobs) desc { return b.Image("wasi", "wasm", layout.GzipLayer(many(21)...)) }, "limit.unpacked_files"},
		{"many entries over two layers", func(b blobs) desc {
			return b.Image("wasi", "wasm", layout.GzipLayer(many(15)...), layout.GzipLayer(file("x", nil), file("y", nil), file("z", nil), file("u", nil), file("v", nil), file("w", nil)))
		}, "limit.unpacked_files"},
		{"large module in an image", func(b blobs) desc {
			return b.Image("wasi", "wasm", layout.GzipLayer(file("a.wasm", zeros[:2<<10])))
		}, "limit.module_bytes"},
		{"large layer", func(b blobs) desc { return b.Image("wasi", "wasm", layout.TarLayer(file("a.wasm", zeros[:9<<10]))) }, "limit.layer_bytes"},
		{"large module", func(b blobs) desc { return b.CNCF(zeros[:2<<10], nil) }, "limit.module_bytes"},
		{"large config", func(b blobs) desc {
			config, layer := b.Add(layout.TypeWasmConfig, zeros[:600]), b.Add(layout.TypeWasm, layout.Module)
			return b.AddManifest(layout.Manifest{Config: &config, Layers: []desc{layer}})
		}, "limit.config_bytes"},
		{"large manifest", func(b blobs) desc {
			return b.CNCF(layout.Module, map[string]string{"a": strings.Repeat("x", 5<<10)})
		}, "limit.manifest_bytes"},
		{"many layers", func(b blobs) desc {
			l := layout.TarLayer(file("a.wasm", layout.Module))
			return b.Image("wasi", "wasm", l, l, l, l)
		}, "limit.layers"},
		{"many children", func(b blobs) desc {
			c := b.CNCF(layout.Module, nil)
			return b.Index(c, c, c, c, c, c)
		}, "limit.index_entries"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := blobs{}
			c := config()
			c.Limits = small
			message := refused(t, c, saved(t, b, tt.build(b)), tt.limit)
			if !strings.Contains(message, tt.limit) {
				t.Errorf("%q does not name the limit", message)
			}
		})
	}
}

func TestFetchRefusesConfusedManifests(t *testing.T) {
	t.Parallel()
	m := layout.Module
	manifestOf := func(b blobs) (config, layer desc, good string) {
		top := b.CNCF(m, nil)
		return b.Add(layout.TypeWasmConfig, []byte("{}")), b.Add(layout.TypeWasm, m), string(b[top.Digest])
	}
	for _, tt := range []struct {
		name string
		body func(good string, child desc) string
		kind string // media type in index.json
		code string
	}{
		{"manifest that is an index too", func(good string, _ desc) string { return strings.Replace(good, "{", `{"manifests":[],`, 1) }, layout.TypeManifest, "artifact.type_confusion"},
		{"index that is a manifest too", func(good string, _ desc) string {
			return strings.Replace(good, layout.TypeManifest, layout.TypeIndex, 1)
		}, layout.TypeIndex, "artifact.type_confusion"},
		{"layers twice", func(good string, _ desc) string { return strings.Replace(good, "{", `{"layers":[],`, 1) }, layout.TypeManifest, "artifact.malformed"},
		{"layers twice in another case", func(good string, _ desc) string { return strings.Replace(good, "{", `{"Layers":[],`, 1) }, layout.TypeManifest, "artifact.malformed"},
		{"digest twice in a layer", func(good string, _ desc) string {
			return strings.Replace(good, `"digest":`, `"digest":"sha256:`+hexD+`","digest":`, 1)
		}, layout.TypeManifest, "artifact.malformed"},
		{"two documents", func(good string, _ desc) string { return good + good }, layout.TypeManifest, "artifact.malformed"},
		{"not JSON", func(string, desc) string { return "PK\x03\x04" }, layout.TypeManifest, "artifact.malformed"},
		{"a list", func(string, desc) string { return "[]" }, layout.TypeManifest, "artifact.malformed"},
		{"null", func(string, desc) string { return "null" }, layout.TypeManifest, "artifact.media_type"},
		{"cut short", func(good string, _ desc) string { return good[:len(good)-3] }, layout.TypeManifest, "artifact.malformed"},
		{"deep nesting", func(good string, _ desc) string {
			return strings.Replace(good, "{", `{"x":`+strings.Repeat("[", 99)+strings.Repeat("]", 99)+",", 1)
		}, layout.TypeManifest, "limit.document_depth"},
		{"announced as something else", func(good string, _ desc) string { return good }, layout.TypeDockerManifest, "artifact.media_type"},
		{"schema version 1", func(good string, _ desc) string {
			return strings.Replace(good, `"schemaVersion":2`, `"schemaVersion":1`, 1)
		}, layout.TypeManifest, "artifact.media_type"},
		{"unknown type", func(good string, _ desc) string { return strings.Replace(good, layout.TypeManifest, "text/html", 1) }, "text/html", "artifact.media_type"},
		{"sha512 layer", func(good string, _ desc) string {
			return strings.Replace(good, `"digest":"sha256:`, `"digest":"sha512:`, 1)
		}, layout.TypeManifest, "artifact.malformed"},
		{"negative size", func(good string, _ desc) string { return strings.Replace(good, `"size":`, `"size":-`, 1) }, layout.TypeManifest, "artifact.malformed"},
		{"digest that is a path", func(good string, _ desc) string {
			return strings.Replace(good, `"digest":"sha256:`, `"digest":"sha256:../../`, 1)
		}, layout.TypeManifest, "artifact.malformed"},
		{"no config", func(string, desc) string {
			return `{"schemaVersion":2,"mediaType":"` + layout.TypeManifest + `","layers":[]}`
		}, layout.TypeManifest, "artifact.malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := blobs{}
			_, layer, good := manifestOf(b)
			body := tt.body(good, layer)
			if body == good && tt.kind == layout.TypeManifest {
				t.Fatal("the case changes nothing")
			}
			dir := t.TempDir()
			if err := b.Save(dir, b.Add(tt.kind, []byte(body)).Named("v1")); err != nil {
				t.Fatal(err)
			}
			refused(t, config(), "oci-layout:"+dir+":v1", tt.code)
		})
	}
}
