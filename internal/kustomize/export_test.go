package kustomize

import (
	"context"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Unguarded runs kustomize with the settings and the hook of a build, and without the guard that keeps functions of
// other kinds from it: what is left then must still start nothing.
func Unguarded(ctx context.Context, target string, o Options) error {
	building.Lock()
	defer building.Unlock()
	w := &world{env: map[string]string{}, getenv: o.Getenv}
	b := newBuild(ctx, o, disk{filesys.MakeFsOnDisk()}, w)
	defer arm(b.guard)()
	_, err := krusty.MakeKustomizer(b.settings()).Run(filesys.MakeFsOnDisk(), target)
	return err
}

// WithoutHook calls f while the registry is missing, as it is under kustomize's build tag.
func WithoutHook(f func()) {
	building.Lock()
	was, seen := registry, hooked
	registry, hooked = nil, false
	building.Unlock()
	f()
	building.Lock()
	registry, hooked = was, seen
	building.Unlock()
}

// HookState tells whether the hook is as kustomize left it.
func HookState() (plugins, annotations int) { return len(registry), len(annotationKeys) }
