package krm

import (
	"go.yaml.in/yaml/v3"
)

// expander replaces aliases by copies of what they name and merge keys by the keys they bring, and counts every
// node it makes: a document of one kilobyte can otherwise stand for more nodes than any machine holds.
// maxAliased is how many nodes the aliases of one document may make.
const maxAliased = 200_000

type expander struct {
	budget int
	limit  int
	// aliased is how many more nodes aliases may make, within how many of them the
	// copy stands: a few hundred bytes of aliases can stand for any number of nodes.
	aliased int
	within  int
	open    map[*yaml.Node]bool // anchored nodes being copied: an alias to one of them is a cycle
}

// hasAlias says whether a tree holds an alias or a merge key, so that the common document is not copied.
func hasAlias(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		return true
	}
	for i, c := range n.Content {
		if c.Kind == yaml.ScalarNode {
			if n.Kind == yaml.MappingNode && i%2 == 0 && isMerge(c) {
				return true
			}
			continue
		}
		if hasAlias(c) {
			return true
		}
	}
	return false
}

func isMerge(k *yaml.Node) bool { return k.Kind == yaml.ScalarNode && k.Tag == mergeTag }

// expandAliases returns root without aliases and merge keys. It never makes more than limit nodes.
func expandAliases(root *yaml.Node, limit int) (*yaml.Node, error) {
	e := &expander{budget: limit, limit: limit, aliased: maxAliased, open: map[*yaml.Node]bool{}}
	return e.copy(root, 0)
}

func (e *expander) copy(n *yaml.Node, depth int) (*yaml.Node, error) {
	if e.budget--; e.budget < 0 {
		return nil, limitProblem("nodes", "nodes once aliases are expanded", int64(e.limit), n.Line, n.Column)
	}
	if e.within > 0 {
		if e.aliased--; e.aliased < 0 {
			return nil, limitProblem("aliases", "nodes made by aliases", maxAliased, n.Line, n.Column).
				withHint("write out what the aliases stand for")
		}
	}
	if depth > 1000 {
		return nil, limitProblem("depth", "levels of nesting once aliases are expanded", 1000, n.Line, n.Column)
	}
	if n.Kind == yaml.AliasNode {
		if e.open[n.Alias] {
			return nil, problemf("anchor", n.Line, n.Column, "the alias %q stands inside what it names", short(n.Value))
		}
		e.open[n.Alias] = true
		defer delete(e.open, n.Alias)
		e.within++
		c, err := e.copy(n.Alias, depth)
		e.within--
		if err != nil {
			return nil, err
		}
		// The comments of the anchor belong to the anchor.
		c.HeadComment, c.LineComment, c.FootComment = n.HeadComment, n.LineComment, n.FootComment
		return c, nil
	}
	c := *n
	c.Anchor, c.Content = "", nil
	if n.Anchor != "" {
		if !e.open[n] {
			e.open[n] = true
			defer delete(e.open, n)
		}
	}
	if n.Kind == yaml.MappingNode {
		return &c, e.mapping(&c, n, depth)
	}
	for _, child := range n.Content {
		cc, err := e.copy(child, depth+1)
		if err != nil {
			return nil, err
		}
		c.Content = append(c.Content, cc)
	}
	return &c, nil
}

// mapping copies the keys of n into c, then the keys that its merge keys bring and that it does not have itself.
func (e *expander) mapping(c, n *yaml.Node, depth int) error {
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMerge(n.Content[i]) {
			merges = append(merges, n.Content[i+1])
			continue
		}
		for _, child := range n.Content[i : i+2] {
			cc, err := e.copy(child, depth+1)
			if err != nil {
				return err
			}
			c.Content = append(c.Content, cc)
		}
	}
	if len(merges) == 0 {
		return nil
	}
	have := map[string]bool{}
	for i := 0; i < len(c.Content); i += 2 {
		have[c.Content[i].Value] = true
	}
	for _, m := range merges {
		if err := e.merge(c, m, have, depth); err != nil {
			return err
		}
	}
	return nil
}

func (e *expander) merge(c, from *yaml.Node, have map[string]bool, depth int) error {
	src, err := e.copy(from, depth+1)
	if err != nil {
		return err
	}
	sources := []*yaml.Node{src}
	if src.Kind == yaml.SequenceNode {
		sources = src.Content
	}
	for _, s := range sources {
		if s.Kind != yaml.MappingNode {
			return problemf("anchor", from.Line, from.Column, "a merge key names something that is not a mapping")
		}
		for i := 0; i+1 < len(s.Content); i += 2 {
			if k := s.Content[i].Value; !have[k] {
				have[k] = true
				c.Content = append(c.Content, s.Content[i], s.Content[i+1])
			}
		}
	}
	return nil
}
