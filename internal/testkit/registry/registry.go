// Package registry serves OCI artifacts from memory, on loopback, for tests. It knows the distribution protocol's reading and writing
// side, the Referrers API, and token authentication; and it knows how to misbehave, since Before can answer any request first. It does
// not know whether what it serves makes sense.
package registry

import (
	"encoding/json"
	"fmt"
	"io"
	"log" //nolint:depguard // net/http takes no other kind of sink
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/krmsafe/krmsafe/internal/testkit/layout"
)

// Registry is one registry with any number of repositories.
type Registry struct {
	// Server is the HTTP server. Its Listener's address is Host.
	Server *httptest.Server
	// Host is what a reference begins with.
	Host string
	// Before sees each request first. Where it answers true, the request is done with.
	Before func(w http.ResponseWriter, r *http.Request) bool
	// Referrers turns the Referrers API on.
	Referrers bool
	// PageSize of referrer lists; 0 means one page.
	PageSize int

	mu       sync.Mutex
	repos    map[string]*repository
	requests []Request
}

// Request is what the registry saw.
type Request struct {
	Method, Path, Authorization string
}

type repository struct {
	blobs     layout.Blobs
	manifests map[string]string // digest → media type
	tags      map[string]string
}

// New starts a registry over HTTP that ends with the test.
func New(tb testing.TB) *Registry {
	tb.Helper()
	r := &Registry{Referrers: true, repos: map[string]*repository{}}
	r.Server = httptest.NewServer(r)
	r.Host = strings.TrimPrefix(r.Server.URL, "http://")
	tb.Cleanup(r.Server.Close)
	return r
}

// NewTLS starts a registry over HTTPS with a certificate for 127.0.0.1 and example.com that only Server.Certificate vouches for.
func NewTLS(tb testing.TB) *Registry {
	tb.Helper()
	r := &Registry{Referrers: true, repos: map[string]*repository{}}
	r.Server = httptest.NewUnstartedServer(r)
	r.Server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that refuse the certificate are expected
	r.Server.StartTLS()
	r.Host = strings.TrimPrefix(r.Server.URL, "https://")
	tb.Cleanup(r.Server.Close)
	return r
}

// Put stores blobs in a repository, and registers those that are manifests under their digest and the given tags.
func (r *Registry) Put(repo string, blobs layout.Blobs, manifests ...layout.Descriptor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.repo(repo)
	maps.Copy(to.blobs, blobs)
	for _, m := range manifests {
		to.manifests[m.Digest] = m.MediaType
		if tag := m.Annotations[layout.RefName]; tag != "" {
			to.tags[tag] = m.Digest
		}
	}
}

// Tag moves a tag.
func (r *Registry) Tag(repo, tag, digest string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.repo(repo).tags[tag] = digest
}

// Tags lists the tags of a repository.
func (r *Registry) Tags(repo string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.repo(repo).tags))
}

// Requests lists what was asked so far.
func (r *Registry) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

func (r *Registry) repo(name string) *repository {
	if r.repos[name] == nil {
		r.repos[name] = &repository{blobs: layout.Blobs{}, manifests: map[string]string{}, tags: map[string]string{}}
	}
	return r.repos[name]
}

// ServeHTTP answers one request.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	if len(r.requests) < 100_000 {
		r.requests = append(r.requests, Request{req.Method, req.URL.RequestURI(), req.Header.Get("Authorization")})
	}
	r.mu.Unlock()
	if r.Before != nil && r.Before(w, req) {
		return
	}
	path, ok := strings.CutPrefix(req.URL.Path, "/v2/")
	if !ok {
		Fail(w, http.StatusNotFound, "NOT_FOUND")
		return
	}
	if path == "" {
		w.WriteHeader(http.StatusOK)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, kind := range []string{"/manifests/", "/blobs/uploads/", "/blobs/", "/referrers/"} {
		if i := strings.LastIndex(path, kind); i > 0 {
			r.serve(w, req, strings.Trim(kind, "/"), path[:i], path[i+len(kind):])
			return
		}
	}
	Fail(w, http.StatusNotFound, "NAME_UNKNOWN")
}

func (r *Registry) serve(w http.ResponseWriter, req *http.Request, kind, name, rest string) {
	repo := r.repo(name)
	switch {
	case kind == "manifests" && req.Method == http.MethodPut:
		repo.putManifest(w, req, rest)
	case kind == "manifests":
		repo.manifest(w, req, rest)
	case kind == "blobs/uploads":
		repo.upload(w, req)
	case kind == "blobs":
		repo.blob(w, req, rest)
	case r.Referrers:
		r.referrers(w, req, repo, rest)
	default:
		Fail(w, http.StatusNotFound, "NOT_FOUND")
	}
}

// Fail writes an error as the distribution specification words it.
func Fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, http.StatusText(status)) //nolint:errcheck // the client may have gone
}

func send(w http.ResponseWriter, req *http.Request, mediaType, digest string, body []byte) {
	w.Header().Set("Content-Type", mediaType)
	if digest != "" {
		w.Header().Set("Docker-Content-Digest", digest)
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	if req.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

func (p *repository) manifest(w http.ResponseWriter, req *http.Request, name string) {
	digest := name
	if !strings.Contains(name, ":") {
		digest = p.tags[name]
	}
	mediaType, ok := p.manifests[digest]
	if _, there := p.blobs[digest]; !ok || !there {
		Fail(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
		return
	}
	send(w, req, mediaType, digest, p.blobs[digest])
}

func (p *repository) blob(w http.ResponseWriter, req *http.Request, digest string) {
	body, ok := p.blobs[digest]
	if !ok {
		Fail(w, http.StatusNotFound, "BLOB_UNKNOWN")
		return
	}
	send(w, req, "application/octet-stream", digest, body)
}

func (r *Registry) referrers(w http.ResponseWriter, req *http.Request, repo *repository, subject string) {
	all := []layout.Descriptor{}
	for _, digest := range slices.Sorted(maps.Keys(repo.manifests)) {
		var m layout.Manifest
		if json.Unmarshal(repo.blobs[digest], &m) == nil && m.Subject != nil && m.Subject.Digest == subject {
			all = append(all, layout.Descriptor{MediaType: repo.manifests[digest], Digest: digest, Size: int64(len(repo.blobs[digest])), ArtifactType: m.ArtifactType, Annotations: m.Annotations})
		}
	}
	if r.PageSize > 0 {
		var from int
		_, _ = fmt.Sscanf(req.URL.Query().Get("from"), "%d", &from)
		to := min(from+r.PageSize, len(all))
		if to < len(all) {
			w.Header().Set("Link", fmt.Sprintf(`<%s?from=%d>; rel="next"`, req.URL.Path, to))
		}
		all = all[min(from, to):to]
	}
	body, _ := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": layout.TypeIndex, "manifests": all})
	send(w, req, layout.TypeIndex, "", body)
}

func (p *repository) putManifest(w http.ResponseWriter, req *http.Request, name string) {
	body, err := io.ReadAll(io.LimitReader(req.Body, 4<<20)) //nolint:forbidigo // bounded on this line
	if err != nil {
		Fail(w, http.StatusBadRequest, "SIZE_INVALID")
		return
	}
	digest := layout.Digest(body)
	if strings.Contains(name, ":") && name != digest {
		Fail(w, http.StatusBadRequest, "DIGEST_INVALID")
		return
	}
	p.blobs[digest], p.manifests[digest] = body, req.Header.Get("Content-Type")
	if !strings.Contains(name, ":") {
		p.tags[name] = digest
	}
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}

// upload takes a blob in one POST and one PUT.
func (p *repository) upload(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodPost {
		w.Header().Set("Location", req.URL.Path+"1")
		w.WriteHeader(http.StatusAccepted)
		return
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, 128<<20)) //nolint:forbidigo // bounded on this line
	digest := req.URL.Query().Get("digest")
	if err != nil || layout.Digest(body) != digest {
		Fail(w, http.StatusBadRequest, "DIGEST_INVALID")
		return
	}
	p.blobs[digest] = body
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}
