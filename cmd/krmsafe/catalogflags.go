package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/catalog"
	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/kustomize"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// catalogFlags name catalogs of functions.
type catalogFlags struct{ sources []string }

func (f *catalogFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.sources, "catalog", nil, "catalog that names the module of a functionConfig without an annotation, by its group, version and kind: a file, oci://REF@sha256:… or oci-layout:DIR@sha256:… (repeat for several)")
}

// load reads the catalogs. Without any it knows no function.
func (f *catalogFlags) load(ctx context.Context, a *app, registry registryFlags) (cataloged, error) {
	var all []*catalog.Catalog
	for _, name := range f.sources {
		c, err := readCatalog(ctx, a, registry, name)
		if err != nil {
			return cataloged{}, err
		}
		all = append(all, c)
	}
	merged, err := catalog.Merge(all...)
	return cataloged{merged}, misread(err)
}

// misread makes a mistake in a catalog a mistake in the configuration.
func misread(err error) error {
	if e, ok := errors.AsType[*krm.SyntaxError](err); ok {
		return &pipeline.UsageError{Message: fmt.Sprintf("the catalog %v (%s)", e, e.Code), Hint: e.Hint}
	}
	return err
}

// readCatalog reads one catalog: a file that the operator names, or an artifact by its
// digest.
func readCatalog(ctx context.Context, a *app, registry registryFlags, name string) (*catalog.Catalog, error) {
	ref, remote := strings.CutPrefix(name, "oci://")
	switch {
	case remote || strings.HasPrefix(name, "oci-layout:"):
	case strings.Contains(name, "://"):
		return nil, &pipeline.UsageError{
			Message: fmt.Sprintf("--catalog %q is neither a path nor an OCI reference", name), Hint: "push it and name it by oci://REF@sha256:…",
		}
	default:
		data, err := readBounded(name, catalog.MaxBytes)
		if err != nil {
			return nil, fmt.Errorf("reading the catalog: %w", err)
		}
		c, err := catalog.Parse(name, data)
		return c, misread(err)
	}
	parsed, err := oci.ParseRef(ref)
	if err != nil {
		return nil, err
	}
	client, err := registry.client(a, nil)
	if err != nil {
		return nil, err
	}
	layers, err := client.FetchLayers(ctx, parsed)
	if err != nil {
		return nil, fmt.Errorf("fetching the catalog: %w", err)
	}
	if len(layers) != 1 || !strings.HasSuffix(layers[0].MediaType, "yaml") {
		return nil, &pipeline.UsageError{
			Message: fmt.Sprintf("--catalog %q is not an artifact of one YAML layer", name),
			Hint:    "push it as oras push REF catalog.yaml:application/yaml does",
		}
	}
	c, err := catalog.Parse(name, layers[0].Bytes)
	return c, misread(err)
}

// cataloged is what catalogs list, nothing where none is named.
type cataloged struct{ all *catalog.Catalog }

// find gives a function that can be run.
func (c cataloged) find(id krm.Identity) (catalog.Function, bool) {
	if c.all == nil {
		return catalog.Function{}, false
	}
	f, ok := c.all.Find(id)
	return f, ok && f.Image != ""
}

// resolve names the module of a configuration without an annotation.
func (c cataloged) resolve(id krm.Identity) (krm.FunctionSpec, bool) {
	f, ok := c.find(id)
	return krm.FunctionSpec{Image: f.Image}, ok
}

// request asks for one function. A module that the catalog names is held to what the
// catalog says of it.
func (c cataloged) request(fn kustomize.Function, input *krm.ResourceList) pipeline.Request {
	req := pipeline.Request{Image: fn.Spec.Image, File: fn.Spec.File, Name: fn.Name, NamedBy: pipeline.NamedByFunctionConfig, Role: fn.Role, Input: input}
	if !fn.Catalog {
		return req
	}
	req.NamedBy, req.Expect = pipeline.NamedByFlag, &pipeline.Expectation{Source: "no catalog", Signers: []pipeline.ExpectedSigner{{}}}
	if f, ok := c.find(fn.Config); ok && f.Image == fn.Spec.Image {
		req.Expect = expectation(f)
	}
	return req
}

// expectation is what a catalog says a module must be.
func expectation(f catalog.Function) *pipeline.Expectation {
	e := &pipeline.Expectation{Source: f.Source, ModuleDigest: f.ModuleDigest}
	for _, s := range f.Signers {
		e.Signers = append(e.Signers, pipeline.ExpectedSigner{KeyID: s.Key, Issuer: s.Issuer, Subject: s.Identity})
	}
	return e
}

// name sets the module of a request whose functionConfig names none, if the
// catalog lists it. The operator named the catalog, and so the module.
func (c cataloged) name(req *pipeline.Request) {
	config := req.Input.FunctionConfig
	if req.Image != "" || req.File != "" || config == nil {
		return
	}
	if _, err := krm.ParseFunction(config); !errors.Is(err, krm.ErrNoFunction) {
		return
	}
	if f, ok := c.find(config.Identity); ok {
		req.Image, req.Expect, req.NamedBy = f.Image, expectation(f), pipeline.NamedByFlag
	}
}
