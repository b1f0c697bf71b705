package verify

import (
	"fmt"
	"strings"
)

// A pattern matches references without tag and digest.
type pattern struct {
	text  string
	exact int // characters before the first wildcard: the more, the more specific
}

func parsePattern(s string) (pattern, error) {
	if s == "" || strings.TrimSpace(s) != s {
		return pattern{}, fmt.Errorf("has the pattern %q; want a reference such as %q", s, "ghcr.io/acme/**")
	}
	if strings.Contains(s, "***") {
		return pattern{}, fmt.Errorf("has the pattern %q; use %q or %q", s, "*", "**")
	}
	exact := strings.IndexByte(s, '*')
	if exact < 0 {
		exact = len(s) + 1
	}
	return pattern{text: s, exact: exact}, nil
}

// matches reports whether the whole of name fits the pattern. Its time is the
// product of the two lengths, whatever they are.
func (p pattern) matches(name string) bool {
	// at[i] says that the pattern so far can end before name[i].
	at := make([]bool, len(name)+1)
	at[0] = true
	for rest := p.text; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "**"):
			rest = rest[2:]
			spread(at, func(int) bool { return true })
		case rest[0] == '*':
			rest = rest[1:]
			spread(at, func(i int) bool { return name[i] != '/' })
		default:
			for i := len(name); i > 0; i-- {
				at[i] = at[i-1] && name[i-1] == rest[0]
			}
			at[0] = false
			rest = rest[1:]
		}
	}
	return at[len(name)]
}

// spread lets every reachable position reach the next ones over characters
// that may be skipped.
func spread(at []bool, may func(int) bool) {
	for i := range len(at) - 1 {
		at[i+1] = at[i+1] || at[i] && may(i)
	}
}

// repository strips tag and digest: "host:5000/a/b:v1@sha256:…" is
// "host:5000/a/b". Local references are kept whole.
func repository(reference string) string {
	if strings.HasPrefix(reference, "file:") || strings.HasPrefix(reference, "oci-layout:") {
		return reference
	}
	name, _, _ := strings.Cut(reference, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name
}

// match returns the most specific rule for the subject. None and two that are
// equally specific are refusals.
func (v *Verifier) match(s Subject) (*rule, error) {
	name := repository(s.Reference)
	var (
		best  *rule
		other *rule
		exact = -1
	)
	for i := range v.rules {
		for _, p := range v.rules[i].match {
			if !p.matches(name) || p.exact < exact {
				continue
			}
			if p.exact == exact && best != &v.rules[i] {
				other = &v.rules[i]
				continue
			}
			if p.exact > exact {
				best, other, exact = &v.rules[i], nil, p.exact
			}
		}
	}
	switch {
	case best == nil:
		return nil, &RefusalError{
			Code:    "verify.no_rule",
			Message: fmt.Sprintf("no rule of the trust policy matches %q", name),
			Hint:    fmt.Sprintf("add a rule whose match covers %q and names who may sign it", name),
		}
	case other != nil:
		return nil, &RefusalError{
			Code:    "verify.ambiguous_rule",
			Message: fmt.Sprintf("the rules %q and %q match %q equally well", best.name, other.name, name),
			Hint:    "make one of the patterns more specific",
		}
	}
	return best, nil
}
