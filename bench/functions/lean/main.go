// Command lean is the function that the bench measures, in Go with a YAML
// library and nothing else: it sets one annotation on every resource.
package main

import (
	"bufio"
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "lean:", err)
		os.Exit(1)
	}
}

func run() error {
	var list yaml.Node
	if err := yaml.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<16)).Decode(&list); err != nil {
		return err
	}
	items := field(list.Content[0], "items")
	if items == nil || items.Kind != yaml.SequenceNode {
		return fmt.Errorf("the ResourceList has no items")
	}
	for i, item := range items.Content {
		if err := annotate(item); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
	}
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	e := yaml.NewEncoder(out)
	e.SetIndent(2)
	e.CompactSeqIndent()
	if err := e.Encode(&list); err != nil {
		return err
	}
	return out.Flush()
}

// annotate sets the annotation on one resource.
func annotate(item *yaml.Node) error {
	metadata := field(item, "metadata")
	if metadata == nil || metadata.Kind != yaml.MappingNode {
		return fmt.Errorf("it has no metadata")
	}
	annotations := field(metadata, "annotations")
	if annotations == nil {
		annotations = &yaml.Node{Kind: yaml.MappingNode}
		metadata.Content = append(metadata.Content, text("annotations"), annotations)
	}
	if old := field(annotations, "bench.krmsafe.dev/owner"); old != nil {
		*old = *text("team-a")
		return nil
	}
	annotations.Content = append(annotations.Content, text("bench.krmsafe.dev/owner"), text("team-a"))
	return nil
}

func text(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

// field gives the value of a mapping's key, or nil.
func field(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
