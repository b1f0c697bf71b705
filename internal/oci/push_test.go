package oci_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/registry"
)

func parse(t *testing.T, s string) oci.Ref {
	t.Helper()
	ref, err := oci.ParseRef(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func push(t *testing.T, ref string, module []byte, opts oci.PushOptions) string {
	t.Helper()
	digest, err := client(t, config()).Push(context.Background(), parse(t, ref), module, opts)
	if err != nil {
		t.Fatalf("Push(%s): %v", ref, err)
	}
	return digest
}

// TestPushFetch pushes to each kind of place and fetches what was pushed.
func TestPushFetch(t *testing.T) {
	t.Parallel()
	ours := registry.New(t)
	theirs := httptest.NewServer(ggcr.New(ggcr.WithReferrersSupport(true), ggcr.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(theirs.Close)
	opts := oci.PushOptions{Annotations: map[string]string{"org.opencontainers.image.source": "https://example.com"}}
	var digests []string
	for _, to := range []string{ours.Host + "/acme/fn:v1", strings.TrimPrefix(theirs.URL, "http://") + "/acme/fn:v1", "oci-layout:" + filepath.Join(t.TempDir(), "a", "b") + ":v1", "oci-layout:" + filepath.Join(t.TempDir(), "out")} {
		digest := push(t, to, layout.Module, opts)
		digests = append(digests, digest)
		if again := push(t, to, layout.Module, opts); again != digest {
			t.Errorf("the second push to %s gave %s, the first %s", to, again, digest)
		}
		got := mustFetch(t, config(), to)
		if got.Digest != digest || got.Layout != oci.LayoutCNCF || !cmp.Equal(got.Annotations, opts.Annotations) || !bytes.Equal(got.Module, layout.Module) {
			t.Errorf("%s: got %+v", to, got)
		}
	}
	if len(slices.Compact(slices.Clone(digests))) != 1 {
		t.Errorf("the same module has different digests: %v", digests)
	}
}

func TestPushMovesNameInLayout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one := push(t, "oci-layout:"+dir+":v1", layout.Module, oci.PushOptions{})
	two := push(t, "oci-layout:"+dir+":v2", layout.Module, oci.PushOptions{Created: time.Unix(1, 0)})
	moved := push(t, "oci-layout:"+dir+":v1", layout.Module, oci.PushOptions{Created: time.Unix(2, 0)})
	if one == two || two == moved {
		t.Fatal("the digests do not differ")
	}
	if got := mustFetch(t, config(), "oci-layout:"+dir+":v1"); got.Digest != moved {
		t.Errorf("v1 is %s, want %s", got.Digest, moved)
	}
	if got := mustFetch(t, config(), "oci-layout:"+dir+":v2"); got.Digest != two {
		t.Errorf("v2 is %s, want %s", got.Digest, two)
	}
}

func TestPushRefuses(t *testing.T) {
	t.Parallel()
	occupied := t.TempDir()
	if err := os.WriteFile(filepath.Join(occupied, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	reg := registry.New(t)
	reg.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return false
		}
		registry.Fail(w, 403, "DENIED")
		return true
	}
	c := config()
	c.Limits.ModuleBytes = 100
	offline := config()
	offline.Offline = true
	for _, tt := range []struct {
		name   string
		config oci.Config
		ref    string
		module []byte
		want   string
	}{
		{"digest", c, "ghcr.io/acme/fn:v1@sha256:" + hexD, layout.Module, "ref.digest"},
		{"component", c, "oci-layout:" + t.TempDir(), []byte("\x00asm\x0d\x00\x01\x00"), "module.component"},
		{"no module", c, "oci-layout:" + t.TempDir(), []byte("#!"), "module.malformed"},
		{"too large", c, "oci-layout:" + t.TempDir(), make([]byte, 101), "limit.module_bytes"},
		{"someone's directory", c, "oci-layout:" + occupied, layout.Module, "layout.not_a_layout"},
		{"offline", offline, "ghcr.io/acme/fn:v1", layout.Module, "registry.offline"},
		{"denied", c, reg.Host + "/acme/fn:v1", layout.Module, "registry.forbidden"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			digest, err := client(t, tt.config).Push(context.Background(), parse(t, tt.ref), tt.module, oci.PushOptions{})
			if code(err) != tt.want || digest != "" {
				t.Errorf("Push = %q, %v, want %s", digest, err, tt.want)
			}
		})
	}
	if names, err := os.ReadDir(occupied); err != nil || len(names) != 1 {
		t.Errorf("the directory now holds %v, %v", names, err)
	}
}

// TestPushCredentialsStayHome: a registry cannot have an upload, with its credentials, sent elsewhere.
func TestPushCredentialsStayHome(t *testing.T) {
	t.Parallel()
	for name, location := range map[string]string{"other host": "https://evil.example/upload", "plain HTTP": "http://registry.example/upload"} {
		w := &world{}
		reg := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			switch {
			case r.Header.Get("Authorization") == "":
				rw.Header().Set("Www-Authenticate", `Basic realm="x"`)
				registry.Fail(rw, 401, "UNAUTHORIZED")
			case r.Method == http.MethodPost:
				rw.Header().Set("Location", location)
				rw.WriteHeader(http.StatusAccepted)
			default:
				registry.Fail(rw, 404, "BLOB_UNKNOWN")
			}
		})
		w.hosts = map[string]http.Handler{"https://registry.example": reg, "https://evil.example": reg, "http://registry.example": reg}
		c := config()
		c.Transport, c.CredentialFiles = w, []string{credentialFile(t, `{"auths":{"registry.example":{"auth":%q}}}`, basic("ann", "secret"))}
		if _, err := client(t, c).Push(context.Background(), parse(t, "registry.example/acme/fn:v1"), layout.Module, oci.PushOptions{}); err == nil {
			t.Errorf("%s: Push succeeded", name)
		}
		if leaks := w.leaked("https://registry.example/"); len(leaks) > 0 {
			t.Errorf("%s: credentials went to %v", name, leaks)
		}
	}
}

// TestPullRoundTrip holds that a pulled layout is as good as the registry it came from, for every layout and kind of evidence.
func TestPullRoundTrip(t *testing.T) {
	t.Parallel()
	reg, b := registry.New(t), blobs{}
	cncf := b.CNCF(layout.Module, map[string]string{"a": "b"})
	child := b.Image("wasi", "wasm", layout.GzipLayer(file("etc/x", []byte("x"))), layout.GzipLayer(file("fn.wasm", layout.Module))).For("wasi", "wasm")
	index := b.Index(child, b.Image("linux", "amd64").For("linux", "amd64"))
	unsigned := b.Artifact(layout.Module)
	sig := func(of desc, kind, body, suffix string) desc {
		return b.Legacy(b.Add(kind, []byte(body)).Annotated("sig", body)).Named(layout.FallbackTag(of.Digest) + suffix)
	}
	all := []desc{
		cncf.Named("cncf"), b.Bundle(cncf, []byte("b1")), b.Bundle(cncf, []byte("b2")), sig(cncf, layout.TypeSimpleSigning, "s1", ".sig"), sig(cncf, layout.TypeDSSE, "a1", ".att"),
		index.Named("index"), child, b.Bundle(index, []byte("b3")), b.Bundle(child, []byte("b4")), sig(index, layout.TypeSimpleSigning, "s2", ".sig"), sig(child, layout.TypeSimpleSigning, "s3", ".sig"),
		unsigned.Named("unsigned"),
	}
	reg.Put(repo, b, all...)
	sortEvidence := cmpopts.SortSlices(func(a, b oci.Evidence) int { return strings.Compare(string(a.Bytes), string(b.Bytes)) })
	for _, tt := range []struct {
		name     string
		evidence int
	}{{"cncf", 4}, {"index", 4}, {"unsigned", 0}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ref := reg.Host + "/" + repo + ":" + tt.name
			dir := filepath.Join(t.TempDir(), "deep", "out")
			pulled, err := client(t, config()).Pull(context.Background(), parse(t, ref), dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(pulled.Evidence) != tt.evidence {
				t.Fatalf("evidence %s", kinds(pulled))
			}
			offline := config()
			offline.Offline = true
			for _, from := range []string{"oci-layout:" + dir, "oci-layout:" + dir + ":" + tt.name, "oci-layout:" + dir + "@" + pulled.Digest} {
				got := mustFetch(t, offline, from)
				if diff := cmp.Diff(pulled, got, cmpopts.IgnoreUnexported(oci.Artifact{}), cmpopts.IgnoreFields(oci.Artifact{}, "Ref"), cmpopts.IgnoreFields(oci.Evidence{}, "Source"), sortEvidence); diff != "" {
					t.Errorf("%s (-pulled +fetched):\n%s", from, diff)
				}
			}
			// A layout can be pulled from in turn.
			second := filepath.Join(t.TempDir(), "second")
			again, err := client(t, offline).Pull(context.Background(), parse(t, "oci-layout:"+dir), second)
			if err != nil || again.Digest != pulled.Digest || len(again.Evidence) != tt.evidence {
				t.Errorf("Pull from the layout = %+v, %v", again, err)
			}
			if rest, err := filepath.Glob(filepath.Join(filepath.Dir(dir), ".krmsafe-*")); err != nil || len(rest) > 0 {
				t.Errorf("left behind: %v, %v", rest, err)
			}
		})
	}
}

// TestPullIsAllOrNothing: a pull that fails leaves no trace.
func TestPullIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for name, path := range endpoints {
		s := newSigned(t)
		s.reg.Before = registry.On(path, func(w http.ResponseWriter, _ *http.Request) { registry.Fail(w, 500, "X") })
		parent := t.TempDir()
		if _, err := client(t, config()).Pull(context.Background(), parse(t, s.ref()), filepath.Join(parent, "out")); code(err) != "registry.server" {
			t.Errorf("%s: Pull = %v", name, err)
		}
		if names, err := os.ReadDir(parent); err != nil || len(names) > 0 {
			t.Errorf("%s: the directory holds %v, %v", name, names, err)
		}
	}
	s := newSigned(t)
	occupied := t.TempDir()
	if err := os.WriteFile(filepath.Join(occupied, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := client(t, config()).Pull(context.Background(), parse(t, s.ref()), occupied); code(err) != "layout.exists" {
		t.Errorf("Pull into an occupied directory = %v", err)
	}
	if _, err := client(t, config()).Pull(context.Background(), parse(t, s.ref()), t.TempDir()); err != nil {
		t.Errorf("Pull into an empty directory = %v", err)
	}
}

// TestPullBoundsManifests: what is kept of manifests in search of evidence is bounded, in a registry as in a layout.
func TestPullBoundsManifests(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	entries := []desc{s.top}
	for i := range 8 {
		d := s.blobs.AddManifest(layout.Manifest{
			Config: s.blobs.Empty(), Layers: []desc{s.blobs.Add("text/plain", []byte("sbom"))}, Annotations: map[string]string{"n": fmt.Sprint(i, strings.Repeat("x", 1000))},
			Subject: &desc{MediaType: s.top.MediaType, Digest: s.top.Digest, Size: s.top.Size},
		})
		s.put(d)
		entries = append(entries, d)
	}
	c := config()
	c.Limits.EvidenceTotal, c.Limits.ManifestBytes = 4<<10, 4<<10
	s.reg.PageSize = 2
	parent := t.TempDir()
	if _, err := client(t, c).Pull(context.Background(), parse(t, s.ref()), filepath.Join(parent, "out")); code(err) != "limit.evidence_total" {
		t.Errorf("Pull = %v", err)
	}
	dir := filepath.Join(parent, "layout")
	if err := s.blobs.Save(dir, entries...); err != nil {
		t.Fatal(err)
	}
	refused(t, c, "oci-layout:"+dir+"@"+s.top.Digest, "limit.evidence_total")
}

// TestPullLeavesBadCandidatesOut: rubbish beside a good bundle does not reach the layout.
func TestPullLeavesBadCandidatesOut(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	bad := s.blobs.Bundle(s.top, []byte("12345"))
	s.blobs[layout.Digest([]byte("12345"))] = []byte("54321")
	s.put(bad)
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := client(t, config()).Pull(context.Background(), parse(t, s.ref()), dir); err != nil {
		t.Fatal(err)
	}
	got := mustFetch(t, config(), "oci-layout:"+dir)
	if kinds(got) != "bundle oci-layout bundle" || len(got.Rejected) != 0 {
		t.Errorf("evidence %s, rejected %s", kinds(got), codes(got))
	}
	files, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil || layout.Digest(b) != "sha256:"+filepath.Base(f) {
			t.Errorf("%s does not hold what its name says (%v)", filepath.Base(f), err)
		}
	}
}

// TestRealRegistry runs against go-containerregistry's implementation, with and without the Referrers API.
func TestRealRegistry(t *testing.T) {
	t.Parallel()
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprintf("referrers API %v", api), func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(ggcr.New(ggcr.WithReferrersSupport(api), ggcr.Logger(log.New(io.Discard, "", 0))))
			t.Cleanup(server.Close)
			host := strings.TrimPrefix(server.URL, "http://")
			digest := push(t, host+"/acme/fn:v1", layout.Module, oci.PushOptions{})
			subject := mustFetch(t, config(), host+"/acme/fn:v1")
			b := blobs{}
			top := b.CNCF(layout.Module, nil)
			top.Digest = digest
			bundle := b.Bundle(top, []byte("bundle"))
			entries := []desc{bundle}
			if !api {
				entries = append(entries, b.Index(bundle).Named(layout.FallbackTag(digest)))
			}
			upload(t, server.URL, "acme/fn", b, entries...)
			got := mustFetch(t, config(), host+"/acme/fn@"+digest)
			if len(got.Evidence) != 1 || string(got.Evidence[0].Bytes) != "bundle" || got.Digest != subject.Digest {
				t.Errorf("evidence %s, rejected %s", kinds(got), codes(got))
			}
		})
	}
}

// upload puts blobs and manifests into a registry over HTTP.
func upload(t *testing.T, base, repo string, b blobs, manifests ...desc) {
	t.Helper()
	do := func(method, url, contentType string, body []byte) {
		req, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusCreated {
			t.Fatalf("%s %s: %s", method, url, resp.Status)
		}
	}
	for digest, body := range b {
		do(http.MethodPost, base+"/v2/"+repo+"/blobs/uploads/?digest="+digest, "application/octet-stream", body)
	}
	for _, m := range manifests {
		name := m.Annotations[layout.RefName]
		if name == "" {
			name = m.Digest
		}
		do(http.MethodPut, base+"/v2/"+repo+"/manifests/"+name, m.MediaType, b[m.Digest])
	}
}
