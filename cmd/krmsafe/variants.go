package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/migrate"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/sandbox"
)

// maxLookups bounds how many references of a tree registries are asked for.
const maxLookups = 500

var errLookups = fmt.Errorf("the tree names more than %d images: migrate folder by folder, or offline with a map", maxLookups)

// finder looks for modules with one registry client.
type finder struct{ client *oci.Client }

// lookup is what was found under a reference.
type lookup struct {
	digest string // of what the reference leads to; "" where there is no module
	why    string // then
}

// find fetches a module, so that what is written is known to be one that can be
// run. An error says that it could not be told.
func (f finder) find(ctx context.Context, ref oci.Ref) (lookup, error) {
	artifact, err := f.client.Fetch(ctx, ref)
	var (
		bad      *oci.ArtifactError
		large    *oci.LimitError
		registry *oci.RegistryError
		layout   *oci.LayoutError
	)
	switch {
	case errors.As(err, &bad):
		return lookup{why: bad.Message}, nil
	case errors.As(err, &large):
		return lookup{why: large.Error()}, nil
	case errors.As(err, &registry) && registry.Code == "registry.not_found":
		return lookup{why: "it is not there"}, nil
	case errors.As(err, &registry) && (registry.Code == "registry.private" || registry.Code == "registry.offline"):
		return lookup{why: registry.Message}, nil
	case errors.As(err, &layout) && layout.Code == "layout.not_found":
		return lookup{why: layout.Message}, nil
	case err != nil:
		return lookup{}, fmt.Errorf("looking for a module at %s: %w", ref, err)
	}
	if bad := unusable(artifact.Module); bad != "" {
		return lookup{why: "its module cannot be run: " + bad}, nil
	}
	return lookup{digest: artifact.Digest}, nil
}

// resolve names the module that stands in for a function.
func (v *variants) resolve(ctx context.Context, f *migrate.Function) (migrate.Variant, *migrate.Reason, error) {
	if f.Runtime == "exec" {
		spec, ok := v.functions.LookupExec(f.Reference)
		if !ok {
			return migrate.Variant{}, &migrate.Reason{
				Code: "migrate.exec", Message: "it is a program, and no map says which module stands in for it",
				Hint: "write an entry {exec: COMMAND, wasip1: …} into the FunctionMap and name that with --functions",
			}, nil
		}
		return v.mapped(ctx, spec)
	}
	if f.Runtime == "krmsafe" {
		return v.wrapped(ctx, f)
	}
	if spec, ok := v.functions.Lookup(f.Reference); ok {
		return v.mapped(ctx, spec)
	}
	if v.isTarget(f.Reference) {
		return migrate.Variant{Image: f.Reference, Source: "map"}, nil, nil
	}
	return v.published(ctx, f.Reference)
}

// wrapped names the module of a function that starts krmsafe: what the map says of its
// words, or the image that they name.
func (v *variants) wrapped(ctx context.Context, f *migrate.Function) (migrate.Variant, *migrate.Reason, error) {
	if spec, ok := v.functions.LookupExec(f.Reference); ok {
		return v.mapped(ctx, spec)
	}
	stays := func(code, message, hint string) (migrate.Variant, *migrate.Reason, error) {
		return migrate.Variant{}, &migrate.Reason{Code: code, Message: message, Hint: hint}, nil
	}
	if f.Named == "" {
		return stays("migrate.wrapper", "it starts krmsafe with words that krmsafe build and krmsafe run --pipeline do not read",
			"name the module in the annotation krmsafe.dev/function, in a Kptfile as image: REF; what else the words say is the operator's configuration's to say")
	}
	ref, err := oci.ParseRef(f.Named)
	var bad *oci.RefError
	switch {
	case errors.As(err, &bad):
		return stays("migrate.malformed", "its image is no reference: "+bad.Reason, bad.Hint)
	case err != nil:
		return migrate.Variant{}, nil, err
	case ref.Pinned() || v.flags.unpinned:
		return migrate.Variant{Image: f.Named, Source: "arguments"}, nil, nil
	}
	const hint = "write the digest into the image; --allow-unpinned writes the reference as it is"
	if ref.Source != oci.SourceRegistry {
		return stays("migrate.unpinned", "its arguments name an image without a digest, which is not looked up in a layout", hint)
	}
	found, known := v.looked[ref.String()]
	if !known {
		if len(v.looked) >= maxLookups {
			return migrate.Variant{}, nil, errLookups
		}
		if found, err = v.tree.find(ctx, ref); err != nil {
			return migrate.Variant{}, nil, err
		}
		v.looked[ref.String()] = found
	}
	if found.digest == "" {
		return stays("migrate.unpinned", fmt.Sprintf("its arguments name %s without a digest, and it cannot be looked up: %s", ref, found.why), hint)
	}
	return migrate.Variant{Image: v.pin(ref, found.digest), Source: "arguments"}, nil, nil
}

// mapped gives what a FunctionMap names, pinned.
func (v *variants) mapped(ctx context.Context, spec krm.FunctionSpec) (migrate.Variant, *migrate.Reason, error) {
	if spec.File != "" {
		return v.mappedFile(spec.File)
	}
	image, done := v.pinned[spec.Image]
	if !done {
		ref, err := oci.ParseRef(spec.Image)
		if err != nil {
			return migrate.Variant{}, nil, err
		}
		image = ref.String()
		if !ref.Pinned() && !v.flags.unpinned {
			found, err := v.own.find(ctx, ref)
			if err != nil {
				return migrate.Variant{}, nil, err
			}
			if found.digest == "" {
				return migrate.Variant{}, &migrate.Reason{
					Code: "migrate.unpinned", Message: fmt.Sprintf("the map names %s without a digest, and it cannot be looked up: %s", ref, found.why),
					Hint: "write the digest into the map; --allow-unpinned writes the reference as it is",
				}, nil
			}
			image = v.pin(ref, found.digest)
		}
		v.pinned[spec.Image] = image
	}
	return migrate.Variant{Image: image, Source: "map"}, nil, nil
}

// mappedFile gives the module of a file beside the map. It must lie in the workspace:
// no build reads it elsewhere.
func (v *variants) mappedFile(name string) (migrate.Variant, *migrate.Reason, error) {
	file := filepath.FromSlash(name)
	if !filepath.IsAbs(file) {
		file = filepath.Join(v.folder, file)
	}
	refuse := func(why string) (migrate.Variant, *migrate.Reason, error) {
		return migrate.Variant{}, &migrate.Reason{
			Code: "migrate.file", Message: fmt.Sprintf("the map names the module %q: %s", name, why),
			Hint: "a file is a .wasm file in the workspace; publish others with krmsafe push",
		}, nil
	}
	info, err := os.Stat(file)
	switch {
	case filepath.Ext(file) != ".wasm":
		return refuse("its name does not end in .wasm")
	case err != nil || !info.Mode().IsRegular():
		return refuse("there is no such file")
	case !below(v.workspace, file):
		return refuse("it lies outside " + v.workspace)
	}
	return migrate.Variant{File: file, Source: "map"}, nil, nil
}

// isTarget says whether a pinned reference is of a repository that the map moves
// functions to.
func (v *variants) isTarget(reference string) bool {
	ref, err := oci.ParseRef(reference)
	if err != nil || !ref.Pinned() {
		return false
	}
	for _, f := range v.functions.Functions {
		to, err := oci.ParseRef(f.Spec.Image)
		if err == nil && to.Source == ref.Source && to.Registry == ref.Registry && to.Repository == ref.Repository && to.Dir == ref.Dir {
			return true
		}
	}
	return false
}

// published looks for a module where the image itself is published: in its index, and
// under its tag with a suffix.
func (v *variants) published(ctx context.Context, image string) (migrate.Variant, *migrate.Reason, error) {
	const hint = "name its module in a FunctionMap (--functions), or compile the function for wasip1 and publish it with krmsafe push"
	none := func(why string) (migrate.Variant, *migrate.Reason, error) {
		return migrate.Variant{}, &migrate.Reason{Code: "migrate.no_variant", Message: "no module is known that stands in for it" + why, Hint: hint}, nil
	}
	ref, err := oci.ParseRef(image)
	var bad *oci.RefError
	switch {
	case errors.As(err, &bad):
		return none("; its name cannot be looked up: " + bad.Reason)
	case ref.Source != oci.SourceRegistry || v.flags.registry.offline:
		return none("; it was not looked up")
	}
	var tried []string
	for _, candidate := range v.candidates(ref) {
		found, known := v.looked[candidate.ref.String()]
		if !known {
			if len(v.looked) >= maxLookups {
				return migrate.Variant{}, nil, errLookups
			}
			if found, err = v.tree.find(ctx, candidate.ref); err != nil {
				return migrate.Variant{}, nil, err
			}
			v.looked[candidate.ref.String()] = found
		}
		if found.digest == "" {
			tried = append(tried, fmt.Sprintf("%s: %s", candidate.ref, found.why))
			continue
		}
		return migrate.Variant{Image: v.pin(candidate.ref, found.digest), Source: candidate.source}, nil, nil
	}
	return none("; " + strings.Join(tried, "; "))
}

type candidate struct {
	ref    oci.Ref
	source string
}

func (v *variants) candidates(ref oci.Ref) []candidate {
	all := []candidate{{ref, "index"}}
	if v.flags.suffix != "" && ref.Tag != "" {
		suffixed := ref
		suffixed.Tag, suffixed.Digest = ref.Tag+v.flags.suffix, ""
		if _, err := oci.ParseRef(suffixed.String()); err == nil {
			all = append(all, candidate{suffixed, "tag-suffix"})
		}
	}
	return all
}

// pin writes a reference by digest.
func (v *variants) pin(ref oci.Ref, digest string) string {
	if !v.flags.keepTag {
		ref.Tag = ""
	}
	ref.Digest = digest
	return ref.String()
}

// unusable says why a module cannot be run, "" where it can.
func unusable(module []byte) string {
	if _, err := sandbox.Inspect(module); err != nil {
		return err.Error()
	}
	return ""
}
