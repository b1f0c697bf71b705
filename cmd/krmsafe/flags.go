package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/verify"
)

// maxKeyBytes bounds a public key file.
const maxKeyBytes = 64 << 10

// moduleFlags name the module and who is trusted to have signed it. Every verb
// that fetches a module has them.
type moduleFlags struct {
	image          string
	file           string
	keys           []string
	allowUnsigned  bool
	registryConfig []string
	registryCA     string
	plainHTTP      []string
	pullTimeout    time.Duration
}

func (f *moduleFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.image, "image", "", "module as an OCI artifact: registry/repo[:tag][@sha256:…] or oci-layout:DIR[:tag]")
	flags.StringVar(&f.file, "file", "", "module as a local .wasm file")
	flags.StringArrayVar(&f.keys, "key", nil, "file with the PEM public key of a trusted signer (repeat for several)")
	flags.BoolVar(&f.allowUnsigned, "allow-unsigned", false, "let a module that nobody signed go on to the policy; lowers safety")
	flags.StringArrayVar(&f.registryConfig, "registry-config", nil, "docker config.json or podman auth.json with registry credentials (default: docker's)")
	flags.StringVar(&f.registryCA, "registry-cacert", "", "file with PEM certificates to trust for registries")
	flags.StringArrayVar(&f.plainHTTP, "allow-http-registry", nil, "registry HOST[:PORT] to speak plain HTTP to; loopback needs no flag")
	flags.DurationVar(&f.pullTimeout, "pull-timeout", time.Minute, "time that fetching the module may take")
}

func (f *moduleFlags) client(getenv func(string) string) (*oci.Client, error) {
	files := f.registryConfig
	if len(files) == 0 {
		if dir := getenv("DOCKER_CONFIG"); dir != "" {
			files = []string{filepath.Join(dir, "config.json")}
		} else if home, err := os.UserHomeDir(); err == nil {
			files = []string{filepath.Join(home, ".docker", "config.json")}
		}
	}
	client, err := oci.New(oci.Config{
		CredentialFiles: files,
		CAFile:          f.registryCA,
		PlainHTTP:       f.plainHTTP,
		Timeout:         f.pullTimeout,
		Proxy:           http.ProxyFromEnvironment,
		UserAgent:       "krmsafe/" + readVersion().Version,
	})
	var bad *oci.ConfigError
	if errors.As(err, &bad) {
		return nil, &pipeline.UsageError{Message: bad.Error()}
	}
	return client, err
}

// verifier trusts the keys that were named, for every reference. Without keys
// it is nil: nobody is trusted.
func (f *moduleFlags) verifier() (*verify.Verifier, error) {
	if len(f.keys) == 0 {
		return nil, nil
	}
	rule := verify.Rule{Name: "--key", Match: []string{"**"}}
	for _, name := range f.keys {
		pem, err := readBounded(name, maxKeyBytes)
		if err != nil {
			return nil, fmt.Errorf("reading the key: %w", err)
		}
		rule.Authorities = append(rule.Authorities, verify.Authority{
			Name: strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)),
			Key:  &verify.Key{PEM: pem, Source: name},
		})
	}
	return verify.New(verify.TrustPolicy{Rules: []verify.Rule{rule}})
}

// runtimeFacts is what a policy is told of the place where a module runs.
func runtimeFacts(engine, jail string) policy.Runtime {
	return policy.Runtime{Engine: engine, Jail: jail, OS: runtime.GOOS, Arch: runtime.GOARCH}
}

// readBounded reads a file of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return readAll(f, name, limit)
}

// readAll reads r to its end, or fails where that lies beyond limit bytes.
func readAll(r io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1)) //nolint:forbidigo // bounded by the line itself
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("reading %s: it is larger than %d bytes", name, limit)
	}
	return data, nil
}

// oneOf checks a flag that takes one of a few words.
func oneOf(flag, value string, words ...string) error {
	if slices.Contains(words, value) {
		return nil
	}
	return &pipeline.UsageError{Message: fmt.Sprintf("%s %q is unknown", flag, value), Hint: "use " + strings.Join(words, ", ")}
}
