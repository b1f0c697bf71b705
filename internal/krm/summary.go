package krm

import (
	"slices"
	"strings"
)

// Summary is what a policy is told of the resources before a function runs: how many of which kinds, in which
// namespaces, and whether Secrets are among them. Lists are sorted and never nil.
type Summary struct {
	Count           int         `json:"count"`
	Kinds           []KindCount `json:"kinds"`
	Namespaces      []string    `json:"namespaces"`
	ContainsSecrets bool        `json:"containsSecrets"`
}

// KindCount is a kind and how many resources have it.
type KindCount struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
	Count   int    `json:"count"`
}

// Summarize counts the resources of a list.
func Summarize(rl *ResourceList) Summary {
	type kind struct{ group, version, kind string }
	counts := map[kind]int{}
	namespaces := map[string]bool{}
	s := Summary{Count: len(rl.Items), Kinds: []KindCount{}, Namespaces: []string{}}
	for _, it := range rl.Items {
		counts[kind{it.Group, it.Version, it.Kind}]++
		if it.Namespace != "" {
			namespaces[it.Namespace] = true
		}
		s.ContainsSecrets = s.ContainsSecrets || it.isSecret()
	}
	for k, n := range counts {
		s.Kinds = append(s.Kinds, KindCount{Group: k.group, Version: k.version, Kind: k.kind, Count: n})
	}
	slices.SortFunc(s.Kinds, func(a, b KindCount) int {
		for _, c := range []int{
			strings.Compare(a.Group, b.Group), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Version, b.Version),
		} {
			if c != 0 {
				return c
			}
		}
		return 0
	})
	for ns := range namespaces {
		s.Namespaces = append(s.Namespaces, ns)
	}
	slices.Sort(s.Namespaces)
	return s
}
