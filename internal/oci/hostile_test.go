package oci_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/registry"
)

// The endpoints a registry can misbehave on, by a part of their path.
var endpoints = map[string]string{
	"tag": "/manifests/v1", "module": "/blobs/" + layout.Digest(layout.Module), "referrers": "/referrers/",
	"bundle": "/blobs/" + layout.Digest([]byte("bundle")), "sig": ".sig", "att": ".att",
}

// TestHostileStatus holds that a registry which fails on any endpoint ends the fetch: an error on a signature's endpoint is never taken
// for the absence of signatures. Retries are bounded.
func TestHostileStatus(t *testing.T) {
	t.Parallel()
	want := map[int]string{401: "registry.unauthorized", 403: "registry.forbidden", 405: "registry.status", 429: "registry.rate_limited", 500: "registry.server", 503: "registry.server"}
	for name, path := range endpoints {
		for status, reason := range want {
			if name == "referrers" && status == 405 {
				continue // that is GHCR's way of saying that it has no such API; see TestEvidenceWithoutReferrersAPI
			}
			t.Run(fmt.Sprintf("%s %d", name, status), func(t *testing.T) {
				t.Parallel()
				s := newSigned(t)
				var asked atomic.Int32
				s.reg.Before = registry.On(path, func(w http.ResponseWriter, _ *http.Request) {
					asked.Add(1)
					registry.Fail(w, status, "X")
				})
				refused(t, config(), s.ref(), reason)
				if n := asked.Load(); n > 4 || (status == 429 || status >= 500) != (n == 4) {
					t.Errorf("it was asked %d times", n)
				}
			})
		}
	}
}

func TestHostileFlapping(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	var seen sync.Map
	s.reg.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if _, again := seen.LoadOrStore(r.URL.Path, true); !again {
			w.Header().Set("Retry-After", "100000")
			registry.Fail(w, 503, "X")
			return true
		}
		return false
	}
	if got := mustFetch(t, config(), s.ref()); len(got.Evidence) != 1 {
		t.Errorf("evidence %s", kinds(got))
	}
}

// TestHostileTagMoves: the tag is read once. What a registry says of it later does not matter.
func TestHostileTagMoves(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	evil := s.blobs.CNCF([]byte("\x00asm\x01\x00\x00\x00\x00\x01\x00"), nil)
	s.put(evil)
	var asked atomic.Int32
	s.reg.Before = registry.On("/manifests/v1", func(w http.ResponseWriter, _ *http.Request) {
		d := s.top
		if asked.Add(1) > 1 {
			d = evil
		}
		w.Header().Set("Content-Type", d.MediaType)
		_, _ = w.Write(s.blobs[d.Digest])
	})
	got := mustFetch(t, config(), s.ref())
	if got.Digest != s.top.Digest || got.ModuleDigest != layout.Digest(layout.Module) || asked.Load() != 1 || len(got.Evidence) != 1 {
		t.Errorf("digest %s, evidence %s, tag read %d times", got.Digest, kinds(got), asked.Load())
	}
}

// TestHostileManifestByDigest: what is asked for by digest must have it, be it the artifact, an index's child or a referrer.
func TestHostileManifestByDigest(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	child := s.blobs.CNCF(layout.Module, map[string]string{"the": "child"}).For("wasi", "wasm")
	index := s.blobs.Index(child)
	s.put(index.Named("idx"), child)
	other := s.blobs.CNCF([]byte("\x00asm\x01\x00\x00\x00\x00\x01\x00"), nil)
	swap := func(digest string) func(http.ResponseWriter, *http.Request) bool {
		return registry.On("/manifests/"+digest, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", layout.TypeManifest)
			_, _ = w.Write(s.blobs[other.Digest])
		})
	}
	s.reg.Before = swap(s.top.Digest)
	refused(t, config(), s.reg.Host+"/"+repo+"@"+s.top.Digest, "artifact.digest_mismatch")
	s.reg.Before = swap(child.Digest)
	refused(t, config(), s.reg.Host+"/"+repo+":idx", "artifact.digest_mismatch")
	s.reg.Before = swap(s.bundle.Digest)
	if got := mustFetch(t, config(), s.ref()); len(got.Evidence) != 0 || codes(got) != "artifact.digest_mismatch referrers-api" {
		t.Errorf("evidence %s, rejected %s", kinds(got), codes(got))
	}
}

func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	header := func(key, value string) func(s signed) http.HandlerFunc {
		return func(s signed) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", s.top.MediaType)
				w.Header().Set(key, value)
				_, _ = w.Write(s.blobs[s.top.Digest])
			}
		}
	}
	always := func(h http.HandlerFunc) func(signed) http.HandlerFunc {
		return func(signed) http.HandlerFunc { return h }
	}
	for _, tt := range []struct {
		name, path string
		answer     func(s signed) http.HandlerFunc
		want       string
	}{
		{"lying digest header", "tag", header("Docker-Content-Digest", "sha256:"+hexD), "artifact.digest_mismatch"},
		{"sha512 digest header", "tag", header("Docker-Content-Digest", "sha512:"+hexD+hexD), "artifact.digest_mismatch"},
		{"lying content type", "tag", header("Content-Type", layout.TypeIndex), "artifact.media_type"},
		{"web page", "tag", always(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprint(w, "<html>")
		}), "artifact.malformed"},
		{"20 GiB manifest announced", "tag", always(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "21474836480")
			w.WriteHeader(200)
		}), "limit.manifest_bytes"},
		{"endless manifest", "tag", always(registry.Endless), "limit.manifest_bytes"},
		{"20 GiB module announced", "module", always(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "21474836480")
			w.WriteHeader(200)
		}), "artifact.size"},
		{"endless module", "module", always(registry.Endless), "artifact.size"},
		{"short module", "module", always(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(layout.Module[:4]) }), "artifact.size"},
		{"short module of unknown length", "module", always(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(layout.Module[:4])
			_ = http.NewResponseController(w).Flush()
		}), "artifact.size"},
		{"module broken off", "module", always(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "8")
			_, _ = w.Write(layout.Module[:4])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}), "registry.short"},
		{"other module", "module", always(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("\x00asm\x01\x00\x00\x01")) }), "artifact.digest_mismatch"},
		{"module with a tail", "module", always(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(append(layout.Module[:8:8], 0)) }), "artifact.size"},
		{"gzip-encoded module", "module", always(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(layout.Gzip(layout.Module))
		}), "artifact.size"},
		{"error page without end", "tag", always(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			registry.Endless(w, r)
		}), "registry.forbidden"},
		{"header without end", "tag", always(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			w.WriteHeader(200)
		}), "registry.unreachable"},
		{"endless referrer list", "referrers", always(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", layout.TypeIndex)
			registry.Endless(w, r)
		}), "limit.manifest_bytes"},
		{"endless referrer pages", "referrers", always(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", layout.TypeIndex)
			w.Header().Set("Link", fmt.Sprintf(`<%s?n=x>; rel="next"`, r.URL.Path))
			_, _ = fmt.Fprint(w, `{"schemaVersion":2,"manifests":[]}`)
		}), "limit.referrer_pages"},
		{"referrers that are no JSON", "referrers", always(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", layout.TypeIndex)
			_, _ = fmt.Fprint(w, "{")
		}), "registry.malformed"},
		{"next page on another host", "referrers", always(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", layout.TypeIndex)
			w.Header().Set("Link", `<http://127.0.0.2/v2/acme/fn/referrers/x>; rel="next"`)
			_, _ = fmt.Fprint(w, `{"schemaVersion":2,"manifests":[]}`)
		}), "registry.malformed"},
		{"next page of another repository", "referrers", always(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", layout.TypeIndex)
			w.Header().Set("Link", `</v2/other/referrers/x>; rel="next"`)
			_, _ = fmt.Fprint(w, `{"schemaVersion":2,"manifests":[]}`)
		}), "registry.malformed"},
		{"redirect loop", "module", always(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }), "registry.redirect"},
		{"redirect to a file", "module", always(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		}), "registry.redirect"},
		{"redirect without target", "module", always(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) }), "registry.status"},
		{"204", "module", always(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }), "registry.status"},
		{"206", "module", always(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(206)
			_, _ = w.Write(layout.Module)
		}), "registry.status"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSigned(t)
			s.reg.Before = registry.On(endpoints[tt.path], tt.answer(s))
			message := refused(t, config(), s.ref(), tt.want)
			if n := len(s.reg.Requests()); n > 40 {
				t.Errorf("%d requests were made", n)
			}
			if strings.ContainsAny(message, "\n\r\x1b") || len(message) > 1500 {
				t.Errorf("the message is not one short line: %q", message)
			}
		})
	}
}

// TestHostileSizes: a descriptor that promises too much is refused before the blob is asked for.
func TestHostileSizes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{layout.TypeWasm: "limit.module_bytes", layout.TypeWasmConfig: "limit.config_bytes"} {
		s := newSigned(t)
		layer, config0 := s.blobs.Add(layout.TypeWasm, layout.Module), s.blobs.Add(layout.TypeWasmConfig, []byte(`{"architecture":"wasm","os":"wasip1","layerDigests":["`+layout.Digest(layout.Module)+`"]}`))
		if name == layout.TypeWasm {
			layer.Size = 20 << 30
		} else {
			config0.Size = 20 << 30
		}
		s.put(s.blobs.AddManifest(layout.Manifest{Config: &config0, Layers: []desc{layer}}).Named("big"))
		refused(t, config(), s.reg.Host+"/"+repo+":big", want)
		for _, r := range s.reg.Requests() {
			if strings.HasSuffix(r.Path, layer.Digest) && layer.Size > 100 || strings.HasSuffix(r.Path, config0.Digest) && config0.Size > 1000 {
				t.Errorf("%s was asked for", r.Path)
			}
		}
	}
}

// TestHostileStrippedReferrers: a registry that hides evidence gets an artifact without evidence, never an error that could be worked
// around and never evidence of another artifact.
func TestHostileStrippedReferrers(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	s.reg.Before = registry.On("/referrers/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", layout.TypeIndex)
		_, _ = fmt.Fprint(w, `{"schemaVersion":2,"manifests":[]}`)
	})
	if got := mustFetch(t, config(), s.ref()); len(got.Evidence) != 0 {
		t.Errorf("evidence %s", kinds(got))
	}
}

// TestHostileErrorText: what a registry says of itself is quoted.
func TestHostileErrorText(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	s.reg.Before = registry.On("/manifests/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(403)
		_, _ = fmt.Fprint(w, `{"errors":[{"code":"DENIED","message":"\u001b[2J\nkrmsafe: verified\u202e`+strings.Repeat("x", 5000)+`"}]}`)
	})
	message := refused(t, config(), s.ref(), "registry.forbidden")
	if strings.ContainsAny(message, "\n\x1b\u202e") || len(message) > 600 {
		t.Errorf("the message is %q", message)
	}
}

// TestHostileSlow: a registry that never ends its answer is left after the timeout, on every endpoint.
func TestHostileSlow(t *testing.T) {
	t.Parallel()
	for name, path := range endpoints {
		for _, body := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, after the header %v", name, body), func(t *testing.T) {
				t.Parallel()
				s := newSigned(t)
				stop := make(chan struct{})
				t.Cleanup(func() { close(stop) })
				s.reg.Before = registry.On(path, func(w http.ResponseWriter, r *http.Request) {
					if body {
						w.Header().Set("Content-Type", layout.TypeIndex)
						registry.Stall(stop)(w, r)
						return
					}
					select {
					case <-stop:
					case <-r.Context().Done():
					}
				})
				c := config()
				c.Timeout = 150 * time.Millisecond
				refused(t, c, s.ref(), "registry.timeout")
			})
		}
	}
}

func TestFetchCancelled(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	ctx, cancel := context.WithCancel(context.Background())
	s.reg.Before = registry.On("/blobs/", func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	ref, err := oci.ParseRef(s.ref())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client(t, config()).Fetch(ctx, ref); !errors.Is(err, context.Canceled) {
		t.Errorf("Fetch = %v, want it cancelled", err)
	}
}

// TestHostileMemory: an endless module costs no more memory than its descriptor allows.
func TestHostileMemory(t *testing.T) { //nolint:paralleltest // it measures the process
	s := newSigned(t)
	s.reg.Before = registry.On(endpoints["module"], registry.Endless)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	refused(t, config(), s.ref(), "artifact.size")
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("%d bytes were allocated", used)
	}
}

// world is a network in which names lead to handlers; whoever asks for another name gets an error.
type world struct {
	hosts map[string]http.Handler

	mu   sync.Mutex
	seen []seen
}

type seen struct{ url, authorization, body string }

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	s := seen{url: r.Method + " " + r.URL.String(), authorization: r.Header.Get("Authorization")}
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		s.body = string(b)
	}
	w.mu.Lock()
	w.seen = append(w.seen, s)
	h := w.hosts[r.URL.Scheme+"://"+r.URL.Host]
	w.mu.Unlock()
	if h == nil {
		return nil, errors.New("no such host in this world")
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

// leaked lists where the secrets went, other than to the hosts where they may.
func (w *world) leaked(allowed ...string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, s := range w.seen {
		if s.authorization == "" && !strings.Contains(s.body, "secret") {
			continue
		}
		ok := false
		for _, a := range allowed {
			ok = ok || strings.Contains(s.url, " "+a)
		}
		if !ok {
			out = append(out, s.url)
		}
	}
	return out
}

func (w *world) asked(part string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.seen {
		if strings.Contains(s.url, part) {
			return true
		}
	}
	return false
}
