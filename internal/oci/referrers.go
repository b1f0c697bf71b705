package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// referrers asks the Referrers API, and where there is none, or it knows of nothing, the fallback tag.
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
func (r *repository) referrers(ctx context.Context, digest string) ([]candidate, error) {
	found, err := r.referrersAPI(ctx, digest)
	if err != nil || len(found) > 0 {
		return found, err
	}
	return fallback(ctx, r, digest)
}

// noSuchAPI are the statuses in which registries answer for a path they do not know. 401, 403, 429 and 5xx are none of them: a registry
// that knows the path and will not answer must not pass for one without signatures.
var noSuchAPI = []int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented}

// referrersAPI reads all pages. It answers nothing where the registry has no such API, in the ways in which registries say so.
func (r *repository) referrersAPI(ctx context.Context, digest string) ([]candidate, error) {
	op := "listing referrers of " + digest
	prefix := "/v2/" + r.repo + "/referrers/"
	link := r.base().JoinPath(prefix, digest).String()
	var found []candidate
	for page := int64(1); link != ""; page++ {
		if page > r.limits.ReferrerPages {
			return nil, r.limits.pages().exceeded("pages of referrers of "+digest, page)
		}
		list, next, err := r.referrersPage(ctx, link, op, prefix)
		if err != nil {
			return nil, err
		}
		for _, d := range list {
			if found = append(found, candidate{digest: d.Digest, source: FromReferrers}); int64(len(found)) > r.limits.Referrers {
				return nil, r.limits.referrers().exceeded("referrers of "+digest, int64(len(found)))
			}
		}
		link = next
	}
	return found, nil
}

func (r *repository) referrersPage(ctx context.Context, link, op, prefix string) ([]descriptor, string, error) {
	resp, err := r.send(ctx, r.still, link, op, typeOCIIndex)
	if err != nil {
		return nil, "", err
	}
	defer r.drop(resp)
	switch code := resp.StatusCode; {
	case slices.Contains(noSuchAPI, code) || code >= 300 && code < 400:
		return nil, "", nil
	case code != http.StatusOK:
		return nil, "", r.refused(resp, op)
	case contentType(resp) != typeOCIIndex:
		return nil, "", nil // a web page, or a registry that took the path for something else
	}
	body, err := readBounded(resp.Body, "referrer list", resp.ContentLength, r.limits.manifest())
	if err != nil {
		return nil, "", r.bodyError(op, "the list", err)
	}
	index, err := parseDocument(body, typeOCIIndex, r.limits)
	if err != nil {
		return nil, "", r.brokenList(op, err)
	}
	next, err := nextLink(resp, prefix)
	if err != nil {
		return nil, "", r.brokenList(op, err)
	}
	return index.Manifests, next, nil
}

// brokenList says that the list itself cannot be read. That is the registry's failure and not an empty list.
func (r *repository) brokenList(op string, err error) error {
	var le *LimitError
	if errors.As(err, &le) {
		return le
	}
	return &RegistryError{Code: "registry.malformed", Registry: r.name, Repository: r.repo, Op: op, Message: "its answer cannot be read: " + err.Error()}
}

// nextLink reads the Link header (RFC 8288) of a paged list. The next page must be of the same list.
func nextLink(resp *http.Response, prefix string) (string, error) {
	target, ok := relNext(strings.Join(resp.Header.Values("Link"), ","))
	if !ok {
		return "", nil
	}
	ref, err := url.Parse(target)
	if err != nil {
		return "", fmt.Errorf("the next page is %q", shorten(target, 200))
	}
	next := resp.Request.URL.ResolveReference(ref)
	if !sameHost(next, resp.Request.URL) || !strings.HasPrefix(next.Path, prefix) || next.User != nil {
		return "", fmt.Errorf("the next page lies elsewhere: %q", shorten(next.Redacted(), 200))
	}
	return next.String(), nil
}

// relNext finds the target whose relation is next.
func relNext(header string) (target string, ok bool) {
	for {
		_, rest, found := strings.Cut(header, "<")
		if !found {
			return "", false
		}
		target, rest, found = strings.Cut(rest, ">")
		if !found {
			return "", false
		}
		params, _, _ := strings.Cut(rest, "<")
		params = strings.NewReplacer(" ", "", `"`, "").Replace(strings.ToLower(params))
		for p := range strings.FieldsFuncSeq(params, func(r rune) bool { return r == ';' || r == ',' }) {
			if p == "rel=next" {
				return target, true
			}
		}
		header = rest
	}
}

// fallback reads the index that clients keep at the tag sha256-HEX for registries without the Referrers API. Some registries answer
// with other things there (GitLab with the subject itself), so whatever is no index counts as nothing.
func fallback(ctx context.Context, src source, digest string) ([]candidate, error) {
	index, err := src.document(ctx, tagOf(digest))
	if absent(err) {
		return nil, nil
	}
	var ae *ArtifactError
	var le *LimitError
	switch {
	case errors.As(err, &ae):
		return []candidate{{rejected: &Rejection{Code: ae.Code, Source: FromReferrersTag, Reason: ae.Message}}}, nil
	case errors.As(err, &le):
		return []candidate{{rejected: &Rejection{Code: le.Limit, Source: FromReferrersTag, Reason: le.Error()}}}, nil
	case err != nil:
		return nil, err
	case !index.isIndex():
		return nil, nil
	}
	found := make([]candidate, 0, len(index.Manifests))
	for _, d := range index.Manifests {
		found = append(found, candidate{digest: d.Digest, source: FromReferrersTag})
	}
	return found, nil
}
