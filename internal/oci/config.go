package oci

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config is everything a Client may do. It is checked once by New. The zero Config is an anonymous client of public HTTPS
// registries, and of registries on a loopback address over HTTP or HTTPS.
type Config struct {
	// Offline refuses every registry reference before anything is opened.
	Offline bool
	// PublicOnly refuses registries on loopback and private addresses, other than mirrors and those in PlainHTTP. It is for
	// references that come from resources, whose author could otherwise reach into the network of whoever runs krmsafe.
	PublicOnly bool
	// Cache keeps content by digest between runs. Nil means none.
	Cache Cache
	// CredentialFiles are docker's config.json or podman's auth.json, in the order in which they are asked. A file that does
	// not exist is skipped. A file may name credential helpers, which are run as docker-credential-NAME from the PATH.
	CredentialFiles []string
	// PlainHTTP are registries ("host" or "host:port") spoken to over HTTP. Loopback hosts need no entry.
	PlainHTTP []string
	// TokenHosts maps a registry to hosts that may be given its credentials in exchange for a token, beside the registry's own.
	// Docker Hub's and GitLab.com's are known.
	TokenHosts map[string][]string
	// Mirrors replace where a reference is read from. The longest matching prefix wins, and then it alone is asked. Everything
	// else (trust rules, messages, Artifact.Ref) keeps the original name.
	Mirrors []Mirror
	// CAFile holds PEM certificates that are trusted for TLS in addition to the system's.
	CAFile string
	// Proxy finds the proxy of a request, as http.ProxyFromEnvironment does. Nil means none.
	Proxy func(*http.Request) (*url.URL, error)
	// Transport replaces the HTTP transport, with its CAFile and Proxy. For tests.
	Transport http.RoundTripper
	// UserAgent is sent to registries. Empty means "krmsafe".
	UserAgent string
	// Timeout bounds one Fetch, Pull or Push. Zero means 60 s.
	Timeout time.Duration
	// Retries is how often a request is tried again after a 408, 429, 5xx answer or a broken connection. Zero means 3, a
	// negative number none.
	Retries int
	// RetryWait gives the wait before the given retry, counted from 0. Nil means a growing wait of 200 ms to 3 s that heeds
	// Retry-After up to 3 s.
	RetryWait func(attempt int) time.Duration
	// Platform chooses a child of an index, as "os/arch". Empty means wasi/wasm or wasip1/wasm.
	Platform string
	// Progress is told of blobs as they arrive. It may be called from several goroutines. Nil means that nobody listens.
	Progress func(Progress)
	// Limits bounds what is read. Its zero value means DefaultLimits.
	Limits Limits
}

// Mirror says that whatever lies under Prefix is read from Location.
type Mirror struct {
	// Prefix is a registry, or a registry and the first parts of a repository: "ghcr.io" or "ghcr.io/acme".
	Prefix string `json:"prefix"`
	// Location takes the place of Prefix: "registry.internal/ghcr".
	Location string `json:"location"`
}

// Progress is how far one blob has come.
type Progress struct {
	// What is being read: "module" or "layer".
	What string
	// Digest is the blob's.
	Digest string
	// Done and Total are in bytes.
	Done, Total int64
}

const (
	defaultTimeout = 60 * time.Second
	defaultRetries = 3
	maxRetries     = 10
)

// checked copies the configuration, fills its defaults and refuses what makes no sense.
func (c Config) checked() (Config, error) {
	var err error
	if c.Limits, err = c.Limits.withDefaults(); err != nil {
		return Config{}, err
	}
	switch {
	case c.Timeout < 0:
		return Config{}, &ConfigError{"Timeout", "it is negative"}
	case c.Timeout == 0:
		c.Timeout = defaultTimeout
	}
	switch {
	case c.Retries > maxRetries:
		return Config{}, &ConfigError{"Retries", fmt.Sprintf("%d is more than %d", c.Retries, maxRetries)}
	case c.Retries < 0:
		c.Retries = 0
	case c.Retries == 0:
		c.Retries = defaultRetries
	}
	if c.UserAgent == "" {
		c.UserAgent = "krmsafe"
	}
	c.PlainHTTP, c.CredentialFiles = slices.Clone(c.PlainHTTP), slices.Clone(c.CredentialFiles)
	for _, h := range c.PlainHTTP {
		if err := checkHost(h, h); err != nil || strings.Contains(h, "/") {
			return Config{}, &ConfigError{"PlainHTTP", fmt.Sprintf("%q is not host or host:port", h)}
		}
	}
	if c.TokenHosts, err = checkedTokenHosts(c.TokenHosts); err != nil {
		return Config{}, err
	}
	if c.Mirrors, err = checkedMirrors(c.Mirrors); err != nil {
		return Config{}, err
	}
	if c.Platform != "" && strings.Count(c.Platform, "/") != 1 {
		return Config{}, &ConfigError{"Platform", fmt.Sprintf("%q is not os/arch", c.Platform)}
	}
	return c, nil
}

func checkedTokenHosts(in map[string][]string) (map[string][]string, error) {
	out := map[string][]string{"docker.io": {"auth.docker.io"}, "registry.gitlab.com": {"gitlab.com"}}
	for registry, hosts := range in {
		for _, h := range append([]string{registry}, hosts...) {
			if err := checkHost(h, h); err != nil || strings.Contains(h, "/") {
				return nil, &ConfigError{"TokenHosts", fmt.Sprintf("%q is not host or host:port", h)}
			}
		}
		out[registry] = append(slices.Clone(out[registry]), hosts...)
	}
	return out, nil
}

// checkedMirrors sorts by falling length of prefix, so that the first match is the most specific.
func checkedMirrors(in []Mirror) ([]Mirror, error) {
	out := slices.Clone(in)
	seen := map[string]bool{}
	for _, m := range out {
		for _, s := range []string{m.Prefix, m.Location} {
			host, repo, deeper := strings.Cut(s, "/")
			bad := !looksLikeHost(host) || checkHost(s, host) != nil
			if deeper && !bad {
				for part := range strings.SplitSeq(repo, "/") {
					bad = bad || !validComponent(part)
				}
			}
			if bad {
				return nil, &ConfigError{"Mirrors", fmt.Sprintf("%q is not a registry or registry/path", s)}
			}
		}
		if seen[m.Prefix] {
			return nil, &ConfigError{"Mirrors", fmt.Sprintf("the prefix %q has two mirrors", m.Prefix)}
		}
		seen[m.Prefix] = true
	}
	slices.SortFunc(out, func(a, b Mirror) int { return len(b.Prefix) - len(a.Prefix) })
	return out, nil
}

// located gives the registry and repository that a reference is read from.
func (c Config) located(ref Ref) (host, repository string) {
	name := ref.Registry + "/" + ref.Repository
	for _, m := range c.Mirrors {
		if rest, ok := strings.CutPrefix(name, m.Prefix); ok && (rest == "" || rest[0] == '/') {
			host, repository, _ = strings.Cut(m.Location+rest, "/")
			return host, repository
		}
	}
	return ref.Registry, ref.Repository
}
