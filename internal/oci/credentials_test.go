package oci_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/testkit/layout"
	"github.com/krmsafe/krmsafe/internal/testkit/registry"
)

func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// credentialFile writes a docker or podman file.
func credentialFile(t *testing.T, format string, args ...any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantBasic makes a registry ask for a user and password.
func wantBasic(reg *registry.Registry, user, password string) {
	reg.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Basic "+basic(user, password) {
			return false
		}
		w.Header().Set("Www-Authenticate", `Basic realm="x"`)
		registry.Fail(w, 401, "UNAUTHORIZED")
		return true
	}
}

func TestCredentialFiles(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	wantBasic(s.reg, "ann", "secret")
	good, bad := basic("ann", "secret"), basic("bob", "wrong")
	for _, tt := range []struct {
		name, file string
		ok         bool
	}{
		{"docker", fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, s.reg.Host, good), true},
		{"docker, user and password apart", fmt.Sprintf(`{"auths":{%q:{"username":"ann","password":"secret"}}}`, s.reg.Host), true},
		{"docker, old keys", fmt.Sprintf(`{"auths":{"https://%s/v1/":{"auth":%q}}}`, s.reg.Host, good), true},
		{"podman, by repository", fmt.Sprintf(`{"auths":{%q:{"auth":%q},"%s/acme":{"auth":%q},"%s/acme/fn":{"auth":%q}}}`, s.reg.Host, bad, s.reg.Host, bad, s.reg.Host, good), true},
		{"podman, by owner", fmt.Sprintf(`{"auths":{%q:{"auth":%q},"%s/acme":{"auth":%q}}}`, s.reg.Host, bad, s.reg.Host, good), true},
		{"podman, of another owner", fmt.Sprintf(`{"auths":{"%s/other":{"auth":%q}}}`, s.reg.Host, good), false},
		{"podman, of an owner whose name begins alike", fmt.Sprintf(`{"auths":{"%s/ac":{"auth":%q}}}`, s.reg.Host, good), false},
		{"another host", fmt.Sprintf(`{"auths":{"127.0.0.1":{"auth":%q}}}`, good), false},
		{"wrong", fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, s.reg.Host, bad), false},
		{"empty file", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := config()
			c.CredentialFiles = []string{filepath.Join(t.TempDir(), "missing.json"), credentialFile(t, "%s", tt.file)}
			if tt.ok {
				mustFetch(t, c, s.ref())
			} else {
				refused(t, c, s.ref(), "registry.unauthorized")
			}
		})
	}
	t.Run("second file", func(t *testing.T) {
		t.Parallel()
		c := config()
		c.CredentialFiles = []string{credentialFile(t, `{"auths":{"other.example":{"auth":%q}}}`, bad), credentialFile(t, `{"auths":{%q:{"auth":%q}}}`, s.reg.Host, good)}
		mustFetch(t, c, s.ref())
	})
}

func TestCredentialPaths(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{}, ""},
		{map[string]string{"HOME": "/h"}, "/h/.docker/config.json /h/.config/containers/auth.json"},
		{map[string]string{"HOME": "/h", "DOCKER_CONFIG": "/d", "XDG_RUNTIME_DIR": "/r", "XDG_CONFIG_HOME": "/c", "REGISTRY_AUTH_FILE": "/a.json"}, "/a.json /d/config.json /r/containers/auth.json /c/containers/auth.json"},
	} {
		if got := strings.Join(oci.CredentialPaths(func(k string) string { return tt.env[k] }), " "); got != tt.want {
			t.Errorf("CredentialPaths(%v) = %q, want %q", tt.env, got, tt.want)
		}
	}
}

// TestCredentialsOfTwoRepositories: one client, one registry, two logins, and neither serves the other's repository.
func TestCredentialsOfTwoRepositories(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	s.reg.Put("other/fn", s.blobs, s.top.Named("v1"))
	logins := map[string]string{"/v2/acme/": "Basic " + basic("ann", "secret"), "/v2/other/": "Basic " + basic("bob", "secret")}
	var mixed atomic.Int32
	s.reg.Before = func(w http.ResponseWriter, r *http.Request) bool {
		for prefix, login := range logins {
			if !strings.HasPrefix(r.URL.Path, prefix) {
				continue
			}
			switch r.Header.Get("Authorization") {
			case login:
				return false
			case "":
			default:
				mixed.Add(1)
			}
		}
		w.Header().Set("Www-Authenticate", `Basic realm="x"`)
		registry.Fail(w, 401, "UNAUTHORIZED")
		return true
	}
	c := config()
	c.CredentialFiles = []string{credentialFile(t, `{"auths":{"%[1]s/acme":{"auth":%[2]q},"%[1]s/other":{"auth":%[3]q}}}`, s.reg.Host, basic("ann", "secret"), basic("bob", "secret"))}
	shared := client(t, c)
	for _, name := range []string{"acme/fn:v1", "other/fn:v1", "acme/fn:v1"} {
		if _, err := shared.Fetch(context.Background(), parse(t, s.reg.Host+"/"+name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := mixed.Load(); n > 0 {
		t.Errorf("%d requests carried the other repository's login", n)
	}
}

func TestCredentialFileRefused(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"not JSON":           `{"auths":{"x":{"auth":"c2VjcmV0`,
		"helper that leads":  `{"credHelpers":{"ghcr.io":"../../bin/sh"}}`,
		"store that is path": `{"credsStore":"/bin/sh"}`,
	} {
		_, err := oci.New(oci.Config{CredentialFiles: []string{credentialFile(t, "%s", body)}})
		if err == nil || strings.Contains(err.Error(), "c2Vj") {
			t.Errorf("%s: New = %v", name, err)
		}
	}
}

func TestCredentialHelper(t *testing.T) { //nolint:paralleltest // it sets PATH
	s := newSigned(t)
	wantBasic(s.reg, "ann", "secret")
	bin := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nread host\n[ \"$1\" = get ] && [ \"$host\" = %q ] || { echo 'credentials not found in native keychain'; exit 1; }\necho '{\"Username\":\"ann\",\"Secret\":\"secret\"}'\n", s.reg.Host)
	if err := os.WriteFile(filepath.Join(bin, "docker-credential-krmsafetest"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, file := range []string{fmt.Sprintf(`{"credHelpers":{%q:"krmsafetest"}}`, s.reg.Host), fmt.Sprintf(`{"auths":{%q:{}},"credsStore":"krmsafetest"}`, s.reg.Host)} {
		c := config()
		c.CredentialFiles = []string{credentialFile(t, "%s", file)}
		mustFetch(t, c, s.ref())
	}
	c := config()
	c.CredentialFiles = []string{credentialFile(t, `{"credHelpers":{%q:"krmsafemissing"}}`, s.reg.Host)}
	refused(t, c, s.ref(), "registry.credentials")
}

// tokenWorld is a registry at https://registry.example whose token service is at realm, in a world of names.
func tokenWorld(t *testing.T, realm string) (*world, string) {
	t.Helper()
	s := newSigned(t)
	challenge := fmt.Sprintf(`Bearer realm=%q,service="registry.example",scope="repository:acme/fn:pull"`, realm)
	front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer good-token" {
			w.Header().Set("Www-Authenticate", challenge)
			registry.Fail(w, 401, "UNAUTHORIZED")
			return
		}
		s.reg.ServeHTTP(w, r)
	})
	tokens := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"token":"good-token"}`) })
	mux := http.NewServeMux()
	mux.Handle("/v2/", front)
	mux.Handle("/token", tokens)
	return &world{hosts: map[string]http.Handler{
		"https://registry.example": mux, "https://registry.example:8443": mux, "https://auth.example": tokens, "http://auth.example": tokens, "https://10.0.0.7": tokens, "https://localhost:1": tokens,
	}}, "registry.example/" + repo + ":v1"
}

// TestForeignRealm holds that a registry cannot have its credentials sent to another host by naming a token service there.
func TestForeignRealm(t *testing.T) {
	t.Parallel()
	withLogin := `{"auths":{"registry.example":{"auth":"` + basic("ann", "secret") + `"}}}`
	withIdentity := `{"auths":{"registry.example":{"identitytoken":"secret"}}}`
	withToken := `{"auths":{"registry.example":{"registrytoken":"good-token"}}}`
	for _, tt := range []struct {
		name, realm, file string
		hosts             map[string][]string
		want              string
		mayAsk            bool // the realm's host may be asked
	}{
		{"own host", "https://registry.example/token", withLogin, nil, "none", true},
		{"own host, another port", "https://registry.example:8443/token", withLogin, nil, "none", true},
		{"other host, anonymous", "https://auth.example/token", `{}`, nil, "none", true},
		{"other host, with login", "https://auth.example/token", withLogin, nil, "registry.realm", false},
		{"other host, with identity token", "https://auth.example/token", withIdentity, nil, "registry.realm", false},
		{"other host, with login, listed", "https://auth.example/token", withLogin, map[string][]string{"registry.example": {"auth.example"}}, "none", true},
		{"other host, with login, listed for another registry", "https://auth.example/token", withLogin, map[string][]string{"other.example": {"auth.example"}}, "registry.realm", false},
		{"other host, static registry token", "https://auth.example/token", withToken, nil, "none", false},
		{"plain HTTP", "http://auth.example/token", `{}`, nil, "registry.realm", false},
		{"plain HTTP on the own host", "http://registry.example/token", withLogin, nil, "registry.realm", false},
		{"private address", "https://10.0.0.7/token", `{}`, nil, "registry.realm", false},
		{"private address, listed", "https://10.0.0.7/token", withLogin, map[string][]string{"registry.example": {"10.0.0.7"}}, "registry.realm", false},
		{"private address, static registry token", "https://10.0.0.7/token", withToken, nil, "none", false},
		{"localhost", "https://localhost:1/token", `{}`, nil, "registry.realm", false},
		{"metadata service", "http://169.254.169.254/latest", `{}`, nil, "registry.realm", false},
		{"file", "file:///etc/passwd", withLogin, nil, "registry.realm", false},
		{"user information", "https://ann:secret@auth.example/token", `{}`, nil, "registry.credential", false},
		{"empty", "", withLogin, nil, "registry.realm", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, ref := tokenWorld(t, tt.realm)
			c := config()
			c.Transport, c.TokenHosts, c.CredentialFiles = w, tt.hosts, []string{credentialFile(t, "%s", tt.file)}
			_, err := fetch(t, c, ref)
			if got := code(err); got != tt.want {
				t.Fatalf("Fetch = %v, want %s", err, tt.want)
			}
			allowed := []string{"https://registry.example"}
			if tt.mayAsk {
				allowed = append(allowed, tt.realm)
			} else if tt.realm != "" && w.asked(tt.realm) {
				t.Errorf("the token service was asked: %v", w.seen)
			}
			if leaks := w.leaked(allowed...); len(leaks) > 0 {
				t.Errorf("credentials went to %v", leaks)
			}
		})
	}
}

// TestTwoRealms: a challenge that two parsers read differently leads nowhere.
func TestTwoRealms(t *testing.T) {
	t.Parallel()
	for _, challenge := range []string{
		`Bearer realm="https://registry.example/token",realm="https://auth.example/token"`,
		`Bearer x="\",realm=\"",realm="https://auth.example/token",y="realm="`,
		`Bearer x=realm, realm=https://auth.example/token`,
		"bearer\trealm=\"https://auth.example/token\"",
		`Bearer REALM="https://registry.example/token",realm="https://auth.example/token"`,
	} {
		w, ref := tokenWorld(t, "unused")
		w.hosts["https://registry.example"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Www-Authenticate", challenge)
			registry.Fail(w, 401, "UNAUTHORIZED")
		})
		for _, login := range []string{`"auth":"` + basic("ann", "secret") + `"`, `"identitytoken":"secret"`} {
			c := config()
			c.Transport, c.CredentialFiles = w, []string{credentialFile(t, `{"auths":{"registry.example":{%s}}}`, login)}
			if _, err := fetch(t, c, ref); err == nil {
				t.Errorf("%s: Fetch succeeded", challenge)
			}
			if leaks := w.leaked("https://registry.example/"); len(leaks) > 0 {
				t.Errorf("%s: credentials went to %v", challenge, leaks)
			}
		}
	}
}

// TestHostileTokenService: a token service that misbehaves ends the fetch, and takes no credential elsewhere.
func TestHostileTokenService(t *testing.T) {
	t.Parallel()
	redirect := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://evil.example/token")
			w.WriteHeader(status)
		}
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"401", registry.Status(401), "registry.unauthorized"},
		{"403", registry.Status(403), "registry.unauthorized"},
		{"404", registry.Status(404), "registry.not_found"},
		{"429", registry.Status(429), "registry.rate_limited"},
		{"500", registry.Status(500), "registry.server"},
		{"503", registry.Status(503), "registry.server"},
		{"no JSON", registry.Body("application/json", "{"), "registry.unreachable"},
		{"no token", registry.Body("application/json", "{}"), "registry.unreachable"},
		{"wrong token", registry.Body("application/json", `{"token":"x","access_token":"x"}`), "registry.unauthorized"},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"token":"` + strings.Repeat("x", 1<<20)))
		}, "registry.unreachable"},
		{"redirect 302", redirect(302), "registry.unreachable"},
		{"redirect 307", redirect(307), "registry.unreachable"},
		{"redirect 308", redirect(308), "registry.unreachable"},
	} {
		for _, login := range []string{`"auth":"` + basic("ann", "secret") + `"`, `"identitytoken":"secret"`} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				w, ref := tokenWorld(t, "https://tokens.registry.example/token")
				w.hosts["https://tokens.registry.example"] = tt.answer
				c := config()
				c.Transport, c.TokenHosts = w, map[string][]string{"registry.example": {"tokens.registry.example"}}
				c.CredentialFiles = []string{credentialFile(t, `{"auths":{"registry.example":{%s}}}`, login)}
				message := refused(t, c, ref, tt.want)
				if leaks := w.leaked("https://tokens.registry.example/", "https://registry.example/"); len(leaks) > 0 {
					t.Errorf("credentials went to %v", leaks)
				}
				if strings.ContainsAny(message, "\r\n") || strings.Contains(message, "secret") || len(message) > 600 {
					t.Errorf("the message is %q", message)
				}
			})
		}
	}
}

// TestRedirects holds where a registry may send a client for a blob, and that no credential goes along.
func TestRedirects(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, registry, to, want string
	}{
		{"to a blob store", "registry.example", "https://cdn.example/blob", "none"},
		{"to a sub-domain", "registry.example", "https://evil.registry.example/blob", "none"},
		{"to another port", "registry.example", "https://registry.example:8443/blob", "none"},
		{"from a private registry into its network", "10.0.0.5", "https://10.0.0.6/blob", "none"},
		{"to plain HTTP", "registry.example", "http://cdn.example/blob", "registry.redirect"},
		{"from a public registry into a private network", "registry.example", "https://10.0.0.6/blob", "registry.redirect"},
		{"to loopback", "registry.example", "https://127.0.0.1/blob", "registry.redirect"},
		{"to localhost", "registry.example", "https://localhost/blob", "registry.redirect"},
		{"to the metadata service", "registry.example", "https://169.254.169.254/blob", "registry.redirect"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSigned(t)
			front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Header.Get("Authorization") != "Basic "+basic("ann", "secret"):
					w.Header().Set("Www-Authenticate", `Basic realm="x"`)
					registry.Fail(w, 401, "UNAUTHORIZED")
				case strings.Contains(r.URL.Path, "/blobs/"):
					http.Redirect(w, r, tt.to, http.StatusTemporaryRedirect)
				default:
					s.reg.ServeHTTP(w, r)
				}
			})
			module := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					w.WriteHeader(500)
					return
				}
				// The blob store asks for credentials too, on its first answer.
				_, _ = w.Write(s.blobs[layout.Digest(layout.Module)])
			})
			u, err := url.Parse(tt.to)
			if err != nil {
				t.Fatal(err)
			}
			w := &world{hosts: map[string]http.Handler{"https://" + tt.registry: front, u.Scheme + "://" + u.Host: module}}
			b := blobs{}
			top := b.Artifact(layout.Module)
			s.reg.Put(repo, b, top.Named("v1"))
			c := config()
			c.Transport, c.CredentialFiles = w, []string{credentialFile(t, `{"auths":{%q:{"auth":%q}}}`, tt.registry, basic("ann", "secret"))}
			_, err = fetch(t, c, tt.registry+"/"+repo+":v1")
			if got := code(err); got != tt.want {
				t.Fatalf("Fetch = %v, want %s", err, tt.want)
			}
			if leaks := w.leaked("https://" + tt.registry + "/"); len(leaks) > 0 {
				t.Errorf("credentials went to %v", leaks)
			}
			if tt.want != "none" && w.asked(tt.to) {
				t.Errorf("%s was asked", tt.to)
			}
		})
	}
}

// TestRedirectChallenge: a blob store that asks for a login after a redirect gets none.
func TestRedirectChallenge(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	s.reg.Before = registry.On("/blobs/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://cdn.example/blob", http.StatusTemporaryRedirect)
	})
	w := &world{hosts: map[string]http.Handler{"https://registry.example": s.reg, "https://cdn.example": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Www-Authenticate", `Bearer realm="https://cdn.example/token"`)
		registry.Fail(w, 401, "UNAUTHORIZED")
	})}}
	c := config()
	c.Transport, c.CredentialFiles = w, []string{credentialFile(t, `{"auths":{"registry.example":{"auth":%q},"cdn.example":{"auth":%q}}}`, basic("ann", "secret"), basic("ann", "secret"))}
	refused(t, c, "registry.example/"+repo+":v1", "registry.unauthorized")
	if leaks := w.leaked(); len(leaks) > 0 || w.asked("cdn.example/token") {
		t.Errorf("credentials went to %v", leaks)
	}
}

func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	w := &world{hosts: map[string]http.Handler{"http://registry.example": s.reg}}
	c := config()
	c.Transport = w
	refused(t, c, "registry.example/"+repo+":v1", "registry.unreachable")
	if w.asked("http://") {
		t.Error("plain HTTP was tried although nobody allowed it")
	}
	c.PlainHTTP = []string{"registry.example"}
	mustFetch(t, c, "registry.example/"+repo+":v1")
}

func TestCustomCA(t *testing.T) {
	t.Parallel()
	reg, b := registry.NewTLS(t), blobs{}
	top := b.CNCF(layout.Module, nil)
	reg.Put(repo, b, top.Named("v1"))
	refused(t, config(), reg.Host+"/"+repo+":v1", "registry.tls")
	c := config()
	c.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(c.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: reg.Server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	mustFetch(t, c, reg.Host+"/"+repo+":v1")
	for _, r := range reg.Requests() {
		if !strings.HasPrefix(r.Path, "/v2/") {
			t.Errorf("unexpected request %v", r)
		}
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	var through atomic.Int32
	target, err := url.Parse(s.reg.Server.URL)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		through.Add(1)
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	c := config()
	c.PlainHTTP = []string{"registry.example"}
	c.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	mustFetch(t, c, "registry.example/"+repo+":v1")
	if through.Load() == 0 {
		t.Error("the proxy saw nothing")
	}
}

func TestMirrors(t *testing.T) {
	t.Parallel()
	mirror, b := registry.New(t), blobs{}
	top := b.CNCF(layout.Module, nil)
	mirror.Put("ghcr/acme/fn", b, top.Named("v1"))
	mirror.Put("one", b, top.Named("v1"))
	c := config()
	c.Mirrors = []oci.Mirror{{Prefix: "ghcr.io", Location: mirror.Host + "/ghcr"}, {Prefix: "ghcr.io/acme/one", Location: mirror.Host + "/one"}}
	for _, ref := range []string{"ghcr.io/acme/fn:v1", "ghcr.io/acme/one:v1"} {
		got := mustFetch(t, c, ref)
		if got.Ref.String() != ref || got.Ref.Registry != "ghcr.io" {
			t.Errorf("Ref = %s, want the original name %s", got.Ref, ref)
		}
	}
	// A prefix ends where a name ends.
	other := &world{hosts: map[string]http.Handler{"https://ghcr.io": mirror}}
	c.Transport, c.Mirrors = other, []oci.Mirror{{Prefix: "ghcr.io/ghcr/ac", Location: "mirror.example/x"}}
	mustFetch(t, c, "ghcr.io/ghcr/acme/fn:v1")
	if other.asked("mirror.example") {
		t.Error("the mirror of another owner was asked")
	}
	c.Mirrors = []oci.Mirror{{Prefix: "ghcr.io", Location: mirror.Host + "/ghcr"}}
	// A mirror that lacks the artifact is not passed over for the original.
	touched := &world{hosts: map[string]http.Handler{"https://" + mirror.Host: mirror}}
	c.Transport = touched
	refused(t, c, "ghcr.io/acme/none:v1", "registry.not_found")
	if touched.asked("ghcr.io/v2") {
		t.Error("the original registry was asked")
	}
	for _, bad := range [][]oci.Mirror{{{Prefix: "ghcr.io", Location: "https://x.example"}}, {{Prefix: "", Location: "x.example"}}, {{Prefix: "ghcr.io", Location: "a.example"}, {Prefix: "ghcr.io", Location: "b.example"}}, {{Prefix: "ghcr.io/../x", Location: "a.example"}}} {
		if _, err := oci.New(oci.Config{Mirrors: bad}); err == nil {
			t.Errorf("New accepted %v", bad)
		}
	}
}

// TestMirrorGetsOnlyItsOwnCredentials: the credentials of the original registry stay away from the mirror.
func TestMirrorGetsOnlyItsOwnCredentials(t *testing.T) {
	t.Parallel()
	s := newSigned(t)
	w := &world{hosts: map[string]http.Handler{"https://mirror.example": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Www-Authenticate", `Basic realm="x"`)
		registry.Fail(w, 401, "UNAUTHORIZED")
	})}}
	c := config()
	c.Transport, c.Mirrors = w, []oci.Mirror{{Prefix: "ghcr.io", Location: "mirror.example"}}
	c.CredentialFiles = []string{credentialFile(t, `{"auths":{"ghcr.io":{"auth":%q}}}`, basic("ann", "secret"))}
	refused(t, c, "ghcr.io/"+repo+"@"+s.top.Digest, "registry.unauthorized")
	if leaks := w.leaked(); len(leaks) > 0 {
		t.Errorf("credentials went to %v", leaks)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	reg, b := registry.New(t), blobs{}
	module := append(append([]byte{}, layout.Module...), make([]byte, 300<<10)...)
	top := b.CNCF(module, nil)
	reg.Put(repo, b, top.Named("v1"))
	var last oci.Progress
	var calls int
	c := config()
	c.Progress = func(p oci.Progress) { last, calls = p, calls+1 }
	mustFetch(t, c, reg.Host+"/"+repo+":v1")
	if want := (oci.Progress{What: "module", Digest: layout.Digest(module), Done: int64(len(module)), Total: int64(len(module))}); last != want || calls < 2 {
		t.Errorf("the last of %d reports is %+v, want %+v", calls, last, want)
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]oci.Config{
		"negative timeout": {Timeout: -1},
		"negative limit":   {Limits: oci.Limits{ModuleBytes: -1}},
		"many retries":     {Retries: 11},
		"plain HTTP URL":   {PlainHTTP: []string{"http://x.example"}},
		"token host URL":   {TokenHosts: map[string][]string{"a.example": {"https://b.example"}}},
		"platform":         {Platform: "wasm"},
		"no CA file":       {CAFile: "/nonexistent/ca.pem"},
		"empty CA file":    {CAFile: os.DevNull},
	} {
		if _, err := oci.New(c); err == nil {
			t.Errorf("%s: New accepted it", name)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q", name, err)
		}
	}
}
