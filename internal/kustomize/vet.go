package kustomize

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/krmsafe/krmsafe/internal/lazy"
)

// vet looks into a kustomization before kustomize does. It reads it with kustomize's own parser, which takes keys in any
// capitals and the last of two that are the same; what that does not take, kustomize does not either.
func (g *guard) vet(dir string, data []byte) error {
	var k types.Kustomization
	if err := k.Unmarshal(data); err != nil {
		return nil //nolint:nilerr // kustomize says what is wrong with it, and does not go on
	}
	k.FixKustomization()
	v := &vetting{guard: g, dir: dir}
	if err := v.kustomization(&k); err != nil {
		return g.build.fail(err)
	}
	l := g.listing(dir)
	l.functions = v.functions
	for _, f := range v.functions {
		if g.build.options.Found != nil && f.Spec.Image+f.Spec.File != "" {
			g.build.options.Found(f)
		}
	}
	return nil
}

// A vetting is the look into one kustomization.
type vetting struct {
	guard     *guard
	dir       string
	field     string // generators, transformers or validators
	role      string
	entry     string // where in it, for people
	functions []Function
}

func (v *vetting) refuse(code, hint, format string, args ...any) error {
	return &RefusedError{
		Code: "build." + code, Kustomization: v.guard.build.name(v.dir), Entry: v.entry,
		Message: fmt.Sprintf(format, args...), Hint: hint,
	}
}

func (v *vetting) kustomization(k *types.Kustomization) error {
	for i, path := range k.Resources {
		v.entry = fmt.Sprintf("resources[%d] %q", i, short(path))
		if err := v.repository(path); err != nil {
			return err
		}
	}
	for i, path := range k.Components {
		v.entry = fmt.Sprintf("components[%d] %q", i, short(path))
		if err := v.repository(path); err != nil {
			return err
		}
	}
	v.entry = ""
	if len(k.HelmCharts) > 0 && !v.guard.build.options.Helm.Enabled {
		return v.refuse("helm", "inflate the charts ahead, or let kustomize start helm with --enable-helm", "it inflates Helm charts")
	}
	for _, list := range []struct {
		field, role string
		entries     []string
	}{
		{"generators", Generator, k.Generators},
		{"transformers", Transformer, k.Transformers},
		{"validators", Validator, k.Validators},
	} {
		v.field, v.role = list.field, list.role
		if err := v.list(list.entries); err != nil {
			return err
		}
	}
	return nil
}

// list vets the entries of one field, in kustomize's order: those written inline come first.
func (v *vetting) list(entries []string) error {
	var paths []int
	for i, entry := range entries {
		found, err := v.guard.factory.NewResMapFromBytes([]byte(entry))
		if err != nil {
			paths = append(paths, i)
			continue
		}
		for _, r := range found.Resources() {
			v.entry = fmt.Sprintf("%s[%d] %q", v.field, i, short(r.GetKind()+" "+r.GetName()))
			if err := v.function(r, true); err != nil {
				return err
			}
		}
	}
	for _, i := range paths {
		v.entry = fmt.Sprintf("%s[%d] %q", v.field, i, short(entries[i]))
		if err := v.path(entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// path vets an entry that names a file or a folder. What kustomize could take for an address is refused even where
// there is a file of that name: kustomize turns to the network where the file does not please it.
func (v *vetting) path(path string) error {
	if remote(path) {
		return v.refuse("remote_function", "commit the function's configuration and name its file; the module itself may be an image",
			"a function's configuration may not come from elsewhere")
	}
	at := path
	if !filepath.IsAbs(path) {
		at = filepath.Join(v.dir, path)
	}
	if v.guard.IsDir(at) {
		return v.folder(at, 0)
	}
	data, err := v.file(at)
	if err != nil {
		return v.refuse("function_file", "", "%s", err)
	}
	return v.resources(data, true)
}

// file reads a file that holds functions. It is the same bytes that kustomize gets.
func (v *vetting) file(path string) ([]byte, error) {
	data, err := v.guard.pin(path)
	if err != nil {
		return nil, fmt.Errorf("reading it: %w", err)
	}
	return data, nil
}

func (v *vetting) resources(data []byte, final bool) error {
	list, err := v.guard.factory.RF().SliceFromBytes(data)
	if err != nil {
		return v.refuse("function_file", "", "it is no Kubernetes object: %s", err)
	}
	for _, r := range list {
		if err := v.function(r, final); err != nil {
			return err
		}
	}
	return nil
}

// The parts of a configuration's name are those of a path in which kustomize looks for a program to run, before it looks
// for anything else. None of them can leave it.
var (
	plainGroup   = lazy.Regexp(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$`)
	plainVersion = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9-]*$`)
	plainKind    = lazy.Regexp(`^[A-Za-z][A-Za-z0-9]*$`)
)

func plainAPIVersion(s string) bool {
	group, version, found := strings.Cut(s, "/")
	if !found {
		return plainVersion().MatchString(s)
	}
	return plainGroup().MatchString(group) && plainVersion().MatchString(version)
}

// function vets one configuration as kustomize reads it. Where it is not final it may still be patched; what it then is,
// is judged when kustomize configures it.
func (v *vetting) function(r *resource.Resource, final bool) error {
	o, _, err := config(r)
	if err != nil {
		return v.refuse("function_config", "", "%s", err)
	}
	if kept := o.kept(); kept != "" {
		return v.refuse("bookkeeping", "take it away", "the configuration has the annotation %q, which is kustomize's own", kept)
	}
	id := r.OrgId()
	if id.Group == "" && id.Version == konfig.BuiltinPluginApiVersion {
		return v.builtin(o, id.Kind)
	}
	if id.Group != "" && !plainGroup().MatchString(id.Group) || !plainVersion().MatchString(id.Version) || !plainKind().MatchString(id.Kind) {
		return v.refuse("function_config", "give it an apiVersion GROUP/VERSION and a kind of letters and digits",
			"its apiVersion %q and kind %q are not those of a Kubernetes object", short(r.GetApiVersion()), short(id.Kind))
	}
	if legacy := o.legacy(); legacy != "" {
		return v.refuse("legacy_function", wasip1Hint, "%s names a container or a program, and neither is run", legacy)
	}
	f := Function{Role: v.role, Config: o.Identity, Kustomization: v.guard.build.name(v.dir), Entry: v.entry}
	if final {
		if err := v.guard.build.module(&f, o, v.dir); err != nil {
			return v.because(err)
		}
	}
	v.functions = append(v.functions, f)
	v.guard.register(pluginKey(id), &Plugin{build: v.guard.build})
	return nil
}

// because gives a refusal its place.
func (v *vetting) because(err error) error {
	if r, ok := err.(*RefusedError); ok { //nolint:errorlint // module returns it as it is
		r.Kustomization, r.Entry = v.guard.build.name(v.dir), v.entry
	}
	return err
}

// builtin vets a configuration of kustomize's own transformers and generators, which read no function annotation.
func (v *vetting) builtin(o *object, kind string) error {
	if named := o.names(); named != "" {
		return v.refuse("skipped", "give the function's configuration an apiVersion of its own",
			"it has the apiVersion \"builtin\", so kustomize would pass over the function that its %s names", named)
	}
	if kind == "HelmChartInflationGenerator" && !v.guard.build.options.Helm.Enabled {
		return v.refuse("helm", "inflate the chart ahead, or let kustomize start helm with --enable-helm", "it inflates a Helm chart")
	}
	return nil
}

// scheme begins what kustomize may take for a repository or an address.
var scheme = lazy.Regexp(`(?i)^(git::|[a-z][a-z0-9+.-]*:|github\.com|[a-z][a-z0-9-]*@)`)

// remote reports whether kustomize could take a path for something that is not a file, and errs on that side.
func remote(path string) bool { return scheme().MatchString(path) || strings.Contains(path, "://") }

// repository vets a resource or component that may be a repository: kustomize gives its parts to git as arguments.
func (v *vetting) repository(path string) error {
	_, local := v.guard.build.world.clone(v.dir)
	return repository(path, local, v.refuse)
}

// vetTarget vets what the operator names.
func (b *build) vetTarget(target string) error {
	v := &vetting{guard: b.guard}
	return repository(target, false, func(code, hint, format string, args ...any) error {
		return v.refuse(code, hint, "%q: "+format, append([]any{short(target)}, args...)...)
	})
}

func repository(path string, cloned bool, refuse func(code, hint, format string, args ...any) error) error {
	if !remote(path) {
		return nil
	}
	if strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return refuse("repository", "", "an address holds a control character")
	}
	_, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return refuse("repository", "write it as ?ref=VERSION", "its query cannot be read")
	}
	for _, key := range []string{"ref", "version"} {
		for _, ref := range values[key] {
			if strings.HasPrefix(ref, "-") || strings.ContainsFunc(ref, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
				return refuse("repository", "name a branch, a tag or a commit", "%s=%s is no version: git would take it for something else", key, fmt.Sprintf("%q", short(ref)))
			}
		}
	}
	if cloned && strings.Contains(strings.ToLower(path), "file:") {
		return refuse("repository", "only the tree that the build begins with may name repositories of this machine", "a repository that was fetched names one on this machine")
	}
	return nil
}

// short is foreign text for a message.
func short(s string) string {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		s = s[:i] + "…"
	}
	if r := []rune(s); len(r) > 120 {
		s = string(r[:120]) + "…"
	}
	return s
}
