package krmfilter

import (
	"encoding/json"
	"fmt"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
)

// run is Filter without what becomes of a deferred failure. The function's bytes are foreign, so a panic of whatever
// reads them is an error: it must not end the program that embeds this.
func (f *Filter) run(nodes []*yaml.RNode) (out []*yaml.RNode, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			out, err = nil, fmt.Errorf("this is a bug in krmsafe: %v", cause)
		}
	}()
	if err := f.check(); err != nil {
		return nil, err
	}
	list, from, err := listOf(nodes, f.FunctionConfig)
	if err != nil {
		return nil, configError(err)
	}
	given := append([]*krm.Item(nil), list.Items...)
	report, err := f.Judge.pipeline.Run(f.Context, pipeline.Request{
		Image: f.Image, File: f.name(), Module: f.Module, Bundles: f.Bundles, NamedBy: pipeline.NamedByFlag, Input: list,
		Lower: f.Limits, FailOn: or(f.FailOn, FailOnError), CheckDeterminism: f.CheckDeterminism, Role: f.Role,
		View: pipeline.Selection{Match: f.Match, Exclude: f.Exclude},
	})
	if err != nil {
		return nil, configError(err)
	}
	if err := f.tell(report); err != nil {
		return nil, err
	}
	if !report.Outcome.OK || report.Emit == nil {
		return nil, refused(report)
	}
	return nodesOf(report.Emit, given, nodes, from)
}

// check refuses what is not set, in words of this package.
func (f *Filter) check() error {
	named := 0
	for _, is := range []bool{f.Image != "", f.File != "", f.Module != nil} {
		if is {
			named++
		}
	}
	switch {
	case f.Judge == nil || f.Judge.pipeline == nil:
		return &ConfigError{Code: "config.judge", Message: "the filter has no judge", Hint: "make one with krmfilter.New and set Filter.Judge"}
	case f.Context == nil:
		return &ConfigError{Code: "config.context", Message: "the filter has no context", Hint: "set Filter.Context to that of the program's run"}
	case named != 1:
		return &ConfigError{Code: "config.module", Message: "exactly one of Image, File and Module names the function's module", Hint: "set one of them"}
	}
	return nil
}

// tell calls who wants to know of a run.
func (f *Filter) tell(report *pipeline.Report) error {
	report.ExitCode = report.Outcome.ExitCode()
	if f.OnResults != nil && len(report.Results) > 0 {
		f.OnResults(resultsOf(report.Results))
	}
	if f.OnReport == nil {
		return nil
	}
	text, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	f.OnReport(text)
	return nil
}

// listOf makes the function's input. from says of each item at which position in nodes it stood.
func listOf(nodes []*yaml.RNode, config *yaml.RNode) (list *krm.ResourceList, from []int, err error) {
	trees := make([]*yaml.Node, len(nodes))
	for i, n := range nodes {
		if n == nil {
			return nil, nil, &ConfigError{Code: "input.node", Message: fmt.Sprintf("node %d is nil", i+1)}
		}
		trees[i] = n.YNode()
	}
	var fc *yaml.Node
	if config != nil {
		fc = config.YNode()
	}
	return krm.FromNodes(trees, fc, krm.DefaultLimits())
}

// nodesOf is what leaves: the very nodes that came wherever nothing changed, and those that the function was not given
// behind what stood before them.
func nodesOf(emit *krm.ResourceList, given []*krm.Item, nodes []*yaml.RNode, from []int) ([]*yaml.RNode, error) {
	stays := make(map[int]bool, len(emit.Items))
	for _, it := range emit.Items {
		if !it.Made() {
			stays[from[it.Index]] = true
		}
	}
	behind, asides := beside(nodes, from, stays)
	out := append(make([]*yaml.RNode, 0, len(emit.Items)+asides), behind[-1]...)
	for _, it := range emit.Items {
		if !it.Made() && given[it.Index] == it {
			out = append(out, nodes[from[it.Index]])
		} else {
			n, err := it.Node()
			if err != nil {
				return nil, fmt.Errorf("reading %q: %w", it.String(), err)
			}
			out = append(out, yaml.NewRNode(yaml.CopyYNode(n)))
		}
		if !it.Made() {
			out = append(out, behind[from[it.Index]]...)
		}
	}
	return out, nil
}

// beside lists the nodes that are no resources by the position of the last resource before each that stays, -1 where
// there is none.
func beside(nodes []*yaml.RNode, from []int, stays map[int]bool) (behind map[int][]*yaml.RNode, count int) {
	resource := make(map[int]bool, len(from))
	for _, i := range from {
		resource[i] = true
	}
	behind = map[int][]*yaml.RNode{}
	last := -1
	for i, n := range nodes {
		switch {
		case !resource[i]:
			behind[last] = append(behind[last], n)
			count++
		case stays[i]:
			last = i
		}
	}
	return behind, count
}
