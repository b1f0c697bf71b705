package oci_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/registry"
)

const repo = "acme/fn"

// config is a client's configuration that waits for nothing.
func config() oci.Config {
	return oci.Config{RetryWait: func(int) time.Duration { return 0 }}
}

func client(t *testing.T, c oci.Config) *oci.Client {
	t.Helper()
	made, err := oci.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func fetch(t *testing.T, c oci.Config, ref string) (*oci.Artifact, error) {
	t.Helper()
	parsed, err := oci.ParseRef(ref)
	if err != nil {
		t.Fatal(err)
	}
	return client(t, c).Fetch(context.Background(), parsed)
}

// mustFetch fails the test where fetching fails.
func mustFetch(t *testing.T, c oci.Config, ref string) *oci.Artifact {
	t.Helper()
	a, err := fetch(t, c, ref)
	if err != nil {
		t.Fatalf("Fetch(%s): %v", ref, err)
	}
	return a
}

// code is the dotted reason of an error, or its text.
func code(err error) string {
	var (
		ae *oci.ArtifactError
		le *oci.LimitError
		re *oci.RegistryError
		fe *oci.RefError
		ye *oci.LayoutError
	)
	switch {
	case err == nil:
		return "none"
	case errors.As(err, &ae):
		return ae.Code
	case errors.As(err, &le):
		return le.Limit
	case errors.As(err, &re):
		return re.Code
	case errors.As(err, &ye):
		return ye.Code
	case errors.As(err, &fe):
		return fe.Code
	}
	return err.Error()
}

// refused fetches and expects a reason.
func refused(t *testing.T, c oci.Config, ref, want string) string {
	t.Helper()
	a, err := fetch(t, c, ref)
	if got := code(err); got != want {
		t.Fatalf("Fetch(%s) = %v, reason %s (%v), want %s", ref, a, got, err, want)
	}
	if a != nil {
		t.Fatalf("Fetch(%s) returned an artifact beside the error", ref)
	}
	return err.Error()
}

func TestFetchCNCFWithBundle(t *testing.T) {
	t.Parallel()
	reg := registry.New(t)
	blobs := layout.Blobs{}
	top := blobs.CNCF(layout.Module, map[string]string{"org.opencontainers.image.title": "fn"})
	ref := blobs.Bundle(top, []byte(`{"b":1}`))
	reg.Put(repo, blobs, top.Named("v1"), ref)

	got := mustFetch(t, config(), reg.Host+"/"+repo+":v1")
	want := &oci.Artifact{
		Ref:    oci.Ref{Source: "registry", Registry: reg.Host, Repository: repo, Tag: "v1"},
		Digest: top.Digest, ManifestDigest: top.Digest, MediaType: layout.TypeManifest, Layout: oci.LayoutCNCF, Platform: "wasip1/wasm",
		ConfigDigest: got.ConfigDigest, LayerDigest: layout.Digest(layout.Module), ModuleDigest: layout.Digest(layout.Module), Module: layout.Module,
		Annotations: map[string]string{"org.opencontainers.image.title": "fn"},
		Evidence: []oci.Evidence{{
			Kind: oci.KindBundle, MediaType: layout.TypeBundle, Digest: layout.Digest([]byte(`{"b":1}`)), Subject: top.Digest,
			Manifest: ref.Digest, Source: oci.FromReferrers, Bytes: []byte(`{"b":1}`),
		}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(oci.Artifact{})); diff != "" {
		t.Errorf("Fetch (-want +got):\n%s", diff)
	}
	if h := got.Hashed(); !h.Is(got.ModuleDigest) || !bytes.Equal(h.Data(), layout.Module) {
		t.Errorf("Hashed = %d bytes of %s, want the module", h.Len(), h.Digest())
	}
	if reqs := reg.Requests(); strings.Count(paths(reqs), "/manifests/v1\n") != 1 {
		t.Errorf("the tag was asked for more than once:\n%s", paths(reqs))
	}
}

func paths(reqs []registry.Request) string {
	var b strings.Builder
	for _, r := range reqs {
		b.WriteString(r.Method + " " + r.Path + "\n")
	}
	return b.String()
}

func TestFetchFallbackTag(t *testing.T) {
	t.Parallel()
	reg := registry.New(t)
	reg.Referrers = false
	blobs := layout.Blobs{}
	top := blobs.Artifact(layout.Module)
	ref := blobs.Bundle(top, []byte("x"))
	ref.ArtifactType = layout.TypeEmpty // as GHCR's index has it
	reg.Put(repo, blobs, top, ref)
	index := blobs.Index(ref)
	reg.Put(repo, blobs, index.Named(layout.FallbackTag(top.Digest)))

	got := mustFetch(t, config(), reg.Host+"/"+repo+"@"+top.Digest)
	if len(got.Evidence) != 1 || got.Evidence[0].Source != oci.FromReferrersTag || got.Layout != oci.LayoutArtifact {
		t.Errorf("Evidence = %+v, layout %s, want one bundle from the fallback tag", got.Evidence, got.Layout)
	}
}

func TestFetchTagWithWrongDigest(t *testing.T) {
	t.Parallel()
	reg := registry.New(t)
	blobs := layout.Blobs{}
	one, two := blobs.CNCF(layout.Module, nil), blobs.Artifact(layout.Module)
	reg.Put(repo, blobs, one.Named("v1"), two)
	refused(t, config(), reg.Host+"/"+repo+":v1@"+two.Digest, "artifact.tag_digest")
	mustFetch(t, config(), reg.Host+"/"+repo+":v1@"+one.Digest)
}

func TestFetchFromLayout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	digest, err := layout.Write(dir, layout.Module, layout.Options{Tag: "v1", Bundles: [][]byte{[]byte("b")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"oci-layout:" + dir, "oci-layout:" + dir + ":v1", "oci-layout:" + dir + "@" + digest} {
		got := mustFetch(t, oci.Config{Offline: true}, ref)
		if got.Digest != digest || len(got.Evidence) != 1 || got.Evidence[0].Source != oci.FromLayout || string(got.Evidence[0].Bytes) != "b" {
			t.Errorf("Fetch(%s) = %s with %+v", ref, got.Digest, got.Evidence)
		}
	}
	refused(t, config(), "oci-layout:"+dir+":v2", "layout.not_found")
	refused(t, config(), "oci-layout:"+dir+"/no", "layout.not_found")
}

func TestFetchOffline(t *testing.T) {
	t.Parallel()
	touched := false
	c := oci.Config{Offline: true, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		touched = true
		return nil, errors.New("no")
	})}
	refused(t, c, "ghcr.io/acme/fn:v1", "registry.offline")
	if touched {
		t.Error("an offline client used its transport")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestFetchUnreachable(t *testing.T) {
	t.Parallel()
	reg := registry.New(t)
	reg.Server.Close()
	message := refused(t, config(), reg.Host+"/"+repo+":v1", "registry.unreachable")
	if strings.Contains(message, "\n") {
		t.Errorf("%q is more than one line", message)
	}
}
