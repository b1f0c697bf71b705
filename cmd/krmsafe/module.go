package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/verify"
)

// moduleFlags name the module, where it comes from and who is trusted to have
// signed it. Every verb that judges a module has them.
type moduleFlags struct {
	image         string
	file          string
	allowUnsigned bool
	trust         trustFlags
	registry      registryFlags
}

func (f *moduleFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.image, "image", "", "module as an OCI artifact: registry/repo[:tag][@sha256:…] or oci-layout:DIR[:tag]")
	flags.StringVar(&f.file, "file", "", "module as a local .wasm file")
	flags.BoolVar(&f.allowUnsigned, "allow-unsigned", false, "let a module that nobody signed go on to the policy; lowers safety")
	f.trust.register(cmd)
	f.registry.register(cmd)
}

// judges gives what fetches and what verifies. The verifier is nil where nobody
// is trusted.
func (f *moduleFlags) judges(getenv func(string) string) (*oci.Client, *verify.Verifier, error) {
	trust, err := f.trust.policy()
	if err != nil {
		return nil, nil, err
	}
	client, err := f.registry.client(getenv, trust.Mirrors)
	if err != nil || len(trust.Rules) == 0 {
		return client, nil, err
	}
	verifier, err := verify.New(trust)
	return client, verifier, err
}

// registryFlags say how registries are spoken to.
type registryFlags struct {
	credentials []string
	ca          string
	plainHTTP   []string
	platform    string
	tokenHosts  []string
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
	flags.BoolVar(&f.offline, "offline", false, "open no connection at all: only OCI layouts and files")
	flags.DurationVar(&f.timeout, "pull-timeout", time.Minute, "time that fetching the module may take")
}

func (f *registryFlags) client(getenv func(string) string, mirrors []verify.Mirror) (*oci.Client, error) {
	cfg := oci.Config{
		Offline:         f.offline,
		PublicOnly:      f.publicOnly,
		CredentialFiles: f.credentials,
		CAFile:          f.ca,
		PlainHTTP:       f.plainHTTP,
		Platform:        f.platform,
		Timeout:         f.timeout,
		Proxy:           http.ProxyFromEnvironment,
		UserAgent:       "krmsafe/" + readVersion().Version,
	}
	if len(cfg.CredentialFiles) == 0 {
		cfg.CredentialFiles = oci.CredentialPaths(getenv)
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
	client, err := oci.New(cfg)
	var bad *oci.ConfigError
	if errors.As(err, &bad) {
		return nil, &pipeline.UsageError{Message: bad.Error()}
	}
	return client, err
}
