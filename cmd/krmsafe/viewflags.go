package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/policy"
)

// viewFlags choose, in kpt's words, the resources that a function sees. The
// others are put back unchanged.
type viewFlags struct {
	match, exclude selectorFlags
}

// selectorFlags are the flags of one side. A flag that is given several times
// fits any of its values; of labels and annotations all must fit.
type selectorFlags struct {
	apiVersions, kinds, names, namespaces []string
	labels, annotations                   []string
}

func (f *viewFlags) register(cmd *cobra.Command) {
	f.match.register(cmd, "match", "show the function only resources")
	f.exclude.register(cmd, "exclude", "do not show the function resources")
}

func (f *selectorFlags) register(cmd *cobra.Command, side, does string) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.apiVersions, side+"-api-version", nil, does+" of this apiVersion")
	flags.StringArrayVar(&f.kinds, side+"-kind", nil, does+" of this kind")
	flags.StringArrayVar(&f.names, side+"-name", nil, does+" of this name")
	flags.StringArrayVar(&f.namespaces, side+"-namespace", nil, does+" in this namespace")
	flags.StringArrayVar(&f.labels, side+"-labels", nil, does+" with these labels (key=value,…)")
	flags.StringArrayVar(&f.annotations, side+"-annotations", nil, does+" with these annotations (key=value,…)")
}

// selection gives the request's part of the view.
func (f *viewFlags) selection() (pipeline.Selection, error) {
	match, err := f.match.selectors("match")
	if err != nil {
		return pipeline.Selection{}, err
	}
	exclude, err := f.exclude.selectors("exclude")
	return pipeline.Selection{Match: match, Exclude: exclude}, err
}

// maxSelectors bounds the product of what is given.
const maxSelectors = 10_000

// selectors multiplies the flags out: one selector for each apiVersion, kind,
// name and namespace that belong together.
func (f *selectorFlags) selectors(side string) ([]policy.Selector, error) {
	labels, err := pairs("--"+side+"-labels", f.labels)
	if err != nil {
		return nil, err
	}
	annotations, err := pairs("--"+side+"-annotations", f.annotations)
	if err != nil {
		return nil, err
	}
	list := []policy.Selector{{Labels: labels, Annotations: annotations}}
	said := len(labels)+len(annotations) > 0
	for _, part := range []struct {
		flag   string
		values []string
		set    func(*policy.Selector, string)
	}{
		{"api-version", f.apiVersions, func(s *policy.Selector, v string) { s.APIVersion = v }},
		{"kind", f.kinds, func(s *policy.Selector, v string) { s.Kind = v }},
		{"name", f.names, func(s *policy.Selector, v string) { s.Name = v }},
		{"namespace", f.namespaces, func(s *policy.Selector, v string) { s.Namespace = v }},
	} {
		if len(part.values) == 0 {
			continue
		}
		said = true
		var grown []policy.Selector
		for _, s := range list {
			for _, value := range split(part.values) {
				if value == "" { // an unset variable of a shell must not mean everything
					return nil, &pipeline.UsageError{Message: "--" + side + "-" + part.flag + " is empty", Hint: "leave the flag out to select by something else"}
				}
				part.set(&s, value)
				grown = append(grown, s)
			}
		}
		if list = grown; len(list) > maxSelectors {
			return nil, &pipeline.UsageError{Message: "the --" + side + " flags select by more than 10000 combinations", Hint: "select by fewer values, or by a label"}
		}
	}
	if !said {
		return nil, nil
	}
	return list, nil
}

// split takes lists apart at their commas. Unlike pflag's slices it keeps what is
// empty, so that it can be refused.
func split(list []string) []string {
	var out []string
	for _, item := range list {
		out = append(out, strings.Split(item, ",")...)
	}
	return out
}

// pairs reads key=value pairs.
func pairs(flag string, list []string) (map[string]string, error) {
	out := map[string]string{}
	for _, item := range split(list) {
		key, value, found := strings.Cut(item, "=")
		if !found || key == "" {
			return nil, &pipeline.UsageError{Message: flag + " takes key=value, and not " + item, Hint: "for example " + flag + " app=web,tier=front"}
		}
		if old, twice := out[key]; twice && old != value {
			return nil, &pipeline.UsageError{Message: flag + " asks for two values of " + key, Hint: "a resource has one value for each key"}
		}
		out[key] = value
	}
	return out, nil
}
