package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/catalog"
	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/oci"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/internal/report"
	"github.com/krmsafe/krmsafe/policy"
)

func (a *app) catalogCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalog",
		Short: "write and check catalogs, which name modules by group, version and kind",
		Long: `A catalog lists functions as KEP-2906 does: for the group, version and kind of a
functionConfig it names the module, by digest, and who must have signed it. With
krmsafe build --catalog or krmsafe run --catalog a functionConfig needs no
annotation. What a catalog asks for comes on top of the operator's trust and
policy and replaces none of it.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.catalogGenerateCommand(), a.catalogCheckCommand())
	return cmd
}

// catalogGenerateFlags are the flags of `krmsafe catalog generate`.
type catalogGenerateFlags struct {
	originFlags
	name      string
	to        string
	noSigners bool
}

func (a *app) catalogGenerateCommand() *cobra.Command {
	var f catalogGenerateFlags
	cmd := &cobra.Command{
		Use:   "generate [GROUP/VERSION/KIND=]REF…",
		Short: "write a catalog of modules, each verified",
		Long: `Fetches each module, verifies its signature under the given trust, looks whether it
can be run, and writes a catalog with its digests and signers. The same modules
give the same text.

Which functionConfig asks for a module is named before it, or by the annotation
krmsafe.dev/function-kind of its manifest, which its publisher writes with
krmsafe push --annotation krmsafe.dev/function-kind=GROUP/VERSION/KIND. The
manifest's org.opencontainers.image annotations give description, vendor,
licenses, url and documentation.`,
		Example: `  krmsafe catalog generate example.com/v1/SetLabels=ghcr.io/acme/set-labels:v1 --key acme.pub > catalog.yaml`,
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			code, err := a.generateCatalog(cmd.Context(), f, args)
			a.code = code
			return err
		},
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "functions", "name of the catalog")
	flags.StringVarP(&f.to, "output", "o", "", "file to write (default: standard output)")
	flags.BoolVar(&f.noSigners, "no-signers", false, "write no signers: whoever the operator trusts may have signed")
	return cmd
}

// catalogJudge makes a pipeline that looks into modules and runs none.
func (a *app) catalogJudge(f *originFlags) (*pipeline.Pipeline, error) {
	client, verifier, err := f.judges(a)
	if err != nil {
		return nil, err
	}
	return pipeline.New(pipeline.Config{
		Registry: client, Verifier: verifier, AllowUnsigned: f.allowUnsigned, Policy: policy.Closed(), KRM: krm.DefaultLimits(),
	})
}

func (a *app) generateCatalog(ctx context.Context, f catalogGenerateFlags, args []string) (int, error) {
	p, err := a.catalogJudge(&f.originFlags)
	if err != nil {
		return 0, err
	}
	bundles, err := f.trust.readBundles()
	if err != nil {
		return 0, err
	}
	var parts []*catalog.Catalog
	for _, arg := range args {
		gvk, ref, named := strings.Cut(arg, "=")
		if !named {
			gvk, ref = "", arg
		}
		fn, rep, err := listed(ctx, p, pipeline.Request{Image: ref, Bundles: bundles})
		if err != nil {
			return 0, err
		}
		if !rep.Outcome.OK {
			return rep.Outcome.ExitCode(), report.Text(a.err, rep, report.Options{})
		}
		if err := nameFunction(&fn, gvk, ref); err != nil {
			return 0, err
		}
		if f.noSigners {
			fn.Signers = nil
		}
		parts = append(parts, &catalog.Catalog{Functions: []catalog.Function{fn}})
	}
	whole, err := catalog.Merge(parts...)
	if err != nil {
		return 0, &pipeline.UsageError{Message: err.Error(), Hint: "name each group, version and kind once"}
	}
	whole.Name = f.name
	text, err := whole.Encode()
	if err != nil {
		return 0, err
	}
	if f.to == "" {
		return pipeline.ExitOK, a.deliver(text)
	}
	if err := writeWhole(f.to, text); err != nil {
		return 0, fmt.Errorf("writing the catalog: %w", err)
	}
	_, err = fmt.Fprintf(a.err, "krmsafe: listed %d function(s) in %s\n", len(whole.Functions), plain.Line(f.to))
	return pipeline.ExitOK, err
}

// The annotations of a manifest that a catalog takes over. Whoever signed the digest
// signed them.
const (
	kindAnnotation = "krmsafe.dev/function-kind"
	imageLabels    = "org.opencontainers.image."
)

// listed looks into a module and makes an entry of it, without its name.
func listed(ctx context.Context, p *pipeline.Pipeline, req pipeline.Request) (catalog.Function, *pipeline.Report, error) {
	req.NamedBy, req.Input, req.FailOn = pipeline.NamedByFlag, &krm.ResourceList{}, pipeline.FailNever
	ref, err := oci.ParseRef(req.Image)
	if err != nil {
		return catalog.Function{}, nil, err
	}
	rep, err := p.Verify(ctx, req)
	if err != nil || !rep.Outcome.OK {
		return catalog.Function{}, rep, err
	}
	ref.Tag, ref.Digest = "", rep.Function.Digest // what was verified, wherever the tag leads by now
	req.Image = ref.String()
	facts, inspected, err := p.Inspect(ctx, req)
	if err != nil {
		return catalog.Function{}, nil, err
	}
	if inspected.Outcome.Stage != "" { // it cannot be run
		return catalog.Function{}, inspected, nil
	}
	fn := catalog.Function{
		Runtime: "wasip1", Image: req.Image, ModuleDigest: inspected.Function.ModuleDigest, Source: "the command line",
		Description: facts.Unverified.Annotations[imageLabels+"description"], Publisher: facts.Unverified.Annotations[imageLabels+"vendor"],
		License: facts.Unverified.Annotations[imageLabels+"licenses"], Home: facts.Unverified.Annotations[imageLabels+"url"],
		Usage: facts.Unverified.Annotations[imageLabels+"documentation"],
	}
	fn.Group, fn.Version, fn.Kind = splitKind(facts.Unverified.Annotations[kindAnnotation])
	for _, s := range rep.Signatures {
		signer := catalog.Signer{Issuer: s.Issuer, Identity: s.Subject}
		if s.Type == "key" {
			signer = catalog.Signer{Key: s.KeyID}
		}
		if !slices.Contains(fn.Signers, signer) {
			fn.Signers = append(fn.Signers, signer)
		}
	}
	return fn, rep, nil
}

func splitKind(s string) (group, version, kind string) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return "", "", ""
	}
	return parts[0], parts[1], parts[2]
}

// nameFunction says which functionConfig asks for a module.
func nameFunction(fn *catalog.Function, gvk, ref string) error {
	if gvk != "" {
		fn.Group, fn.Version, fn.Kind = splitKind(gvk)
	}
	if fn.Kind == "" {
		return &pipeline.UsageError{
			Message: fmt.Sprintf("which functionConfig asks for %s is not said", ref),
			Hint:    "write GROUP/VERSION/KIND=" + ref + ", or publish it with the annotation " + kindAnnotation,
		}
	}
	if why := catalog.GVK(fn.Group, fn.Version, fn.Kind); why != "" {
		return &pipeline.UsageError{Message: fmt.Sprintf("%s cannot be listed: %s", ref, why)}
	}
	return nil
}

// catalogCheckFlags are the flags of `krmsafe catalog check`.
type catalogCheckFlags struct {
	originFlags
	syntax bool
}

func (a *app) catalogCheckCommand() *cobra.Command {
	var f catalogCheckFlags
	cmd := &cobra.Command{
		Use:   "check FILE|oci://REF@sha256:…",
		Short: "check that a catalog's modules are what it says",
		Long: `Reads a catalog strictly, then fetches each of its modules and checks its digests
and signatures: those that the given trust asks for, and those that the catalog
names. Nothing is run.

Exit codes: 0 all of it holds, 1 could not tell, 2 the catalog is not one, 3 a
module is not what the catalog says or is not signed as it must be.`,
		Example: `  krmsafe catalog check catalog.yaml --trust trust.yaml
  krmsafe catalog check catalog.yaml --syntax`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			code, err := a.checkCatalog(cmd.Context(), f, args[0])
			a.code = code
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&f.syntax, "syntax", false, "read the catalog alone and fetch no module")
	return cmd
}

func (a *app) checkCatalog(ctx context.Context, f catalogCheckFlags, name string) (int, error) {
	c, err := readCatalog(ctx, a, f.registry, name)
	if err != nil {
		return 0, err
	}
	runs := slices.DeleteFunc(slices.Clone(c.Functions), func(fn catalog.Function) bool { return fn.Image == "" })
	code := pipeline.ExitOK
	if !f.syntax {
		if code, err = a.checkModules(ctx, &f.originFlags, runs); err != nil {
			return 0, err
		}
	}
	if code != pipeline.ExitOK {
		return code, nil
	}
	what := "verified"
	if f.syntax {
		what = "not fetched"
	}
	_, err = fmt.Fprintf(a.err, "krmsafe: %s lists %d function(s): %d module(s) %s, %d of other runtimes\n",
		plain.Line(name), len(c.Functions), len(runs), what, len(c.Functions)-len(runs))
	return pipeline.ExitOK, err
}

// checkModules checks all modules, so that everything wrong is told at once.
func (a *app) checkModules(ctx context.Context, f *originFlags, functions []catalog.Function) (int, error) {
	p, err := a.catalogJudge(f)
	if err != nil {
		return 0, err
	}
	bundles, err := f.trust.readBundles()
	if err != nil {
		return 0, err
	}
	code := pipeline.ExitOK
	for _, fn := range functions {
		rep, err := p.Verify(ctx, pipeline.Request{
			Image: fn.Image, Bundles: bundles, NamedBy: pipeline.NamedByFlag, Input: &krm.ResourceList{}, FailOn: pipeline.FailNever, Expect: expectation(fn),
		})
		if err != nil {
			return 0, fmt.Errorf("checking %s: %w", fn, err)
		}
		if !rep.Outcome.OK {
			code = rep.Outcome.ExitCode()
			err = errors.Join(err, report.Text(a.err, rep, report.Options{}))
		}
		if err != nil {
			return 0, err
		}
	}
	return code, nil
}
