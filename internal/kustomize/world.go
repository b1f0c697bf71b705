package kustomize

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// A world is what kustomize finds around it during a build: a plugin home and a folder for clones that are its own, a
// docker that cannot be started, and HTTP only where it is allowed.
type world struct {
	dir     string // temporary, with all symbolic links followed
	env     map[string]string
	getenv  func(string) string
	network http.RoundTripper
	refused []string // addresses that were asked for and not allowed
}

// enter changes the process's surroundings for one build.
func enter(o Options) (*world, error) {
	dir, err := os.MkdirTemp("", "krmsafe-build-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the build: %w", err)
	}
	w := &world{env: map[string]string{}, getenv: o.Getenv, network: http.DefaultTransport} //nolint:forbidigo // kustomize has no client of its own to be given
	if w.dir, err = filepath.EvalSymlinks(dir); err == nil {
		err = w.furnish()
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("making a folder for the build: %w", err)
	}
	for _, key := range []string{"TMPDIR", "TMP", "TEMP"} {
		w.set(key, w.clones())
	}
	w.set("KUSTOMIZE_PLUGIN_HOME", filepath.Join(w.dir, "plugins"))
	w.set("PATH", filepath.Join(w.dir, "bin")+string(os.PathListSeparator)+o.Getenv("PATH"))
	http.DefaultTransport = &transport{world: w, allowed: o.AllowRemote} //nolint:forbidigo // put back by leave
	return w, nil
}

// furnish makes the folders, and a docker that every system refuses to start: an empty file.
func (w *world) furnish() error {
	for _, name := range []string{"plugins", "clones", "bin"} {
		if err := os.Mkdir(filepath.Join(w.dir, name), 0o700); err != nil {
			return err
		}
	}
	for _, name := range []string{"docker", "docker.exe"} {
		if err := os.WriteFile(filepath.Join(w.dir, "bin", name), nil, 0o700); err != nil { // #nosec G306 -- it must be found
			return err
		}
	}
	return nil
}

func (w *world) set(key, value string) {
	w.env[key] = w.getenv(key)
	_ = os.Setenv(key, value)
}

// leave puts everything back and removes the clones.
func (w *world) leave() {
	http.DefaultTransport = w.network //nolint:forbidigo // see enter
	for key, value := range w.env {
		if value == "" {
			_ = os.Unsetenv(key)
		} else {
			_ = os.Setenv(key, value)
		}
	}
	_ = os.RemoveAll(w.dir)
}

func (w *world) clones() string { return filepath.Join(w.dir, "clones") }

// clone gives the root of the clone that a path lies in.
func (w *world) clone(path string) (root string, in bool) {
	rel, err := filepath.Rel(w.clones(), path)
	if err != nil || rel == "." || !filepath.IsLocal(rel) {
		return "", false
	}
	first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
	return filepath.Join(w.clones(), first), true
}

// maxRemoteBytes bounds one file that is read over HTTP.
const maxRemoteBytes = 64 << 20

// transport is the way to the network that kustomize finds.
type transport struct {
	world   *world
	allowed bool
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	address := req.URL.Redacted()
	if !t.allowed {
		t.world.refused = append(t.world.refused, address)
		return nil, fmt.Errorf("reading %q over HTTP is not allowed", address)
	}
	resp, err := t.world.network.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: maxRemoteBytes, address: address}
	return resp, nil
}

// bounded is a body that fails where it is larger than it may be.
type bounded struct {
	io.ReadCloser
	left    int64
	address string
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("%q is larger than %d MiB", b.address, maxRemoteBytes>>20)
	}
	return n, err
}

// below reports whether a path lies in a folder or is it, by name.
func below(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && (rel == "." || filepath.IsLocal(rel))
}
