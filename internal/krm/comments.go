package krm

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// commented says whether a function wrote a comment line that was not there. Comments are no values: nobody judges
// them, and some tools take orders from them (kpt's setters, Flux's image policies), so they never leave.
func commented(was, out *yaml.Node) bool {
	var had map[string]bool
	return anyComment(out, func(line string) bool {
		if had == nil {
			had = map[string]bool{}
			anyComment(was, func(line string) bool { had[line] = true; return false })
		}
		return !had[line]
	})
}

// anyComment looks for a comment line in a tree.
func anyComment(n *yaml.Node, is func(line string) bool) bool {
	if n == nil {
		return false
	}
	for _, text := range []string{n.HeadComment, n.LineComment, n.FootComment} {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && is(line) {
				return true
			}
		}
	}
	for _, c := range n.Content {
		if anyComment(c, is) {
			return true
		}
	}
	return false
}
