package krm

import (
	"bytes"
	"path"
	"strings"
)

// ignoreName is the file by which kpt and kustomize leave files out, written as git's are (gitignore(5)).
const ignoreName = ".krmignore"

// Bounds on the ignore files of one tree.
const (
	maxIgnoreBytes    = 64 << 10
	maxIgnorePatterns = 10_000
)

// ignored holds the patterns of the ignore files met so far. The zero value leaves nothing out.
type ignored struct {
	patterns []ignorePattern
}

// ignorePattern is one line of an ignore file.
type ignorePattern struct {
	dir      string   // folder of the ignore file, "." for the root
	segments []string // "**" stands for any number of segments
	folder   bool     // it fits folders alone
	keep     bool     // it takes back what a line above it left out
}

// add reads an ignore file that lies in dir.
func (g *ignored) add(dir string, data []byte) error {
	for line := range bytes.Lines(data) {
		p, ok := parseIgnore(string(bytes.TrimRight(line, "\r\n")))
		if !ok {
			continue
		}
		if len(g.patterns) >= maxIgnorePatterns {
			return limitProblem("ignored", "lines in "+ignoreName+" files", maxIgnorePatterns, 0, 0)
		}
		p.dir = dir
		g.patterns = append(g.patterns, p)
	}
	return nil
}

// parseIgnore reads one line. ok is false where it says nothing: blank, a comment, or a pattern that fits nothing.
func parseIgnore(line string) (p ignorePattern, ok bool) {
	for strings.HasSuffix(line, " ") && !strings.HasSuffix(line, `\ `) {
		line = line[:len(line)-1]
	}
	if line == "" || line[0] == '#' {
		return p, false
	}
	if line[0] == '!' {
		p.keep, line = true, line[1:]
	}
	if strings.HasSuffix(line, "/") {
		p.folder, line = true, strings.TrimRight(line, "/")
	}
	anchored := strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	if line == "" {
		return p, false
	}
	p.segments = strings.Split(line, "/")
	if !anchored {
		p.segments = []string{"**", line}
	}
	for _, s := range p.segments {
		if _, err := path.Match(s, ""); err != nil {
			return p, false
		}
	}
	return p, true
}

// leavesOut says whether a file or folder is left out. The last line that fits it decides. Whoever walks the tree does
// not enter a folder that is left out, so what lies in it cannot be taken back.
func (g *ignored) leavesOut(name string, folder bool) bool {
	out := false
	for _, p := range g.patterns {
		rel := name
		if p.dir != "." {
			var below bool
			if rel, below = strings.CutPrefix(name, p.dir+"/"); !below {
				continue
			}
		}
		if p.folder && !folder || out == !p.keep {
			continue
		}
		if fitsSegments(p.segments, strings.Split(rel, "/")) {
			out = !p.keep
		}
	}
	return out
}

// fitsSegments matches a pattern with a path, segment by segment. It takes no more steps than their lengths multiplied.
func fitsSegments(pattern, name []string) bool {
	fits := make([]bool, len(name)+1) // whether the pattern's rest fits the name's from here
	fits[len(name)] = true
	for i := len(pattern) - 1; i >= 0; i-- {
		if pattern[i] == "**" {
			// At the end it stands for what lies in a folder, and not for the folder.
			last := i == len(pattern)-1
			if last {
				fits[len(name)] = false
			}
			for j := len(name) - 1; j >= 0; j-- {
				fits[j] = last || fits[j] || fits[j+1]
			}
			continue
		}
		for j := range name {
			one, err := path.Match(pattern[i], name[j])
			fits[j] = err == nil && one && fits[j+1]
		}
		fits[len(name)] = false
	}
	return fits[0]
}
