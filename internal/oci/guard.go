package oci

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// guard stands between the client and the network and holds, whatever the layers above do, that credentials of a registry reach
// only that registry and the token hosts it was given. It answers CVE-class bugs in which a registry names somebody else's token
// service, or redirects a request that carries a password.
type guard struct {
	repository *repository
	next       http.RoundTripper
}

// RoundTrip refuses a request that would carry something secret elsewhere, and explains a challenge that asks for it.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	r := g.repository
	if req.URL.Scheme != "https" && r.scheme == "https" {
		return nil, r.failed("registry.downgrade", fmt.Sprintf("it leads from HTTPS to %q", req.URL.Redacted()), "")
	}
	if secret(req) && !r.trusts(req.URL.Host) {
		return nil, r.failed("registry.credential", fmt.Sprintf("it asks for credentials to be sent to %q", req.URL.Host), r.tokenHint(req.URL.Host))
	}
	resp, err := g.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !sameHost(req.URL, r.base()) || req.Header.Get("Authorization") != "" {
		return resp, err
	}
	if err := g.checkRealm(req, resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// secret reports whether a request carries anything that was not meant for everyone.
func secret(req *http.Request) bool {
	return req.Header.Get("Authorization") != "" || req.Header.Get("Cookie") != "" || req.URL.User != nil || req.Method == http.MethodPost
}

// checkRealm looks at the token service a registry names before the client goes there, since only here can it be said what to do.
func (g *guard) checkRealm(req *http.Request, resp *http.Response) error {
	r := g.repository
	scheme, params, _ := strings.Cut(strings.TrimSpace(resp.Header.Get("Www-Authenticate")), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return nil
	}
	realm := challengeParam(params, "realm")
	u, err := url.Parse(realm)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return r.failed("registry.realm", fmt.Sprintf("it names the token service %q, which is no URL", shorten(realm, 200)), "")
	}
	switch {
	case u.Scheme == "http" && r.scheme == "https":
		return r.failed("registry.realm", fmt.Sprintf("it speaks HTTPS but names a token service that does not: %q", shorten(u.Redacted(), 200)), "")
	case r.trusts(u.Host) && !isInternal(u.Host), hostname(u.Host) == hostname(r.host):
		return nil
	case isInternal(u.Host):
		return r.failed("registry.realm", fmt.Sprintf("it names a token service on another, private address: %q", shorten(u.Host, 200)),
			"serve tokens from the registry's own host name, or put a registry token into the credentials file as \"registrytoken\"")
	}
	cred, err := r.credential(req.Context())
	if err != nil {
		return err
	}
	if !isAnonymous(cred) {
		return r.failed("registry.realm", fmt.Sprintf("it wants the credentials to be sent to %q, which is another host", shorten(u.Host, 200)), r.tokenHint(u.Host))
	}
	return nil // an anonymous token gives nothing away
}

// challengeParam finds one quoted parameter of a WWW-Authenticate header.
func challengeParam(params, name string) string {
	for params != "" {
		key, rest, ok := strings.Cut(params, "=")
		if !ok {
			return ""
		}
		key = strings.Trim(key, " \t,")
		value := rest
		if quoted, found := strings.CutPrefix(rest, `"`); found {
			value, params, _ = strings.Cut(quoted, `"`)
		} else {
			value, params, _ = strings.Cut(value, ",")
		}
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// trusts reports whether the registry's credentials may go to a host.
func (r *repository) trusts(host string) bool {
	host = strings.ToLower(host)
	return hostname(host) == hostname(r.host) || slices.ContainsFunc(r.web.config.TokenHosts[r.name], func(h string) bool { return h == host || h == hostname(host) })
}

func (r *repository) tokenHint(host string) string {
	return fmt.Sprintf("if %q is where %s hands out tokens, list it as a token host of that registry; or put a registry token into the credentials file as \"registrytoken\"", host, r.name)
}

func (r *repository) failed(code, message, hint string) *RegistryError {
	return &RegistryError{Code: code, Registry: r.name, Repository: r.repo, Op: opAny, Message: message, Hint: hint}
}

func sameHost(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host)
}

// checkRedirect follows a registry to where it keeps its blobs: a few times, never from HTTPS to HTTP, never from a public
// registry into a private network, and never with a request that is not a read.
func (r *repository) checkRedirect(req *http.Request, via []*http.Request) error {
	refuse := func(why string) error {
		return r.failed("registry.redirect", fmt.Sprintf("it redirects to %q: %s", shorten(req.URL.Redacted(), 200), why), "")
	}
	switch {
	case len(via) > maxRedirects:
		return refuse(fmt.Sprintf("that is more than %d redirects", maxRedirects))
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		return refuse("a " + req.Method + " is not redirected")
	case req.URL.Scheme != "https" && (r.scheme == "https" || req.URL.Scheme != "http"):
		return refuse("that is not HTTPS")
	case isInternal(req.URL.Host) && hostname(req.URL.Host) != hostname(r.host) && !isInternal(r.host):
		return refuse("a public registry does not lead into a private network")
	}
	return nil
}

// checkStill follows redirects inside the registry only. It serves the endpoints on which some registries without an API send the
// client off to a web site (GHCR answers a referrers request with 303 to a page that then rate-limits).
func (r *repository) checkStill(req *http.Request, via []*http.Request) error {
	if !sameHost(req.URL, r.base()) {
		return http.ErrUseLastResponse
	}
	return r.checkRedirect(req, via)
}
