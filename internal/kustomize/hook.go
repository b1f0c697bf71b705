package kustomize

import (
	"errors"
	"maps"
	_ "unsafe" // for go:linkname

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// registry is kustomize's map of the Go plugins that it has loaded, by group/version/kind in small letters. It has had
// this name and type since api v0.17.2. With the build tag kustomize_disable_go_plugin_support it does not exist, and this
// is an own variable that nobody fills.
//
//go:linkname registry sigs.k8s.io/kustomize/api/internal/plugins/loader.registry
var registry map[string]resmap.Configurable

// annotationKeys are the annotations in which kyaml looks for a function to run. During a build there are none: kyaml
// finds no function, whatever a configuration says.
//
//go:linkname annotationKeys sigs.k8s.io/kustomize/kyaml/fn/runtime/runtimeutil.functionAnnotationKeys
var annotationKeys []string

// Both variables belong to the process; building guards them.

// arm puts the guard's plugins in place as they are registered, and gives what undoes all of it.
func arm(g *guard) (disarm func()) {
	before, keys := maps.Clone(registry), annotationKeys
	clear(registry)
	annotationKeys = nil
	g.register = func(key string, p resmap.Configurable) { registry[key] = p }
	return func() {
		clear(registry)
		maps.Copy(registry, before)
		annotationKeys = keys
	}
}

var errNoHook = errors.New("this build of krmsafe cannot run functions in kustomize: its plugin registry is missing or no longer what it was")

// hooked remembers that the hook was seen to work in this process.
var hooked bool

// checkHook sees for itself that the hook works: both variables are there and hold what they should, and kustomize calls
// a plugin that stands in the map. It is called in the world of a build, where kustomize finds a home for plugins.
func checkHook() error {
	if hooked {
		return nil
	}
	if registry == nil || len(annotationKeys) != 2 {
		return errNoHook
	}
	p := &probe{called: new(int)}
	registry[probeKey] = p
	defer delete(registry, probeKey)
	files := filesys.MakeFsInMemory()
	if err := files.WriteFile("/kustomization.yaml", []byte(probeText)); err != nil {
		return err
	}
	options := krusty.MakeDefaultOptions()
	options.PluginConfig = types.MakePluginConfig(types.PluginRestrictionsNone, types.BploUseStaticallyLinked)
	if _, err := krusty.MakeKustomizer(options).Run(files, "/"); err != nil || *p.called != 2 {
		return errNoHook
	}
	hooked = true
	return nil
}

const (
	probeKey  = "probe.krmsafe.dev/v1/probe"
	probeText = "transformers:\n- |-\n  {apiVersion: probe.krmsafe.dev/v1, kind: Probe, metadata: {name: probe}}\n"
)

// A probe counts how often kustomize calls it.
type probe struct{ called *int }

func (p *probe) Config(*resmap.PluginHelpers, []byte) error { *p.called++; return nil }

func (p *probe) Transform(resmap.ResMap) error { *p.called++; return nil }
