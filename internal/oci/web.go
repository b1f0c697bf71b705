package oci

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// web is what all registries share: one transport, the credentials, the tokens, and what was learnt of loopback hosts.
type web struct {
	config    Config
	transport http.RoundTripper
	store     *store
	caches    sync.Map // host/repository → auth.Cache
	schemes   sync.Map // loopback host → "http" or "https"
}

const (
	maxRedirects   = 5
	maxHeaderBytes = 64 * kib
	maxCABytes     = 4 * mib
	clientID       = "krmsafe" // what an OAuth2 token service is told
)

func newWeb(config Config) (*web, error) {
	w := &web{config: config, transport: config.Transport}
	var err error
	if w.store, err = newStore(config.CredentialFiles); err != nil {
		return nil, err
	}
	if w.transport == nil {
		if w.transport, err = newTransport(config); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// newTransport makes the transport. Compression is off: a body is hashed as it arrives, and nothing is inflated on the way.
func newTransport(config Config) (http.RoundTripper, error) {
	roots, err := rootCAs(config.CAFile)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: config.Proxy,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return dial(ctx, config, dialer, network, addr)
		},
		TLSClientConfig: &tls.Config{
			RootCAs: roots, MinVersion: tls.VersionTLS12,
		},
		TLSHandshakeTimeout: 15 * time.Second, ResponseHeaderTimeout: 30 * time.Second, IdleConnTimeout: 30 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes, MaxIdleConnsPerHost: concurrency, DisableCompression: true, ForceAttemptHTTP2: true,
	}, nil
}

// dial connects, and hangs up before a word is said where a name has led to an address that no registry may have.
func dial(ctx context.Context, config Config, d *net.Dialer, network, addr string) (net.Conn, error) {
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if err := config.checkPeer(conn, addr); err != nil {
		return nil, err
	}
	return conn, nil
}

func rootCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil // the system's
	}
	f, err := os.Open(file) //nolint:gosec // G304: the operator's own file
	if err != nil {
		return nil, &ConfigError{"CAFile", err.Error()}
	}
	defer f.Close() //nolint:errcheck // read only
	pem, err := readBounded(f, "CA file", -1, bound{"ca_bytes", "CAFile", maxCABytes})
	if err != nil {
		return nil, &ConfigError{"CAFile", err.Error()}
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(bytes.TrimSpace(pem)) {
		return nil, &ConfigError{"CAFile", fmt.Sprintf("%q holds no PEM certificate", file)}
	}
	return pool, nil
}

// repository prepares to read one repository, at its mirror where it has one.
func (w *web) repository(ctx context.Context, ref Ref) *repository {
	name, repo := w.config.located(ref)
	return w.at(ctx, name, repo)
}

// origin prepares to write one repository, mirrors aside.
func (w *web) origin(ctx context.Context, ref Ref) *repository {
	return w.at(ctx, ref.Registry, ref.Repository)
}

func (w *web) at(ctx context.Context, name, repo string) *repository {
	r := &repository{web: w, name: name, host: name, repo: repo, limits: w.config.Limits}
	if name == "docker.io" {
		r.host = "registry-1.docker.io"
	}
	r.scheme = w.scheme(ctx, r.host)
	r.client = w.client(r, r.checkRedirect)
	r.still = w.client(r, r.checkStill)
	return r
}

// client stacks what a request passes through: authentication, redirects, the guard that keeps credentials home, retries.
func (w *web) client(r *repository, redirects func(*http.Request, []*http.Request) error) *auth.Client {
	policy := retryPolicy(w.config)
	return &auth.Client{
		Client: &http.Client{
			Transport: &guard{
				repository: r,
				next:       &retry.Transport{Base: w.transport, Policy: func() retry.Policy { return policy }},
			},
			CheckRedirect: redirects,
		},
		Header:     http.Header{"User-Agent": {w.config.UserAgent}},
		Cache:      w.tokens(r),
		ClientID:   clientID,
		Credential: func(ctx context.Context, _ string) (auth.Credential, error) { return r.credential(ctx) },
	}
}

// tokens is the cache of a repository's tokens. Repositories do not share one, since each may have a login of its own.
func (w *web) tokens(r *repository) auth.Cache {
	cache, _ := w.caches.LoadOrStore(r.host+"/"+r.repo, auth.NewCache())
	return cache.(auth.Cache)
}

func retryPolicy(config Config) retry.Policy {
	p := &retry.GenericPolicy{
		Retryable: retry.DefaultPredicate, Backoff: retry.DefaultBackoff,
		MinWait: 200 * time.Millisecond, MaxWait: 3 * time.Second, MaxRetry: config.Retries,
	}
	if wait := config.RetryWait; wait != nil {
		p.Backoff = func(attempt int, _ *http.Response) time.Duration { return wait(attempt) }
		p.MinWait, p.MaxWait = 0, time.Minute
	}
	return p
}

// scheme says how to speak to a host: HTTPS, except to those listed in PlainHTTP and to loopback hosts that turn out not to speak
// TLS. A loopback host is asked once, without credentials.
func (w *web) scheme(ctx context.Context, host string) string {
	if slices.Contains(w.config.PlainHTTP, host) || slices.Contains(w.config.PlainHTTP, hostname(host)) {
		return "http"
	}
	if !isLoopback(host) {
		return "https"
	}
	if known, ok := w.schemes.Load(host); ok {
		return known.(string)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/v2/", http.NoBody)
	if err != nil {
		return "https"
	}
	probe := &http.Client{Transport: w.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := probe.Do(req)
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		w.schemes.Store(host, "http")
		return "http"
	case err != nil:
		return "https" // not learnt: it may be there next time
	}
	_ = resp.Body.Close()
	w.schemes.Store(host, "https")
	return "https"
}

// hostname drops the port.
func hostname(hostport string) string {
	host, _, err := splitHostPort(hostport)
	if err != nil {
		return hostport
	}
	return strings.ToLower(host)
}

// isLoopback goes by the literal name alone, so that no answer of a name server can turn TLS off.
func isLoopback(hostport string) bool {
	host := hostname(hostport)
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// isInternal reports a literal address that is not on the public internet, or the name localhost.
func isInternal(hostport string) bool {
	addr, err := netip.ParseAddr(hostname(hostport))
	return isLoopback(hostport) || err == nil && private(addr)
}
