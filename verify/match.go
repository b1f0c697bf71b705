package verify

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// A pattern matches references without tag and digest.
type pattern struct {
	text string
	// rank says how specific it is: first the characters before the first
	// wildcard, then all characters that are no wildcards.
	rank [2]int
}

// more compares two ranks as cmp.Compare does.
func more(a, b [2]int) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }

// maxPatternBytes bounds the cost of matching one reference.
const maxPatternBytes = 1024

func parsePattern(s string) (pattern, error) {
	switch {
	case s == "" || strings.TrimSpace(s) != s:
		return pattern{}, fmt.Errorf("the pattern %q is empty or has space around it; want a reference such as %q", s, "ghcr.io/acme/**")
	case len(s) > maxPatternBytes:
		return pattern{}, fmt.Errorf("a pattern is longer than %d bytes", maxPatternBytes)
	case strings.Contains(s, "***"):
		return pattern{}, fmt.Errorf("the pattern %q has three stars; use %q or %q", s, "*", "**")
	case strings.HasPrefix(s, "index.docker.io/"):
		return pattern{}, fmt.Errorf("the pattern %q can match nothing: Docker Hub is docker.io here", s)
	case strings.Contains(s, "@") && !local(s):
		return pattern{}, fmt.Errorf("the pattern %q has a digest; name digests under pin, or ask for one with require.digestRef", s)
	}
	s = clean(s)
	exact := strings.IndexByte(s, '*')
	if exact < 0 {
		exact = len(s) + 1
	}
	return pattern{text: s, rank: [2]int{exact, len(s) - strings.Count(s, "*")}}, nil
}

// local reports whether a reference is a path rather than a registry's name.
func local(s string) bool {
	return strings.HasPrefix(s, "file:") || strings.HasPrefix(s, "oci-layout:")
}

// clean gives a path its one spelling, in patterns and references alike:
// "file://./fns/../other.wasm" begins like what is in fns and is "other.wasm".
func clean(s string) string {
	for _, prefix := range []string{"file://", "oci-layout:"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok && rest != "" {
			return prefix + path.Clean(rest)
		}
	}
	return s
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
// "host:5000/a/b", and "oci-layout:./dir:v1" is "oci-layout:./dir". Paths of
// files are kept whole.
func repository(reference string) string {
	if strings.HasPrefix(reference, "file:") {
		return reference
	}
	name, _, _ := strings.Cut(reference, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') && name[:colon] != "oci-layout" {
		name = name[:colon]
	}
	return name
}

// match returns the most specific rule for a reference. None and two that are
// equally specific are refusals.
func (v *Verifier) match(reference string) (*rule, error) {
	name := clean(repository(reference))
	tagged, _, _ := strings.Cut(reference, "@")
	tagged = clean(tagged)
	if !local(name) && slices.Contains(strings.Split(name, "/"), "..") {
		return nil, &RefusalError{
			Code:    "verify.no_rule",
			Message: fmt.Sprintf("%q has a \"..\" in it, which no repository has", name),
		}
	}
	var (
		best, other *rule
		rank        = [2]int{-1, -1}
	)
	for i := range v.rules {
		for _, p := range v.rules[i].match {
			if !p.matches(name) && !p.matches(tagged) {
				continue
			}
			switch c := more(p.rank, rank); {
			case c > 0:
				best, other, rank = &v.rules[i], nil, p.rank
			case c == 0 && best != &v.rules[i]:
				other = &v.rules[i]
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
