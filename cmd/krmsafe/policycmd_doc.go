package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/policy"
)

func (a *app) policyDocCommand() *cobra.Command {
	var f policyFlags
	var output string
	cmd := &cobra.Command{
		Use:   "doc [PATH...]",
		Short: "render the metadata of a policy as Markdown",
		Long: `Renders what the METADATA comments of a policy say of its packages and rules:
title, description, and the reason that each rule gives with its remedy. policy
is the folder where none is named; nothing is compiled or evaluated.`,
		Example: `  krmsafe policy doc policy -o POLICY.md
  krmsafe policy doc builtin:strict`,
		RunE: func(_ *cobra.Command, args []string) error { return a.docPolicy(f, output, args) },
	}
	cmd.Flags().StringArrayVarP(&f.sources, "policy", "p", nil, "file, folder or bundle of the policy, as an argument")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write to")
	return cmd
}

func (a *app) docPolicy(f policyFlags, output string, args []string) error {
	f.name(args)
	cfg, _, err := f.config()
	if err != nil {
		return err
	}
	packages, err := policy.Doc(cfg.Sources)
	if err != nil {
		return err
	}
	text := policy.Markdown(cleanDocs(packages))
	if output != "" {
		if err := writeWhole(output, text); err != nil {
			return fmt.Errorf("writing the documentation: %w", err)
		}
		return nil
	}
	_, err = a.out.Write(text)
	return err
}

// noHTML keeps headings and paragraphs text; cells of tables are kept so by
// package policy.
var noHTML = strings.NewReplacer("<", "&lt;")

// cleanDocs makes the texts of metadata, which others may have written, safe to
// show.
func cleanDocs(packages []policy.PackageDoc) []policy.PackageDoc {
	for i := range packages {
		p := &packages[i]
		p.Title, p.Description = noHTML.Replace(plain.Line(p.Title)), noHTML.Replace(plain.Line(p.Description))
		for j := range p.Rules {
			r := &p.Rules[j]
			for _, text := range []*string{&r.Name, &r.Title, &r.Description, &r.ID, &r.Remedy} {
				*text = plain.Line(*text)
			}
		}
	}
	return packages
}
