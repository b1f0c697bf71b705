// Command kyaml is the function that the bench measures, as kyaml's framework
// would have it written: it sets one annotation on every resource.
package main

import (
	"os"

	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/fn/framework/command"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

func main() {
	filter := kio.FilterFunc(func(nodes []*yaml.RNode) ([]*yaml.RNode, error) {
		for _, n := range nodes {
			if err := n.PipeE(yaml.SetAnnotation("bench.krmsafe.dev/owner", "team-a")); err != nil {
				return nil, err
			}
		}
		return nodes, nil
	})
	// The processor with all that the framework offers: templates, patches, schemas.
	processor := framework.TemplateProcessor{PostProcessFilters: []kio.Filter{filter}}
	if err := command.Build(processor, command.StandaloneDisabled, false).Execute(); err != nil {
		os.Exit(1)
	}
}
