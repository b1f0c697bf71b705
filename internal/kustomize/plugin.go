package kustomize

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/resid"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// pluginKey is where kustomize looks for a Go plugin that it has loaded.
func pluginKey(id resid.ResId) string {
	return filepath.Join(id.Group, id.Version, strings.ToLower(id.Kind))
}

// A Plugin stands for one function in kustomize, which copies it for every use. It is exported for kustomize's sake, which
// asks its type what it can do.
type Plugin struct {
	build    *build
	function Function
	config   *krm.Object
	helpers  *resmap.PluginHelpers
	text     []byte // of config
}

// Config implements resmap.Configurable. kustomize calls it with the configuration as it is after all patches.
func (p *Plugin) Config(h *resmap.PluginHelpers, data []byte) error {
	if err := p.configure(h, data); err != nil {
		return p.build.fail(err)
	}
	return nil
}

func (p *Plugin) configure(h *resmap.PluginHelpers, data []byte) error {
	b, dir := p.build, h.Loader().Root()
	if err := b.guard.going(); err != nil {
		return err
	}
	f, ok := b.guard.take(dir)
	if !ok {
		return &RefusedError{
			Code: "build.unvetted", Kustomization: b.name(dir), Message: "kustomize comes with a function that the kustomization does not list",
			Hint: "list the function's configuration on its own, as a file",
		}
	}
	v := &vetting{guard: b.guard, dir: dir, entry: f.Entry, role: f.Role}
	r, err := h.ResmapFactory().RF().FromBytes(data)
	if err != nil {
		return v.refuse("function_config", "", "%s", err)
	}
	if err := tidy(r, map[string]string{"config.kubernetes.io/local-config": "true"}); err != nil {
		return v.refuse("function_config", "", "%s", err)
	}
	o, text, err := config(r)
	if err != nil {
		return v.refuse("function_config", "", "%s", err)
	}
	if o.Group != f.Config.Group || o.Version != f.Config.Version || o.Kind != f.Config.Kind {
		return v.refuse("unvetted", "list the function's configuration on its own, as a file",
			"kustomize comes with a %q where the kustomization lists a %q", short(o.Kind), short(f.Config.Kind))
	}
	if legacy := o.legacy(); legacy != "" {
		return v.refuse("legacy_function", wasip1Hint, "%s names a container or a program, and neither is run", legacy)
	}
	f.Config = o.Identity
	if f.Spec == (krm.FunctionSpec{}) {
		if err := b.module(&f, o, dir); err != nil {
			return v.because(err)
		}
		if b.options.Found != nil {
			b.options.Found(f)
		}
	}
	p.function, p.config, p.helpers, p.text = f, o.Object, h, text
	return nil
}

const wasip1Hint = "build the function for wasip1 and name it by config.kubernetes.io/function: \"wasip1: {image: REF}\" or \"wasip1: {file: PATH}\"; krmsafe migrate does so for a tree"

// module finds the module of a function: by its annotation, or else in the catalog. A tree that was made ready for a stock
// kustomize, with krmsafe as the program and the module in an annotation of its own, needs no program here.
func (b *build) module(f *Function, o *object, dir string) error {
	spec, err := krm.ParseFunction(o.Object)
	if err != nil && o.wrapped() {
		spec, err = krm.ParseWrapped(o.Object)
	}
	var bad *krm.SyntaxError
	switch {
	case errors.Is(err, krm.ErrNoFunction):
		if b.options.Resolve != nil {
			if spec, ok := b.options.Resolve(o.Identity); ok {
				f.Spec, f.Catalog = spec, true
				return nil
			}
		}
		return &RefusedError{
			Code: "build.no_function", Hint: wasip1Hint,
			Message: fmt.Sprintf("%q names no function, and plugins of kustomize that are programs or Go code are not run", short(o.String())),
		}
	case errors.As(err, &bad):
		return &RefusedError{Code: "build." + bad.Code, Message: bad.Message, Hint: bad.Hint}
	case err != nil:
		return err
	}
	f.Spec, f.Name, err = b.locate(spec, dir)
	return err
}
