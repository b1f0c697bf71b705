package krm

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Severities of a result. A result that names none has the severity error.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
	SeverityInfo    = "info"
)

// Result is one entry of a ResourceList's results (KRM Functions Specification v1). Every string in it was chosen by
// the function and must be cleaned before it is shown.
type Result struct {
	Message     string            `json:"message" yaml:"message"`
	Severity    string            `json:"severity" yaml:"severity"`
	ResourceRef *ResourceRef      `json:"resourceRef,omitempty" yaml:"resourceRef,omitempty"`
	Field       *ResultField      `json:"field,omitempty" yaml:"field,omitempty"`
	File        *ResultFile       `json:"file,omitempty" yaml:"file,omitempty"`
	Tags        map[string]string `json:"tags,omitempty" yaml:"tags,omitempty"`
	Unstated    bool              `json:"-" yaml:"-"` // the function named no severity
}

// ResourceRef names the resource a result speaks of.
type ResourceRef struct {
	APIVersion string `json:"apiVersion" yaml:"apiVersion"`
	Kind       string `json:"kind" yaml:"kind"`
	Namespace  string `json:"namespace,omitempty" yaml:"namespace,omitempty"`
	Name       string `json:"name" yaml:"name"`
}

// ResultField names the field a result speaks of. The values are the function's, written as YAML on one line.
type ResultField struct {
	Path          string `json:"path" yaml:"path"`
	CurrentValue  string `json:"currentValue,omitempty" yaml:"currentValue,omitempty"`
	ProposedValue string `json:"proposedValue,omitempty" yaml:"proposedValue,omitempty"`
}

// ResultFile names the file a result speaks of. The path is a claim; nothing is opened by it.
type ResultFile struct {
	Path  string `json:"path" yaml:"path"`
	Index int    `json:"index" yaml:"index"`
}

// ParseResults reads the results of a function's output and nothing else of it: what a function that failed has to
// say is worth reading even where its items are unusable. It accepts what ParseOutput accepts, without demanding
// items. It returns nil where the output has no results. The error is an *OutputError.
func ParseResults(output []byte, limits Limits) ([]Result, error) {
	results, err := parseResults(output, limits)
	if err != nil {
		return nil, asOutput(err)
	}
	return results, nil
}

// resultNodes bounds the nodes of an output that is read for its results alone.
const resultNodes = 200_000

func parseResults(output []byte, limits Limits) ([]Result, error) {
	body, err := text(output, limits.Bytes)
	if err != nil {
		return nil, err
	}
	var root *yaml.Node
	if p, ok := split(body, limits); ok && estimate(p.frame, resultNodes) == nil {
		root, err = p.decodeFrame()
	}
	if root == nil || err != nil {
		if err := estimate(body, resultNodes); err != nil {
			return nil, err
		}
		root, err = decodeOne(body)
	}
	if err != nil || empty(root) {
		return nil, err
	}
	if err := isList(root); err != nil {
		return nil, err
	}
	node := field(root, "results")
	if node == nil {
		return nil, nil
	}
	if err := (&gate{limits: limits}).pass(node); err != nil {
		return nil, err
	}
	return readResults(node, limits.Results)
}

// readResults reads the results field, which older functions write as a mapping with a name and items, or results.
func readResults(n *yaml.Node, limit int) ([]Result, error) {
	if n != nil && n.Kind == yaml.MappingNode {
		list := field(n, "items")
		if list == nil {
			list = field(n, "results")
		}
		n = list
	}
	if n == nil || n.Kind == yaml.ScalarNode && n.Tag == nullTag {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, problemf("results", n.Line, n.Column, "results is not a sequence")
	}
	if len(n.Content) > limit {
		return nil, limitProblem("results", "results", int64(limit), n.Line, n.Column)
	}
	var results []Result
	for _, c := range n.Content {
		r, err := readResult(c)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

func readResult(n *yaml.Node) (Result, error) {
	if n.Kind != yaml.MappingNode {
		return Result{}, problemf("results", n.Line, n.Column, "a result is not a mapping")
	}
	r := Result{Message: scalarField(n, "message"), Severity: scalarField(n, "severity")}
	switch r.Severity {
	case "":
		r.Severity, r.Unstated = SeverityError, true
	case SeverityError, SeverityWarning, SeverityInfo:
	default:
		return Result{}, problemf("results", n.Line, n.Column, "a result has the severity %q", short(r.Severity)).
			withHint("a severity is error, warning or info")
	}
	if ref := field(n, "resourceRef"); ref != nil && ref.Kind == yaml.MappingNode {
		r.ResourceRef = &ResourceRef{
			APIVersion: scalarField(ref, "apiVersion"), Kind: scalarField(ref, "kind"),
			Namespace: scalarField(ref, "namespace"), Name: scalarField(ref, "name"),
		}
	}
	if f := field(n, "field"); f != nil && f.Kind == yaml.MappingNode {
		r.Field = &ResultField{Path: scalarField(f, "path"), CurrentValue: oneLine(field(f, "currentValue"))}
		r.Field.ProposedValue = oneLine(field(f, "proposedValue"))
		if r.Field.ProposedValue == "" {
			r.Field.ProposedValue = oneLine(field(f, "suggestedValue"))
		}
	}
	if f := field(n, "file"); f != nil && f.Kind == yaml.MappingNode {
		r.File = &ResultFile{Path: scalarField(f, "path")}
		if s := scalarField(f, "index"); s != "" {
			index, err := strconv.Atoi(s)
			if err != nil || index < 0 {
				return Result{}, problemf("results", f.Line, f.Column, "a result's file index is %q", short(s)).
					withHint("an index is a number from 0")
			}
			r.File.Index = index
		}
	}
	if tags := field(n, "tags"); tags != nil && tags.Kind == yaml.MappingNode && len(tags.Content) > 0 {
		r.Tags = make(map[string]string, len(tags.Content)/2)
		for i := 0; i+1 < len(tags.Content); i += 2 {
			r.Tags[tags.Content[i].Value] = oneLine(tags.Content[i+1])
		}
	}
	return r, nil
}

// oneLine is a value on one line: a scalar's text, or flow-style YAML, cut where it is long.
func oneLine(n *yaml.Node) string {
	const keep = 4 << 10
	if n == nil {
		return ""
	}
	s := n.Value
	if n.Kind != yaml.ScalarNode {
		c := *n
		c.Style |= yaml.FlowStyle
		b, err := marshal(&c)
		if err != nil {
			return ""
		}
		s = string(b)
		for len(s) > 0 && s[len(s)-1] == '\n' {
			s = s[:len(s)-1]
		}
	}
	if len(s) > keep {
		s = s[:keep] + "…"
	}
	return s
}
