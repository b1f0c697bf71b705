package policy

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// shelf is the library before anybody asked for it. Half of the processor time
// that loading a short policy takes goes into parsing, and most policies import
// a few packages of the library: the others are left on the shelf.
type shelf struct {
	sources  []Source
	packages []string // of each source; "" where only the parser can tell
}

func newShelf(sources []Source) shelf {
	s := shelf{sources: sources}
	for _, source := range sources {
		s.packages = append(s.packages, announced(source.Text))
	}
	return s
}

// take parses what the modules can reach, directly or over one another, and adds
// it to them: all that closure will ever ask for, and whatever says its package
// in a way that only the parser understands.
func (s shelf) take(modules map[string]*ast.Module, used uses) error {
	var wanted []string
	for _, e := range entries {
		wanted = append(wanted, e.pkg)
	}
	for _, m := range modules {
		wanted = append(wanted, used.paths(m)...)
	}
	if err := s.unique(); err != nil {
		return err
	}
	left := s
	for {
		var asked []Source
		var rest shelf
		for i, source := range left.sources {
			if p := left.packages[i]; p == "" || reaches(wanted, p) {
				asked = append(asked, source)
			} else {
				rest.sources, rest.packages = append(rest.sources, source), append(rest.packages, p)
			}
		}
		if len(asked) == 0 {
			return nil
		}
		parsed, err := parse(asked)
		if err != nil {
			return err
		}
		wanted = wanted[:0]
		for name, m := range parsed {
			if _, taken := modules[name]; !taken {
				modules[name] = m
			}
			wanted = append(wanted, used.paths(m)...)
		}
		left = rest
	}
}

// unique refuses two sources of one name. parse does so too, for those that it gets at once.
func (s shelf) unique() error {
	seen := map[string]bool{}
	for _, source := range s.sources {
		if seen[source.Name] {
			return duplicate(source.Name)
		}
		seen[source.Name] = true
	}
	return nil
}

func (u uses) paths(m *ast.Module) []string {
	var out []string
	for _, ref := range u.of(m) {
		out = append(out, ref.path)
	}
	return out
}

func reaches(wanted []string, p string) bool {
	for _, want := range wanted {
		if meets(want, p) {
			return true
		}
	}
	return false
}

// meets reports whether a reference to want, or to something in it whose name is
// only known when the policy is asked, can lead into package p.
func meets(want, p string) bool { return want == "" || within(p, want) || within(want, p) }

// announced is the package that a source's first line names, comments aside. It
// is "" for whatever is not the plainest way to say so.
func announced(text []byte) string {
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, is := strings.CutPrefix(line, "package ")
		if !is || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_.") != "" {
			return ""
		}
		return name
	}
	return ""
}
