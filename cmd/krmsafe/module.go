package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/cache"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/verify"
)

// nameFlags name the module.
type nameFlags struct {
	image string
	file  string
}

func (f *nameFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.image, "image", "", "module as an OCI artifact: registry/repo[:tag][@sha256:…] or oci-layout:DIR[:tag]")
	flags.StringVar(&f.file, "file", "", "module as a local .wasm file")
}

// originFlags say where modules come from and who is trusted to have signed them.
type originFlags struct {
	allowUnsigned bool
	trust         trustFlags
	registry      registryFlags
}

// allowUnsignedUsage is what --allow-unsigned means to every verb that has it.
const allowUnsignedUsage = "let a module that nobody signed go on to the policy; lowers safety"

func (f *originFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.allowUnsigned, "allow-unsigned", false, allowUnsignedUsage)
	f.trust.register(cmd)
	f.registry.register(cmd)
}

// verifier gives what verifies, nil where nobody is trusted, what verifies compiled
// code, nil where nobody is trusted with that, and where to fetch instead.
func (f *originFlags) verifier() ([]verify.Mirror, *verify.Verifier, *verify.CodeVerifier, error) {
	trust, err := f.trust.policy()
	if err != nil || len(trust.Rules) == 0 {
		return trust.Mirrors, nil, nil, err
	}
	verifier, err := verify.New(trust)
	if err != nil {
		return trust.Mirrors, nil, nil, err
	}
	code, err := verify.NewCode(trust)
	return trust.Mirrors, verifier, code, err
}

// judges gives what fetches and what verifies. The verifier is nil where nobody
// is trusted.
func (f *originFlags) judges(a *app) (*oci.Client, *verify.Verifier, error) {
	mirrors, verifier, _, err := f.verifier()
	if err != nil {
		return nil, nil, err
	}
	client, err := f.registry.client(a, mirrors)
	return client, verifier, err
}

// moduleFlags name the module, where it comes from and who is trusted to have
// signed it. Every verb that judges one module has them.
type moduleFlags struct {
	nameFlags
	originFlags
}

func (f *moduleFlags) register(cmd *cobra.Command) {
	f.nameFlags.register(cmd)
	f.originFlags.register(cmd)
}

// registryFlags say how registries are spoken to.
type registryFlags struct {
	credentials []string
	ca          string
	plainHTTP   []string
	platform    string
	tokenHosts  []string
	cacheDir    string
	offline     bool
	publicOnly  bool // refuse private addresses: the reference is not the operator's
	timeout     time.Duration
}

func (f *registryFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.credentials, "registry-config", nil, "docker config.json or podman auth.json with registry credentials (default: docker's, then podman's)")
	flags.StringVar(&f.ca, "registry-cacert", "", "file with PEM certificates to trust for registries")
	flags.StringArrayVar(&f.plainHTTP, "allow-http-registry", nil, "registry HOST[:PORT] to speak plain HTTP to; loopback needs no flag")
	flags.StringArrayVar(&f.tokenHosts, "registry-token-host", nil, "REGISTRY=HOST: give the registry's credentials to HOST as well, for a token")
	flags.StringVar(&f.platform, "platform", "", "child of an index to choose, as os/arch (default: wasi/wasm or wasip1/wasm)")
	flags.StringVar(&f.cacheDir, "cache-dir", "auto", "folder in which fetched content is kept by digest, or none (default: krmsafe in the user's cache folder)")
	flags.BoolVar(&f.offline, "offline", false, "open no connection at all: only OCI layouts and files")
	flags.DurationVar(&f.timeout, "pull-timeout", time.Minute, "time that fetching the module may take")
}

func (f *registryFlags) client(a *app, mirrors []verify.Mirror) (*oci.Client, error) {
	cfg := oci.Config{
		Offline:         f.offline,
		PublicOnly:      f.publicOnly,
		CredentialFiles: f.credentials,
		CAFile:          f.ca,
		PlainHTTP:       f.plainHTTP,
		Platform:        f.platform,
		Timeout:         f.timeout,
		Proxy:           http.ProxyFromEnvironment,
		Progress:        progress(a.err),
		UserAgent:       "krmsafe/" + readVersion().Version,
	}
	if len(cfg.CredentialFiles) == 0 {
		cfg.CredentialFiles = slices.DeleteFunc(oci.CredentialPaths(a.getenv), unreadable)
	}
	for _, pair := range f.tokenHosts {
		registry, host, ok := strings.Cut(pair, "=")
		if !ok || registry == "" || host == "" {
			return nil, &pipeline.UsageError{Message: fmt.Sprintf("--registry-token-host %q is not REGISTRY=HOST", pair)}
		}
		if cfg.TokenHosts == nil {
			cfg.TokenHosts = map[string][]string{}
		}
		cfg.TokenHosts[registry] = append(cfg.TokenHosts[registry], host)
	}
	for _, m := range mirrors {
		cfg.Mirrors = append(cfg.Mirrors, oci.Mirror(m))
	}
	if blobs, err := f.cache(a.getenv); err != nil {
		return nil, err
	} else if blobs != nil {
		cfg.Cache = blobs
	}
	client, err := oci.New(cfg)
	var bad *oci.ConfigError
	if errors.As(err, &bad) {
		return nil, &pipeline.UsageError{Message: bad.Error()}
	}
	return client, err
}

// unreadable reports whether a file that nobody named is somebody else's, as root's
// are where HOME was not changed with the user. Without it the registry is asked
// anonymously.
func unreadable(name string) bool {
	f, err := os.Open(name) // #nosec G304 -- docker's and podman's own places
	if err == nil {
		_ = f.Close()
	}
	return errors.Is(err, fs.ErrPermission)
}

// cacheBytes is how much the cache of fetched content may hold.
const cacheBytes = 1 << 30

// cache opens the folder for fetched content; nil where there is none. A folder
// that was named and cannot be used is an error, one that was not is done
// without.
func (f *registryFlags) cache(getenv func(string) string) (*cache.Blobs, error) {
	dir := f.cacheDir
	switch {
	case dir == "none" || f.offline:
		return nil, nil
	case dir == "auto" && getenv("KRMSAFE_CACHE") != "":
		dir = getenv("KRMSAFE_CACHE")
	case dir == "auto":
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, nil //nolint:nilerr // no home, no cache
		}
		blobs, err := cache.Open(filepath.Join(base, "krmsafe", "blobs"), cacheBytes, time.Now) //nolint:forbidigo // age of content only
		if err != nil {
			return nil, nil //nolint:nilerr // a run does not need it
		}
		return blobs, nil
	}
	blobs, err := cache.Open(dir, cacheBytes, time.Now) //nolint:forbidigo // age of content only
	if err != nil {
		return nil, &pipeline.UsageError{Message: err.Error(), Hint: "name a folder of your own, or --cache-dir none"}
	}
	return blobs, nil
}
