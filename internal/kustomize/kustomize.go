// Package kustomize builds kustomizations whose functions are WebAssembly modules. It knows kustomize: an unmodified
// sigs.k8s.io/kustomize/api does the building, and every function that it would start is handed to a Runner instead. It
// knows nothing of signatures, policies or sandboxes, and it starts no process; kustomize itself starts git for bases
// that are repositories, and helm where that was asked for by name.
//
// # How functions get here
//
// kustomize asks a map of Go plugins that it has loaded already before it looks for one on disk. Build puts an entry of
// its own there for every kind of function that the tree lists (hook.go), so that kustomize calls this package in its own
// process and order, with the final configuration: after patches, with the names of nested bases. kyaml's own runtime for
// containers and programs is made unreachable meanwhile.
//
// What reaches it is decided before: kustomize reads the tree through a FileSystem that looks into every kustomization,
// of a base, a component or a clone, before kustomize does (guard.go, vet.go). Each entry of generators, transformers and
// validators must be a function that can be vetted: anything that would make kustomize start a program, a container, a
// legacy or a Go plugin, in whatever spelling, ends the build, and so does what a stock build passes over in silence. The
// order in which functions must then be configured is known, and one that is not ends the build as well: a function that
// was not vetted cannot run, and one that was cannot be skipped.
//
// # Limits
//
// kustomize keeps the map, and the process its environment: one build at a time, whoever calls. Function configurations
// that are themselves made by generators, functions, components, replacements or vars are refused, and so are those that
// come over HTTP or from a repository of their own. A build with the tag kustomize_disable_go_plugin_support has no such
// map, and Build refuses.
package kustomize

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// The roles that a kustomization lists functions in.
const (
	Generator   = "generator"
	Transformer = "transformer"
	Validator   = "validator"
)

// A Function is one that a kustomization lists, as it is when its turn comes.
type Function struct {
	// Role is Generator, Transformer or Validator.
	Role string
	// Spec names the module. A file is an absolute path in the workspace, with all symbolic links followed.
	Spec krm.FunctionSpec
	// Name is what a module on disk is called by: its path from Options.Here where it lies below it, and else its path; for
	// one in a clone Repository, the repository's address, "//" and its path there. An OCI layout has the form of a
	// reference to it. Empty for others.
	Name string
	// Config names the function's configuration.
	Config krm.Identity
	// Kustomization is the folder of the kustomization that lists it, as people know it; Entry is where in it.
	Kustomization string
	Entry         string
	// Catalog says that the module comes from Options.Resolve and not from an annotation.
	Catalog bool
}

// A Call is one function that is to run now. Input holds its functionConfig.
type Call struct {
	Function
	Input *krm.ResourceList
}

// A Runner runs functions. It is called by one goroutine, in the order in which kustomize runs them.
type Runner interface {
	// Run runs one function, or refuses. The list that it returns is the input as the function left it. An error ends
	// the build, which returns it as it is.
	Run(ctx context.Context, call Call) (*krm.ResourceList, error)
}

// Options are the settings of one build. The zero Options builds nothing.
type Options struct {
	// Runner runs the functions. It must not be nil.
	Runner Runner
	// Found, if it is not nil, is told of every function as soon as it was vetted, before any of its kustomization runs.
	Found func(Function)
	// Resolve names the module of a configuration that has no function annotation; nil knows none.
	Resolve func(krm.Identity) (krm.FunctionSpec, bool)
	// Root is the folder that modules named by file must lie in, with symbolic links followed. Empty is no folder: only
	// modules of clones, in their own clone, can then be named by file.
	Root string
	// Here is the folder that modules below it are named from; empty is none.
	Here string
	// LoadRestrictionsNone lets local kustomizations read files outside their roots, and lifts Root for them.
	LoadRestrictionsNone bool
	// AllowRemote lets kustomizations read single files over HTTP. Git bases need no leave.
	AllowRemote bool
	// Helm lets kustomize start the program that it names; the zero Helm starts none.
	Helm Helm
	// Getenv reads the environment, which is changed during the build and put back after it. It must not be nil.
	Getenv func(string) string
}

// Helm says how charts are inflated.
type Helm struct {
	Enabled     bool
	Command     string
	APIVersions []string
	KubeVersion string
	Debug       bool
}

// A Result is what a build came to.
type Result struct {
	// YAML is the resources as kustomize writes them.
	YAML []byte
	// Functions are those that ran, in order.
	Functions []Function

	resources resmap.ResMap
}

// building is held during a build: the hook and the environment belong to the process.
var building sync.Mutex

// Build builds the kustomization in a folder, or in a git repository named by URL as kustomize names them. It waits for
// another build of this process to end. What this package refuses is a *RefusedError, what the Runner refuses is the
// Runner's error, and what kustomize cannot build is a *BuildError.
func Build(ctx context.Context, target string, o Options) (*Result, error) {
	if o.Runner == nil || o.Getenv == nil {
		return nil, errors.New("kustomize: no runner or no environment")
	}
	building.Lock()
	defer building.Unlock()
	if o.Root != "" {
		root, err := filepath.EvalSymlinks(o.Root)
		if err == nil {
			root, err = filepath.Abs(root)
		}
		if err != nil {
			return nil, fmt.Errorf("finding the workspace: %w", err)
		}
		o.Root = root
	}
	if o.Here != "" { // as kustomize writes its folders
		here, err := filepath.EvalSymlinks(o.Here)
		if err != nil {
			return nil, fmt.Errorf("finding the current folder: %w", err)
		}
		o.Here = here
	}
	w, err := enter(o)
	if err != nil {
		return nil, err
	}
	defer w.leave()
	if err := checkHook(); err != nil {
		return nil, err
	}
	b := newBuild(ctx, o, disk{filesys.MakeFsOnDisk()}, w)
	if err := b.vetTarget(target); err != nil {
		return nil, err
	}
	return b.run(target)
}

// A build is one run of kustomize.
type build struct {
	ctx     context.Context //nolint:containedctx // kustomize's interfaces take none
	options Options
	world   *world
	guard   *guard
	failed  error // the first refusal: kustomize buries it under its own guesses
	ran     []Function
}

func newBuild(ctx context.Context, o Options, files filesys.FileSystem, w *world) *build {
	b := &build{ctx: ctx, options: o, world: w}
	b.guard = newGuard(b, files)
	return b
}

// fail keeps the first refusal of a build and returns it.
func (b *build) fail(err error) error {
	if b.failed == nil {
		b.failed = err
	}
	return b.failed
}

// run runs kustomize with the hook in place.
func (b *build) run(target string) (*Result, error) {
	resources, err := b.kustomize(target)
	switch {
	case b.ctx.Err() != nil:
		return nil, b.ctx.Err()
	case b.failed != nil:
		return nil, b.failed
	case err != nil:
		return nil, b.explain(target, err)
	}
	if err := b.guard.finish(); err != nil {
		return nil, err
	}
	text, err := resources.AsYaml()
	if err != nil {
		return nil, &BuildError{Target: target, Message: err.Error()}
	}
	return &Result{YAML: text, Functions: b.ran, resources: resources}, nil
}

// kustomize makes an error of a panic: kustomize has some for resources that contradict themselves.
func (b *build) kustomize(target string) (resources resmap.ResMap, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			resources, err = nil, fmt.Errorf("kustomize panics: %v", cause)
		}
	}()
	defer arm(b.guard)()
	return krusty.MakeKustomizer(b.settings()).Run(b.guard, target)
}

// poison is in the environment of every container that kyaml would start. No system starts a program with such an
// argument, so that not even a container that nobody saw coming starts one. See TestKyamlRuntimeIsUnreachable.
const poison = "KRMSAFE=\x00"

func (b *build) settings() *krusty.Options {
	plugins := types.MakePluginConfig(types.PluginRestrictionsNone, types.BploUseStaticallyLinked)
	plugins.FnpLoadingOptions = types.FnPluginLoadingOptions{Env: []string{poison}}
	h := b.options.Helm
	plugins.HelmConfig = types.HelmConfig{Enabled: h.Enabled, Command: h.Command, ApiVersions: h.APIVersions, KubeVersion: h.KubeVersion, Debug: h.Debug}
	settings := &krusty.Options{Reorder: krusty.ReorderOptionUnspecified, LoadRestrictions: types.LoadRestrictionsRootOnly, PluginConfig: plugins}
	if b.options.LoadRestrictionsNone {
		settings.LoadRestrictions = types.LoadRestrictionsNone
	}
	return settings
}

// name is what people know a folder of the build by.
func (b *build) name(dir string) string {
	if root, in := b.world.clone(dir); in {
		rel, _ := filepath.Rel(root, dir)
		return filepath.ToSlash(filepath.Join("(clone)", rel))
	}
	if root := b.options.Root; root != "" && below(root, dir) {
		rel, _ := filepath.Rel(root, dir)
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(dir)
}
