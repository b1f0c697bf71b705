package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// opAny stands in a guard's error, which does not know what the request was for.
const opAny = "sending a request"

// repository is one repository of a registry, as a source.
type repository struct {
	web    *web
	name   string // the registry as people write it
	host   string // where it is spoken to
	scheme string
	repo   string
	limits Limits
	client *auth.Client // follows redirects to blob stores
	still  *auth.Client // stays with the registry

	mu    sync.Mutex
	asked bool
	cred  auth.Credential
}

func (r *repository) close() {}

func (r *repository) base() *url.URL { return &url.URL{Scheme: r.scheme, Host: r.host} }

// credential asks the credential files and helpers, once.
func (r *repository) credential(ctx context.Context) (auth.Credential, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked {
		return r.cred, nil
	}
	cred, err := r.web.store.find(ctx, r.name, r.repo)
	if err != nil {
		return auth.EmptyCredential, &RegistryError{
			Code: "registry.credentials", Registry: r.name, Repository: r.repo, Op: "looking up credentials", Message: err.Error(), Err: err,
			Hint: "check the credentials file and its helper with docker login or podman login",
		}
	}
	r.cred, r.asked = cred, true
	return cred, nil
}

// get sends a GET and gives back an answer of 200. what names the thing for messages.
func (r *repository) get(ctx context.Context, client *auth.Client, path, what string, accept ...string) (*http.Response, error) {
	resp, err := r.send(ctx, client, r.base().String()+path, what, accept...)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer r.drop(resp)
	return nil, r.refused(resp, what)
}

func (r *repository) send(ctx context.Context, client *auth.Client, link, what string, accept ...string) (*http.Response, error) {
	ctx = auth.AppendScopesForHost(ctx, r.host, auth.ScopeRepository(r.repo, auth.ActionPull))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil) // a nil body: with http.NoBody the retrying transport would not dare to ask twice
	if err != nil {
		return nil, r.broken(what, err)
	}
	if len(accept) > 0 {
		req.Header.Set("Accept", strings.Join(accept, ", ")) // in one line: some registries read only the first
	}
	if token := r.web.store.token(r.name, r.repo); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, r.broken(what, err)
	}
	return resp, nil
}

// drop reads a little of what is left, so that the connection can be used again, and closes the body.
func (r *repository) drop(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, r.limits.ErrorBodyBytes)
	_ = resp.Body.Close()
}

func (r *repository) document(ctx context.Context, tagOrDigest string) (document, error) {
	what := fmt.Sprintf("fetching manifest %q", tagOrDigest)
	resp, err := r.get(ctx, r.client, "/v2/"+r.repo+"/manifests/"+tagOrDigest, what, manifestTypes...)
	if err != nil {
		return document{}, err
	}
	defer r.drop(resp)
	body, err := readBounded(resp.Body, fmt.Sprintf("manifest %q", tagOrDigest), resp.ContentLength, r.limits.manifest())
	if err != nil {
		return document{}, r.bodyError(what, tagOrDigest, err)
	}
	digest := digestOf(body)
	if strings.Contains(tagOrDigest, ":") && digest != tagOrDigest {
		return document{}, mismatch("manifest", tagOrDigest, digest)
	}
	if said := resp.Header.Get("Docker-Content-Digest"); said != "" && said != digest {
		return document{}, &ArtifactError{
			Code: "artifact.digest_mismatch", Digest: digest,
			Message: fmt.Sprintf("the registry says that manifest %q is %q, but its bytes are %s", tagOrDigest, shorten(said, 200), digest),
		}
	}
	return parseDocument(body, contentType(resp), r.limits)
}

// contentType is the announced media type without parameters. The vague types of plain file servers announce nothing.
func contentType(resp *http.Response) string {
	t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || t == "application/json" || t == "application/octet-stream" || t == "text/plain" {
		return ""
	}
	return t
}

func (r *repository) open(ctx context.Context, d descriptor, what string) (io.ReadCloser, error) {
	op := "fetching " + what + " " + d.Digest
	resp, err := r.get(ctx, r.client, "/v2/"+r.repo+"/blobs/"+d.Digest, op)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength >= 0 && resp.ContentLength != d.Size {
		_ = resp.Body.Close()
		return nil, wrongSize(what, d, resp.ContentLength)
	}
	return &stream{repository: r, op: op, next: r.watched(resp.Body, what, d), body: resp.Body}, nil
}

// stream is the body of a blob, whose errors say which registry broke off.
type stream struct {
	repository *repository
	op         string
	next       io.Reader
	body       io.Closer
}

// Read passes on what arrives.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.next.Read(p)
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, &RegistryError{Code: "registry.short", Registry: s.repository.name, Repository: s.repository.repo, Op: s.op, Message: "the answer ended early", Err: errShort}
	}
	return n, s.repository.broken(s.op, err)
}

// Close ends the stream.
func (s *stream) Close() error { return s.body.Close() }

// bodyError words what went wrong while a body was read.
func (r *repository) bodyError(op, digest string, err error) error {
	if errors.Is(err, errShort) {
		return &RegistryError{Code: "registry.short", Registry: r.name, Repository: r.repo, Op: op, Message: fmt.Sprintf("the answer for %s ended early", digest), Err: err}
	}
	return r.broken(op, err)
}

// refused words an answer other than 200. What the registry says is quoted, shortened, and never decides anything.
func (r *repository) refused(resp *http.Response, op string) *RegistryError {
	e := r.status(op, resp.StatusCode)
	body, err := io.ReadAll(io.LimitReader(resp.Body, r.limits.ErrorBodyBytes)) //nolint:forbidigo // bounded on this line
	var said struct {
		Errors errcode.Errors `json:"errors"`
	}
	if err == nil && json.Unmarshal(body, &said) == nil {
		e.Message += quoteFirst(said.Errors)
	}
	return e
}

// quoteFirst gives the first of a registry's own words.
func quoteFirst(said errcode.Errors) string {
	if len(said) == 0 {
		return ""
	}
	return fmt.Sprintf(" (%q: %q)", shorten(said[0].Code, 60), shorten(said[0].Message, 200))
}

// status words an HTTP status.
func (r *repository) status(op string, status int) *RegistryError {
	e := &RegistryError{Registry: r.name, Repository: r.repo, Op: op, Status: status}
	switch code := status; {
	case code == http.StatusUnauthorized:
		e.Code, e.Message, e.Hint = "registry.unauthorized", "it wants a login", "log in with docker login "+r.name+" or podman login "+r.name
	case code == http.StatusForbidden:
		e.Code, e.Message, e.Hint = "registry.forbidden", "it denies access", "check that the account has access to "+r.repo
	case code == http.StatusNotFound:
		e.Code, e.Message, e.Err = "registry.not_found", "it is not there", errAbsent
		e.Hint = "check the name and the tag; some registries also answer so for what an account may not see"
	case code == http.StatusTooManyRequests:
		e.Code, e.Message, e.Hint = "registry.rate_limited", "it answers too many requests", "wait, or log in: anonymous clients are limited first"
	case code >= 500:
		e.Code, e.Message = "registry.server", fmt.Sprintf("it failed with status %d", code)
	default:
		e.Code, e.Message = "registry.status", fmt.Sprintf("it answers with status %d", code)
	}
	return e
}

// broken words a request that got no answer.
func (r *repository) broken(op string, err error) error {
	var (
		own *RegistryError
		le  *LimitError
		ae  *ArtifactError
	)
	switch {
	case errors.As(err, &own):
		if own.Op == opAny {
			own.Op = op
		}
		return own
	case errors.As(err, &le):
		return le
	case errors.As(err, &ae):
		return ae
	}
	e := &RegistryError{Code: "registry.unreachable", Registry: r.name, Repository: r.repo, Op: op, Message: reason(err), Err: err}
	var answer *errcode.ErrorResponse
	var netErr net.Error
	switch {
	case errors.Is(err, context.Canceled):
		e.Code, e.Message = "registry.cancelled", "it was cancelled"
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout():
		e.Code, e.Message = "registry.timeout", "it did not answer in time"
	case errors.As(err, &answer) && answer.URL != nil && strings.HasPrefix(answer.URL.Path, "/v2/"+r.repo+"/"):
		e = r.status(op, answer.StatusCode)
		e.Message += quoteFirst(answer.Errors)
	case errors.As(err, &answer):
		e = r.status(op, answer.StatusCode)
		e.Message = fmt.Sprintf("its token service answers with status %d", answer.StatusCode)
		if answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden {
			e.Code, e.Hint = "registry.unauthorized", "check the login with docker login "+r.name+" or podman login "+r.name
		}
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		e.Code, e.Message, e.Hint = "registry.unauthorized", "it wants a login", "log in with docker login "+r.name+" or podman login "+r.name
	case errors.Is(err, http.ErrSchemeMismatch):
		e.Code, e.Message, e.Hint = "registry.plain_http", "it does not speak HTTPS", "list it as a plain-HTTP registry if its network is trusted"
	case strings.Contains(err.Error(), "bearer realm"):
		e.Code = "registry.realm"
		e.Hint = "serve tokens from the registry's own host name, or put a registry token into the credentials file as \"registrytoken\""
	case strings.Contains(err.Error(), "x509: ") || strings.Contains(err.Error(), "tls: "):
		e.Code, e.Hint = "registry.tls", "give the registry's certificate authority with --registry-cacert"
	}
	return e
}

// reason is the innermost text of an error, quoted where it may hold foreign words.
func reason(err error) string {
	var ue *url.Error
	for errors.As(err, &ue) {
		err = ue.Err
	}
	return shorten(strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, err.Error()), 300)
}
