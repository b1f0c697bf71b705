// Package imagepolicy judges the container images that resources ask for. It knows
// image references and where containers stand in a resource; it does not ask any
// registry, and never changes a resource.
package imagepolicy

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	validation "k8s.io/kube-openapi/pkg/validation/errors"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/kustomize/kyaml/errors"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/resid"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/krmsafe/krmsafe/testdata/functions/internal/function"
)

// APIVersion and Kind name the functionConfig that this function reads.
const (
	APIVersion = group + "/" + version
	Kind       = "ImagePolicy"

	group, version = "functions.krmsafe.dev", "v1alpha1"
)

// The rules a result can come from, as its tag "rule" names them.
const (
	RuleReference = "image.reference"  // error: no image, or one that cannot be read
	RuleRegistry  = "image.registry"   // error: a registry that is not allowed
	RuleTag       = "image.tag"        // error: a forbidden tag; warning: no tag, or one that a digest overrides
	RuleDigest    = "image.digest"     // error: not pinned by a digest
	RuleShort     = "image.short-name" // info: the registry is left to the runtime's default
	RuleSummary   = "image.summary"    // info: how much was judged
)

//go:embed definition.yaml
var definition string

// ImagePolicy is the functionConfig.
type ImagePolicy struct {
	Spec struct {
		AllowedRegistries []string `json:"allowedRegistries"`
		RequireDigest     bool     `json:"requireDigest"`
		ForbidTags        []string `json:"forbidTags"`
	} `json:"spec"`

	allowed []prefix
}

// Processor returns the function itself. It fails, after writing its results, when one
// of them has severity error.
func Processor() framework.ResourceListProcessor {
	return function.ForConfig(APIVersion, Kind, func() kio.Filter { return &ImagePolicy{} })
}

// Schema returns the OpenAPI schema that a functionConfig must satisfy: fields it
// does not name are refused.
func (p *ImagePolicy) Schema() (*spec.Schema, error) {
	return framework.SchemaFromFunctionDefinition(resid.NewGvk(group, version, Kind), definition)
}

// Validate refuses registries and tags that no image could ever match, and reports
// all of them at once.
func (p *ImagePolicy) Validate() error {
	var found []error
	for i, s := range p.Spec.AllowedRegistries {
		entry, err := parsePrefix(s)
		if err != nil {
			found = append(found, errors.Errorf("spec.allowedRegistries[%d]: %q %v", i, s, err))
			continue
		}
		p.allowed = append(p.allowed, entry)
	}
	for i, s := range p.Spec.ForbidTags {
		if !tag.MatchString(s) {
			found = append(found, errors.Errorf("spec.forbidTags[%d]: %q is not a tag", i, s))
		}
	}
	if len(found) == 0 {
		return nil
	}
	return validation.CompositeValidationError(found...)
}

// Filter judges every container of every item and returns the items as they are. Its
// findings are the framework.Results it returns as an error, in the order of the
// input, followed by a summary.
func (p *ImagePolicy) Filter(items []*yaml.RNode) ([]*yaml.RNode, error) {
	var results framework.Results
	judged, workloads := 0, 0
	for _, item := range items {
		found, err := containersOf(item)
		if err != nil {
			results = append(results, finding(item, container{}, framework.Error, RuleReference, err.Error()))
			continue
		}
		for _, c := range found {
			results = append(results, p.judge(item, c)...)
		}
		judged += len(found)
		if len(found) > 0 {
			workloads++
		}
	}
	return items, append(results, &framework.Result{
		Severity: framework.Info,
		Message:  fmt.Sprintf("judged %d images of %d workloads among %d resources", judged, workloads, len(items)),
		Tags:     map[string]string{"rule": RuleSummary},
	})
}

// judge applies every rule to one container of item.
func (p *ImagePolicy) judge(item *yaml.RNode, c container) framework.Results {
	if c.problem != "" {
		return framework.Results{finding(item, c, framework.Error, RuleReference, c.problem)}
	}
	image, err := ParseImage(c.image)
	if err != nil {
		return framework.Results{finding(item, c, framework.Error, RuleReference, fmt.Sprintf("image %q %v", c.image, err))}
	}
	var results framework.Results
	add := func(severity framework.Severity, rule, format string, args ...any) *framework.Result {
		r := finding(item, c, severity, rule, fmt.Sprintf(format, args...))
		results = append(results, r)
		return r
	}
	if !slices.ContainsFunc(p.allowed, func(e prefix) bool { return e.covers(image) }) {
		add(framework.Error, RuleRegistry, "image %q comes from %s/%s, which is not under an allowed registry (%s)",
			c.image, image.Registry, image.Repository, strings.Join(p.Spec.AllowedRegistries, ", "))
	}
	p.judgeTag(image, c.image, add)
	if p.Spec.RequireDigest && image.Digest == "" {
		add(framework.Error, RuleDigest, "image %q is not pinned by a digest", c.image)
	}
	if image.Short {
		add(framework.Info, RuleShort, "image %q names no registry: %s is implied", c.image, dockerHub).Field.ProposedValue = image.String()
	}
	return results
}

// judgeTag applies the rules on tags. A tag beside a digest is only a remark to the
// reader, for the runtime goes by the digest; no tag and no digest mean latest.
func (p *ImagePolicy) judgeTag(image Image, text string, add func(framework.Severity, string, string, ...any) *framework.Result) {
	forbidden := func(t string) bool { return slices.Contains(p.Spec.ForbidTags, t) }
	switch {
	case image.Tag != "" && forbidden(image.Tag) && image.Digest != "":
		add(framework.Warning, RuleTag, "image %q carries the forbidden tag %q, which its digest overrides", text, image.Tag)
	case image.Tag != "" && forbidden(image.Tag):
		add(framework.Error, RuleTag, "image %q uses the forbidden tag %q", text, image.Tag)
	case image.Tag == "" && image.Digest == "" && forbidden("latest"):
		add(framework.Error, RuleTag, "image %q names no tag: the forbidden tag \"latest\" is implied", text)
	case image.Tag == "" && image.Digest == "":
		add(framework.Warning, RuleTag, "image %q names neither tag nor digest: \"latest\" is implied", text)
	}
}
