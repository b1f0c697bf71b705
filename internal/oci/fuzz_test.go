package oci_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
)

// serve answers manifests and blobs from memory, by what their path ends in.
func serve(manifest []byte, mediaType string, b blobs) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		resp := &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: http.NoBody, Request: r, ContentLength: -1, ProtoMajor: 1}
		answer := func(t string, body []byte) (*http.Response, error) {
			resp.StatusCode, resp.Body = http.StatusOK, io.NopCloser(bytes.NewReader(body))
			resp.Header.Set("Content-Type", t)
			return resp, nil
		}
		last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		if body, ok := b[last]; ok {
			return answer("application/octet-stream", body)
		}
		if strings.HasSuffix(r.URL.Path, "/manifests/v1") {
			return answer(mediaType, manifest)
		}
		return resp, nil
	}
}

// FuzzFetch feeds a manifest and a layer to Fetch. The property: it gives an error or an artifact, never both; the artifact is a core
// module whose bytes are in the layer and whose digests are those of its bytes.
func FuzzFetch(f *testing.F) {
	b := blobs{}
	for _, d := range []desc{
		b.CNCF(layout.Module, nil), b.Artifact(layout.Module), b.Image("wasi", "wasm", layout.TarLayer(file("a.wasm", layout.Module))), b.Index(b.CNCF(layout.Module, nil).For("wasi", "wasm")),
	} {
		f.Add(b[d.Digest], layout.Module, d.MediaType)
	}
	tar := layout.Tar(file("a.wasm", layout.Module))
	f.Add([]byte(`{}`), tar, "")
	f.Add([]byte(`{"a":{"A":1,"a":2}}`), layout.Gzip(tar), layout.TypeManifest)
	limits := oci.Limits{ModuleBytes: 1 << 16, LayerBytes: 1 << 16, UnpackedBytes: 1 << 18, UnpackedFiles: 100}
	f.Fuzz(func(t *testing.T, manifest, layer []byte, mediaType string) {
		content := blobs{}
		for k, v := range b {
			content[k] = v
		}
		content.Add("", layer)
		// The same layer behind manifests that are known to be good, so that the unpacker sees it too.
		tops := [][]byte{manifest}
		for _, kind := range []string{layout.TypeTar, layout.TypeTarGzip} {
			config := content.AddJSON(layout.TypeImageConfig, map[string]any{"os": "wasi", "architecture": "wasm"})
			tops = append(tops, content[content.AddManifest(layout.Manifest{Config: &config, Layers: []desc{content.Add(kind, layer)}}).Digest])
			mediaType = strings.Map(func(r rune) rune {
				if r < ' ' || r > '~' {
					return -1
				}
				return r
			}, mediaType)
		}
		for _, top := range tops {
			client, err := oci.New(oci.Config{Transport: serve(top, mediaType, content), Limits: limits, Retries: -1})
			if err != nil {
				t.Fatal(err)
			}
			ref, err := oci.ParseRef("registry.example/a:v1")
			if err != nil {
				t.Fatal(err)
			}
			a, err := client.Fetch(context.Background(), ref)
			if (a == nil) == (err == nil) {
				t.Fatalf("Fetch = %v, %v", a, err)
			}
			if err != nil {
				if strings.ContainsAny(err.Error(), "\n\x1b") {
					t.Fatalf("the message is not one clean line: %q", err)
				}
				var re *oci.RegistryError
				if code(err) == err.Error() && !errors.As(err, &re) {
					t.Fatalf("the error has no code: %T %v", err, err)
				}
				continue
			}
			if !bytes.HasPrefix(a.Module, layout.Module) || layout.Digest(a.Module) != a.ModuleDigest || a.Digest != layout.Digest(top) {
				t.Fatalf("artifact %+v does not hold what it says", a)
			}
		}
	})
}
