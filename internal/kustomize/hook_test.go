package kustomize_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/krmsafe/krmsafe/internal/kustomize"
)

// TestKyamlRuntimeIsUnreachable: behind the guard there is a second wall. Configurations that the guard never lets
// through start nothing even where it is not there.
func TestKyamlRuntimeIsUnreachable(t *testing.T) {
	for name, config := range map[string]string{
		"exec":               "{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, annotations: {config.kubernetes.io/function: 'exec: {path: CANARY}'}}}",
		"container":          "{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, annotations: {config.kubernetes.io/function: 'container: {image: x}'}}}",
		"legacy container":   "{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, annotations: {config.kubernetes.io/container: x}}}",
		"configFn container": "{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, configFn: {container: {image: x, network: false}}}}",
		"configFn exec":      "{apiVersion: example.com/v1, kind: Fn, metadata: {name: fn, configFn: {exec: {path: CANARY}}}}",
	} {
		t.Run(name, func(t *testing.T) {
			program, alive := canary(t)
			root := tree(t, cm+"-- kustomization.yaml --\nresources: [cm.yaml]\ntransformers: [fn.yaml]\n-- fn.yaml --\n"+strings.ReplaceAll(config, "CANARY", program)+"\n")
			t.Setenv("KUSTOMIZE_PLUGIN_HOME", t.TempDir())
			err := kustomize.Unguarded(t.Context(), root, kustomize.Options{Runner: library(), Getenv: os.Getenv})
			if err == nil && name != "configFn exec" { // which kyaml passes over; the guard does not
				t.Error("kustomize went on")
			}
			alive()
		})
	}
}

// TestNoHook: a kustomize that was built without its registry builds nothing here.
func TestNoHook(t *testing.T) {
	root := tree(t, simple)
	kustomize.WithoutHook(func() {
		f := library()
		_, err := build(t, root, "app", f)
		if err == nil || !strings.Contains(err.Error(), "plugin registry is missing") || len(f.calls) > 0 {
			t.Errorf("Build = %v", err)
		}
	})
	mustBuild(t, root, "app", library())
}

// TestHookIsTakenDown after a build, whichever way it ends.
func TestHookIsTakenDown(t *testing.T) {
	root := tree(t, simple)
	mustBuild(t, root, "app", library())
	_, _ = build(t, root, "gone", library())
	if plugins, annotations := kustomize.HookState(); plugins != 0 || annotations != 2 {
		t.Errorf("after builds kustomize has %d plugins and %d function annotations", plugins, annotations)
	}
}

// TestOneBuildAtATime: builds of several goroutines wait for one another.
func TestOneBuildAtATime(t *testing.T) {
	var wait sync.WaitGroup
	for range 4 {
		root := tree(t, simple)
		wait.Go(func() {
			result, err := kustomize.Build(t.Context(), filepath.Join(root, "app"), kustomize.Options{Runner: library(), Root: root, Getenv: os.Getenv})
			if err != nil || !strings.Contains(string(result.YAML), "color: blue") {
				t.Errorf("Build = %v", err)
			}
		})
	}
	wait.Wait()
}
