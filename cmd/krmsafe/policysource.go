package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/policies"
	"github.com/krmsafe/krmsafe/policy"
)

// Bounds on the files that policy flags name.
const (
	maxBundleBytes = 16 << 20
	maxDataBytes   = 16 << 20
)

// builtin is what stands before the name of a policy that krmsafe ships. A bare
// name is always a path: a folder that happens to lie there must not take a
// shipped policy's place, nor the other way round.
const builtin = "builtin:"

// policyFlags name the policy and its data.
type policyFlags struct {
	sources    []string
	data       []string
	permissive []string

	// fetch reads the layers of a policy in a registry or an OCI layout. It is
	// nil for verbs that open no connection.
	fetch func(ref string) ([]policy.Layer, error)
}

func (f *policyFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.sources, "policy", "p", nil, "policy that decides: a Rego file, a folder of them, an OPA bundle (.tar.gz), oci://REF@sha256:… or oci-layout:DIR@sha256:… as conftest pushes them, or builtin:NAME of "+strings.Join(builtins(), ", ")+" (default builtin:baseline)")
	flags.StringArrayVarP(&f.data, "data", "d", nil, "YAML or JSON file that policies read as data.params (repeat to merge)")
	flags.StringSliceVar(&f.permissive, "permissive-policy", nil, "accept a policy that would allow these: empty, unsigned, worst-case, worst-output; lowers safety")
}

// builtins are the names of the policies that krmsafe ships.
func builtins() []string {
	entries, err := policies.FS.ReadDir(".")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "lib" {
			names = append(names, e.Name())
		}
	}
	return names
}

// loadedPolicy is a policy with what must be ended when it is not needed any
// more.
type loadedPolicy struct {
	policy *policy.Policy
	name   string // what reports call it
	jailed *policy.Jailed
}

func (l *loadedPolicy) close() {
	if l != nil && l.jailed != nil {
		l.jailed.Close()
	}
}

// policyLoad is a policy that is being loaded while something else is done, such
// as waiting for whoever writes the input.
type policyLoad struct {
	cancel context.CancelFunc
	done   chan struct{}
	loaded *loadedPolicy
	err    error
}

func (f *policyFlags) start(ctx context.Context, level string) *policyLoad {
	ctx, cancel := context.WithCancel(ctx)
	l := &policyLoad{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		defer func() {
			if cause := recover(); cause != nil {
				l.err = fmt.Errorf("%w: %v", errBug, cause)
			}
		}()
		l.loaded, l.err = f.load(ctx, level)
	}()
	return l
}

// unasked is for what asks no policy.
func unasked() *policyLoad {
	l := &policyLoad{cancel: func() {}, done: make(chan struct{}), loaded: &loadedPolicy{policy: policy.Closed()}}
	close(l.done)
	return l
}

func (l *policyLoad) wait() (*loadedPolicy, error) {
	<-l.done
	return l.loaded, l.err
}

// close stops loading, and gives up what was loaded.
func (l *policyLoad) close() {
	l.cancel()
	<-l.done
	l.loaded.close()
}

// load compiles the policy. What krmsafe ships is evaluated in this process;
// Rego from anywhere else in a child that is confined like a function's, since a
// few lines of it can ask for more memory than there is.
func (f *policyFlags) load(ctx context.Context, level string) (*loadedPolicy, error) {
	cfg, foreign, err := f.config()
	if err != nil {
		return nil, err
	}
	out := &loadedPolicy{name: "baseline"}
	if len(f.sources) > 0 {
		out.name = strings.Join(f.sources, ",")
	}
	if foreign {
		out.jailed, err = policy.NewJailed(policy.JailConfig{Level: level})
		if err != nil {
			return nil, &pipeline.UsageError{Message: err.Error()}
		}
		cfg.Evaluator = out.jailed
	}
	if out.policy, err = policy.Load(ctx, cfg); err != nil {
		out.close()
		return nil, err
	}
	return out, nil
}

// config gathers the sources and the data. foreign tells whether any of the Rego
// does not come with krmsafe.
func (f *policyFlags) config() (cfg policy.Config, foreign bool, err error) {
	cfg.Permissive = f.permissive
	if cfg.Library, err = policy.SourcesFS(policies.FS, "lib"); err != nil {
		return cfg, false, err
	}
	if cfg.Defaults, err = policy.SourcesFS(policies.FS, "baseline"); err != nil {
		return cfg, false, err
	}
	if len(f.sources) > 0 {
		cfg.Sources = []policy.Source{} // what is named must hold a policy
	}
	var params []policy.Source
	for _, name := range f.sources {
		if shipped, is := strings.CutPrefix(name, builtin); is {
			sources, err := shippedPolicy(shipped)
			if err != nil {
				return cfg, false, err
			}
			cfg.Sources = append(cfg.Sources, sources...)
			continue
		}
		foreign = true
		sources, data, err := f.at(name)
		if err != nil {
			return cfg, false, err
		}
		cfg.Sources = append(cfg.Sources, sources...)
		if len(data) > 0 {
			params = append(params, policy.Source{Name: name + ".json", Text: data})
		}
	}
	for _, name := range f.data {
		text, err := readBounded(name, maxDataBytes)
		if err != nil {
			return cfg, false, fmt.Errorf("reading the policy's data: %w", err)
		}
		params = append(params, policy.Source{Name: name, Text: text})
	}
	if len(params) > 0 {
		cfg.Params, err = policy.MergeParams(params)
	}
	return cfg, foreign, err
}

func shippedPolicy(name string) ([]policy.Source, error) {
	if err := oneOf("--policy "+builtin, name, builtins()...); err != nil {
		return nil, err
	}
	return policy.SourcesFS(policies.FS, name)
}

// at reads the Rego that a flag names, and the data that a bundle holds.
func (f *policyFlags) at(name string) ([]policy.Source, []byte, error) {
	ref, remote := strings.CutPrefix(name, "oci://")
	switch {
	case remote || strings.HasPrefix(name, "oci-layout:"):
		if f.fetch == nil {
			return nil, nil, &pipeline.UsageError{
				Message: fmt.Sprintf("--policy %q: this command fetches nothing", name),
				Hint:    "fetch the policy first, and name the file, folder or bundle",
			}
		}
		layers, err := f.fetch(ref)
		if err != nil {
			return nil, nil, fmt.Errorf("fetching the policy: %w", err)
		}
		bundle, err := policy.BundleFromLayers(name, layers)
		if err != nil {
			return nil, nil, err
		}
		return bundle.Sources, bundle.Params, nil
	case strings.Contains(name, "://") || strings.Contains(name, "::"):
		return nil, nil, &pipeline.UsageError{
			Message: fmt.Sprintf("--policy %q is neither a path nor an OCI reference", name),
			Hint:    "fetch the policy first, check it, and name the file, folder or bundle; or push it and name it by oci://REF@sha256:…",
		}
	}
	return policyAt(name)
}

// fetcher fetches policies with the registry flags of a module. A policy is the
// operator's own, so its digest is all that vouches for it.
func fetcher(ctx context.Context, client func() (*oci.Client, error)) func(string) ([]policy.Layer, error) {
	return func(name string) ([]policy.Layer, error) {
		ref, err := oci.ParseRef(name)
		if err != nil {
			return nil, err
		}
		c, err := client()
		if err != nil {
			return nil, err
		}
		found, err := c.FetchLayers(ctx, ref)
		if err != nil {
			return nil, err
		}
		layers := make([]policy.Layer, 0, len(found))
		for _, l := range found {
			layers = append(layers, policy.Layer{MediaType: l.MediaType, Title: l.Title, Bytes: l.Bytes})
		}
		return layers, nil
	}
}

// policyAt reads the Rego at a path.
func policyAt(name string) ([]policy.Source, []byte, error) {
	if !isArchive(name) {
		sources, err := policy.SourcesPath(name)
		if errors.Is(err, os.ErrNotExist) && len(name) > 0 && !strings.ContainsAny(name, `/\.`) {
			err = fmt.Errorf("%w (a policy that krmsafe ships is named %s%s)", err, builtin, name)
		}
		return sources, nil, err
	}
	archive, err := readBounded(name, maxBundleBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the policy: %w", err)
	}
	bundle, err := policy.BundleFromTar(name, archive)
	if err != nil {
		return nil, nil, err
	}
	return bundle.Sources, bundle.Params, nil
}

// isArchive goes by the name, and for other names by the first bytes.
func isArchive(name string) bool {
	if strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz") || filepath.Ext(name) == ".tar" {
		return true
	}
	file, err := os.Open(name) // #nosec G304 -- the operator names the file
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	head := make([]byte, 2)
	n, _ := file.Read(head)
	return bytes.Equal(head[:n], []byte{0x1f, 0x8b})
}
