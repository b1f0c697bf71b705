package oci_test

import (
	"bytes"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/krmsafe/krmsafe/internal/hashed"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
)

// memory is a Cache.
type memory struct {
	mu      sync.Mutex
	content map[string][]byte
}

func (m *memory) Load(digest string, limit int64) (hashed.Bytes, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	body, ok := m.content[digest]
	return hashed.Of(body), ok && int64(len(body)) <= limit
}

func (m *memory) Store(digest string, body []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.content[digest] = body
}

func TestCache(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	cache := &memory{content: map[string][]byte{}}
	c := config()
	c.Cache = cache
	mustFetch(t, c, s.ref())
	before := len(s.reg.Requests())
	got := mustFetch(t, c, s.ref())
	asked := paths(s.reg.Requests()[before:])
	if strings.Contains(asked, "/blobs/") || !strings.Contains(asked, "/manifests/v1") || !strings.Contains(asked, "/referrers/") {
		t.Errorf("with a full cache the registry was asked for\n%s", asked)
	}
	if len(got.Evidence) != 1 || got.ModuleDigest != layout.Digest(layout.Module) {
		t.Errorf("got %+v", got)
	}
	for digest := range maps.Keys(cache.content) {
		if layout.Digest(cache.content[digest]) != digest {
			t.Errorf("the cache holds something else under %s", digest)
		}
	}
}

// TestPoisonedCache: content that was changed in the cache is not used.
func TestPoisonedCache(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	cache := &memory{content: map[string][]byte{}}
	c := config()
	c.Cache = cache
	want := mustFetch(t, c, s.ref())
	for name, poison := range map[string]func(body []byte) []byte{
		"other content": func([]byte) []byte { return []byte("\x00asm\x01\x00\x00\x00evil") },
		"one bit":       func(body []byte) []byte { body[len(body)-1] ^= 1; return body },
		"cut":           func(body []byte) []byte { return body[:len(body)-1] },
		"nothing":       func([]byte) []byte { return nil },
	} {
		for digest, body := range cache.content {
			cache.content[digest] = poison(bytes.Clone(body))
		}
		got := mustFetch(t, c, s.ref())
		if string(got.Module) != string(want.Module) || kinds(got) != kinds(want) || string(got.Hashed().Data()) != string(want.Module) || !got.Hashed().Is(want.ModuleDigest) {
			t.Errorf("%s: got module %q, evidence %s", name, got.Module, kinds(got))
		}
	}
}

// TestPublicOnly: a reference from a resource cannot reach into the network of whoever runs krmsafe.
func TestPublicOnly(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	c := config()
	c.PublicOnly = true
	for _, host := range []string{s.reg.Host, "localhost:5000", "10.0.0.5", "100.64.0.1", "192.168.1.1:443", "[::1]", "[fd00::1]:5000"} {
		refused(t, c, host+"/"+repo+":v1", "registry.private")
	}
	if n := len(s.reg.Requests()); n != 0 {
		t.Errorf("%d requests were made", n)
	}
	// The operator's own choice of a mirror stands.
	c.Mirrors = []oci.Mirror{{Prefix: "ghcr.io", Location: s.reg.Host}}
	mustFetch(t, c, "ghcr.io/"+repo+":v1")
	// A public name is not refused by itself.
	w := &world{hosts: map[string]http.Handler{"https://registry.example": s.reg}}
	c.Transport = w
	mustFetch(t, c, "registry.example/"+repo+":v1")
}

// TestPublicOnlyByName: a name that leads to a private address is found out by the address.
func TestPublicOnlyByName(t *testing.T) {
	t.Parallel()
	only := oci.Config{PublicOnly: true, Mirrors: []oci.Mirror{{Prefix: "ghcr.io", Location: "mirror.example:5000/x"}}, PlainHTTP: []string{"plain.example"}}
	for _, tt := range []struct {
		config   oci.Config
		name, ip string
		ok       bool
	}{
		{only, "registry.example:443", "192.0.2.1", true},
		{only, "registry.example:443", "127.0.0.1", false},
		{only, "registry.example:443", "10.0.0.5", false},
		{only, "registry.example:443", "fd00::1", false},
		{only, "registry.example:443", "::ffff:10.0.0.5", false},
		{only, "registry.example:443", "100.100.100.200", false},
		{only, "mirror.example:5000", "10.0.0.5", true},
		{only, "plain.example:80", "10.0.0.5", true},
		{only, "plain.example:80", "169.254.169.254", false},
		{oci.Config{}, "registry.example:443", "10.0.0.5", true},
		{oci.Config{}, "registry.example:443", "169.254.169.254", false},
		{oci.Config{}, "registry.example:443", "fe80::1", false},
	} {
		conn := &peer{ip: tt.ip}
		err := oci.CheckPeer(tt.config, conn, tt.name)
		if (err == nil) != tt.ok || conn.closed == tt.ok {
			t.Errorf("%s at %s: %v, closed %v, want ok %v", tt.name, tt.ip, err, conn.closed, tt.ok)
		}
	}
}

// peer is a connection that has led somewhere.
type peer struct {
	net.Conn
	ip     string
	closed bool
}

func (p *peer) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(p.ip), Port: 443} }

func (p *peer) Close() error {
	p.closed = true
	return nil
}

func TestDockerHub(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	w := &world{hosts: map[string]http.Handler{
		"https://registry-1.docker.io": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer t" {
				w.Header().Set("Www-Authenticate", `Bearer realm="https://auth.docker.io/token",service="registry.docker.io"`)
				w.WriteHeader(401)
				return
			}
			s.reg.ServeHTTP(w, r)
		}),
		"https://auth.docker.io": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user != "ann" || password != "secret" {
				w.WriteHeader(403)
				return
			}
			_, _ = w.Write([]byte(`{"token":"t"}`))
		}),
	}}
	c := config()
	c.Transport, c.CredentialFiles = w, []string{credentialFile(t, `{"auths":{"https://index.docker.io/v1/":{"auth":%q}}}`, basic("ann", "secret"))}
	mustFetch(t, c, "docker.io/"+repo+":v1")
	if leaks := w.leaked("https://registry-1.docker.io/", "https://auth.docker.io/"); len(leaks) > 0 {
		t.Errorf("credentials went to %v", leaks)
	}
}
