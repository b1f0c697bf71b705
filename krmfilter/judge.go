package krmfilter

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/krmsafe/krmsafe/internal/cache"
	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
	"github.com/krmsafe/krmsafe/sandbox"
	"github.com/krmsafe/krmsafe/verify"
)

// Config says with what a Judge judges. It is checked by New and not changed after. The zero Config is refused: it names
// no policy.
type Config struct {
	// Policy decides whether a module may run, with which limits and grants, what it sees, and what it may change.
	Policy Policy
	// Trust says whose signatures count. The zero TrustPolicy trusts nobody, and every module is refused unless
	// AllowUnsigned is set.
	Trust verify.TrustPolicy
	// AllowUnsigned lets a module that nobody signed go on to the policy, which sees that and may still refuse. It is right
	// for a module that the program brings along, and an error together with Trust.
	AllowUnsigned bool
	// Registry says how images are fetched. Its zero value asks registries anonymously and keeps nothing.
	Registry Registry
	// Engine and Jail are those of the sandbox. Empty is sandbox.EngineAuto and sandbox.JailFull.
	Engine sandbox.Engine
	Jail   sandbox.Jail
	// Cache keeps compiled code between runs, so that large modules start in a fraction of the time. It comes from
	// sandbox.OpenCache and is closed by who opened it, after the Judge. Nil keeps nothing.
	Cache *sandbox.Cache
	// Now is the clock, time.Now outside of tests. It gives a policy the date and the cache the age of what it holds. Where
	// it is nil, dated exceptions of a policy do not hold and there is no cache.
	Now func() time.Time
}

// Policy is Rego that decides. What comes with krmsafe is evaluated in this process, any other in a confined child.
type Policy struct {
	// Builtin names policies that krmsafe ships: baseline, ci-gate, generators, strict, third-party.
	Builtin []string
	// Sources is Rego of one's own, as policy.SourcesPath reads it from a folder and policy.BundleFromTar from a bundle.
	Sources []policy.Source
	// Params is a JSON object that policies read as data.params, or empty.
	Params []byte
	// Permissive names what the policy may allow although nobody can want it; see policy.Config. It lowers safety.
	Permissive []string
}

// Registry says how images are fetched.
type Registry struct {
	// Offline opens no connection: images come from OCI layouts only.
	Offline bool
	// CredentialFiles are docker's config.json or podman's auth.json. A file that does not exist is skipped.
	CredentialFiles []string
	// CAFile holds PEM certificates to trust for registries in addition to the system's.
	CAFile string
	// PlainHTTP are registries, as HOST[:PORT], that are spoken to over HTTP. Loopback needs no entry.
	PlainHTTP []string
	// Proxy finds the proxy of a request, as http.ProxyFromEnvironment does; nil means none.
	Proxy func(*http.Request) (*url.URL, error)
	// CacheDir is a folder of one's own in which fetched content is kept by digest, up to 1 GiB. Empty keeps nothing.
	CacheDir string
	// Timeout bounds the fetching of one module. Zero is a minute.
	Timeout time.Duration
}

// Judge is what the Filters of a program share: a policy, whom to trust, and a sandbox. It may be used by several
// goroutines at once. It keeps the modules that it has judged, at most 64 MiB each, until it is closed: a file or a tag
// that changes meanwhile changes nothing.
type Judge struct {
	pipeline *pipeline.Pipeline
	box      *sandbox.Sandbox
	jailed   *policy.Jailed // nil where the policy is evaluated here
}

// New loads the policy and checks cfg. The error is a *ConfigError, or one of packages policy and verify. A Judge must be
// closed.
func New(ctx context.Context, cfg Config) (judge *Judge, err error) {
	j := &Judge{}
	defer func() {
		if err != nil {
			_ = j.Close()
		}
	}()
	out := pipeline.Config{
		AllowUnsigned: cfg.AllowUnsigned, KRM: krm.DefaultLimits(), Random: rand.Reader,
		PolicyName: cfg.Policy.name(), Flags: policy.Flags{PermissivePolicy: cfg.Policy.Permissive},
		Runtime: policy.Runtime{
			Engine: or(string(cfg.Engine), policy.EngineAuto), Jail: or(string(cfg.Jail), policy.JailFull), OS: runtime.GOOS, Arch: runtime.GOARCH,
		},
	}
	if cfg.Now != nil {
		out.Date = cfg.Now().UTC().Format(time.DateOnly)
	}
	if len(cfg.Trust.Rules) > 0 {
		if out.Verifier, err = verify.New(cfg.Trust); err != nil {
			return nil, err
		}
	}
	if out.Registry, err = cfg.Registry.client(cfg.Trust.Mirrors, cfg.Now); err != nil {
		return nil, err
	}
	if j.box, err = sandbox.New(sandbox.Config{Engine: cfg.Engine, Jail: cfg.Jail, Cache: cfg.Cache}); err != nil {
		return nil, &ConfigError{Code: "config.sandbox", Message: err.Error(), Hint: "leave Engine and Jail empty, or use the constants of package sandbox"}
	}
	out.Sandbox = j.box
	if out.Policy, err = j.load(ctx, cfg.Policy, out.Runtime.Jail); err != nil {
		return nil, err
	}
	if j.pipeline, err = pipeline.New(out); err != nil {
		return nil, configError(err)
	}
	return j, nil
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// name is what reports call a policy.
func (p Policy) name() string {
	names := make([]string, 0, len(p.Builtin)+1)
	for _, b := range p.Builtin {
		names = append(names, "builtin:"+b)
	}
	if len(p.Sources) > 0 {
		names = append(names, "sources")
	}
	return strings.Join(names, ",")
}

// load compiles the policy, its own Rego in a confined child.
func (j *Judge) load(ctx context.Context, p Policy, level string) (*policy.Policy, error) {
	if len(p.Builtin) == 0 && len(p.Sources) == 0 {
		return nil, &ConfigError{Code: "config.policy", Message: "no policy is named", Hint: `set Policy.Builtin to []string{"baseline"}, or Policy.Sources to Rego of your own`}
	}
	cfg := policy.Config{Params: p.Params, Permissive: p.Permissive, Sources: []policy.Source{}}
	var err error
	if cfg.Library, err = policy.SourcesFS(policies.FS, "lib"); err != nil {
		return nil, err
	}
	if cfg.Defaults, err = policy.SourcesFS(policies.FS, "baseline"); err != nil {
		return nil, err
	}
	for _, name := range p.Builtin {
		if name == "lib" || strings.ContainsAny(name, `/\.`) || name == "" {
			return nil, noBuiltin(name)
		}
		sources, err := policy.SourcesFS(policies.FS, name)
		if err != nil {
			return nil, noBuiltin(name)
		}
		cfg.Sources = append(cfg.Sources, sources...)
	}
	cfg.Sources = append(cfg.Sources, p.Sources...)
	if len(p.Sources) > 0 {
		if j.jailed, err = policy.NewJailed(policy.JailConfig{Level: level}); err != nil {
			return nil, &ConfigError{Code: "config.sandbox", Message: err.Error()}
		}
		cfg.Evaluator = j.jailed
	}
	return policy.Load(ctx, cfg)
}

func noBuiltin(name string) error {
	return &ConfigError{Code: "config.policy", Message: fmt.Sprintf("krmsafe ships no policy %q", name), Hint: "use baseline, ci-gate, generators, strict or third-party"}
}

// Close ends the processes that the Judge holds. No Filter of it may run any more.
func (j *Judge) Close() error {
	if j == nil {
		return nil
	}
	if j.jailed != nil {
		j.jailed.Close()
	}
	if j.box != nil {
		return j.box.Close()
	}
	return nil
}

// cacheBytes is how much the cache of fetched content may hold.
const cacheBytes = 1 << 30

func (r Registry) client(mirrors []verify.Mirror, now func() time.Time) (*oci.Client, error) {
	cfg := oci.Config{
		Offline: r.Offline, CredentialFiles: r.CredentialFiles, CAFile: r.CAFile, PlainHTTP: r.PlainHTTP, Proxy: r.Proxy, Timeout: r.Timeout,
	}
	for _, m := range mirrors {
		cfg.Mirrors = append(cfg.Mirrors, oci.Mirror(m))
	}
	if r.CacheDir != "" && now != nil {
		blobs, err := cache.Open(r.CacheDir, cacheBytes, now)
		if err != nil {
			return nil, &ConfigError{Code: "config.cache", Message: err.Error(), Hint: "name a folder of your own, or leave CacheDir empty"}
		}
		cfg.Cache = blobs
	}
	client, err := oci.New(cfg)
	if bad, ok := errors.AsType[*oci.ConfigError](err); ok {
		return nil, &ConfigError{Code: "config.registry", Message: bad.Error()}
	}
	return client, err
}
