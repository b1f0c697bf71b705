package verify

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// tufRoot is the root of trust of the public Sigstore instance's update
// repository, from the same seeds as the trusted root.
//
//go:embed tuf_root.json
var tufRoot []byte

// PublicUpdates is where the public Sigstore instance publishes its trusted
// root.
const PublicUpdates = tuf.DefaultMirror

// ErrNotFound is what Updates.Get returns for a file that is not there.
var ErrNotFound = errors.New("not found")

// Updates says where a newer trusted root comes from: a repository of The
// Update Framework (TUF), whose metadata is signed, dated and bounded.
type Updates struct {
	// URL is the repository; by default PublicUpdates.
	URL string
	// Root is the repository's root.json to begin with; by default the
	// embedded one of the public instance.
	Root []byte
	// Get fetches a file of at most maxBytes bytes, or returns ErrNotFound.
	// Nothing it returns is believed before its signatures and dates are
	// checked against the system's clock.
	Get func(ctx context.Context, url string, maxBytes int64) ([]byte, error)
}

// TrustedRoot returns the newest trusted root, JSON, fit for TrustRoot.JSON.
// It is meant for a machine with a network: what it returned is kept in a file
// and verification uses the file, because metadata expires within days and a
// verification must not depend on when it is done. Nothing is cached.
func (u Updates) TrustedRoot(ctx context.Context) ([]byte, error) {
	if u.Get == nil {
		return nil, errors.New("updating the trusted root: there is nothing to fetch with")
	}
	o := &tuf.Options{
		RepositoryBaseURL: either(u.URL, PublicUpdates), Root: u.Root, DisableLocalCache: true, Fetcher: &fetcher{ctx: ctx, get: u.Get}, Context: ctx,
	}
	if len(o.Root) == 0 {
		o.Root = tufRoot
	}
	c, err := tuf.New(o)
	if err != nil {
		return nil, fmt.Errorf("updating the trusted root from %q: %s", o.RepositoryBaseURL, oneLine(err.Error()))
	}
	data, err := c.GetTarget("trusted_root.json")
	if err != nil {
		return nil, fmt.Errorf("updating the trusted root from %q: %s", o.RepositoryBaseURL, oneLine(err.Error()))
	}
	if _, err := compileRoot(&TrustRoot{JSON: data, Source: o.RepositoryBaseURL}); err != nil {
		return nil, err
	}
	return data, nil
}

// A fetcher is what go-tuf fetches with, for the time of one call.
type fetcher struct {
	ctx context.Context //nolint:containedctx // go-tuf's interface has none, and the value lives as long as the call
	get func(context.Context, string, int64) ([]byte, error)
}

// DownloadFile implements go-tuf's fetcher.Fetcher. Its errors are all of
// go-tuf's download kind: it stops asking for newer roots at the first that is
// not found.
func (f *fetcher) DownloadFile(url string, maxBytes int64, _ time.Duration) ([]byte, error) {
	if err := f.ctx.Err(); err != nil {
		return nil, &metadata.ErrDownload{Msg: err.Error()}
	}
	data, err := f.get(f.ctx, url, maxBytes)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, &metadata.ErrDownloadHTTP{StatusCode: http.StatusNotFound, URL: url}
	case err != nil:
		return nil, &metadata.ErrDownload{Msg: err.Error()}
	case int64(len(data)) > maxBytes:
		return nil, &metadata.ErrDownloadLengthMismatch{Msg: fmt.Sprintf("%s is %d bytes; at most %d are read", url, len(data), maxBytes)}
	}
	return data, nil
}
