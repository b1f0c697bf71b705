// Package conformance reads the suite of testdata/conformance: what is expected of whoever runs KRM functions. It knows
// the suite's format, which docs/conformance.md describes, and not what is tested with it. It is for tests only.
package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// Case is one duty of an orchestrator.
type Case struct {
	Name     string            // file name without its ending
	Why      string            // what is expected and why
	Spec     string            // where that is said, or by whom it was observed
	Function string            // a module under functions/, "" for one that only writes the answer
	Role     string            // what the function is for, "" for a transformer
	Grants   []string          // what the function is given beyond its input
	Files    map[string]string // unescaped
	path     string
	archive  *txtar.Archive
}

// The files of a case that are written by hand. All others begin with "want/".
const (
	Input  = "in.yaml"     // what the operator gives
	Answer = "answer.yaml" // what the function writes; the input it was shown where there is none
	Exit   = "exit"        // the function's exit code; 0 where there is none
)

// unescape lets archives hold what their format, or an editor, would not keep.
var unescape = strings.NewReplacer("␀", "\x00", "␍", "\r", "␣", " ", "�", "\xff", "␂", "\xef\xbb\xbf")

// Load reads all cases under a folder, in the order of their names.
func Load(dir string) ([]*Case, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		return nil, err
	}
	cases := make([]*Case, 0, len(names))
	for _, name := range names {
		ar, err := txtar.ParseFile(name)
		if err != nil {
			return nil, err
		}
		c := &Case{Name: strings.TrimSuffix(filepath.Base(name), ".txtar"), Files: map[string]string{}, path: name, archive: ar}
		for _, f := range ar.Files {
			c.Files[f.Name] = unescape.Replace(string(f.Data))
		}
		if err := c.head(string(ar.Comment)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

// head reads the lines above the first file.
func (c *Case) head(text string) error {
	var why []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, found := strings.Cut(line, ": ")
		switch {
		case found && key == "spec":
			c.Spec = value
		case found && key == "function":
			c.Function = value
		case found && key == "role":
			c.Role = value
		case found && key == "grants":
			c.Grants = strings.Fields(value)
		case line != "":
			why = append(why, line)
		}
	}
	c.Why = strings.Join(why, " ")
	switch {
	case c.Why == "" || c.Spec == "":
		return fmt.Errorf("a case says why, and under \"spec:\" where that is said")
	case c.Files[Input] == "":
		return fmt.Errorf("a case has an input")
	}
	return nil
}

// Want gives what is expected, of the files that the names are.
func (c *Case) Want(names ...string) map[string]string {
	want := map[string]string{}
	for name, data := range c.Files {
		if slices.Contains(names, name) {
			want[name] = data
		}
	}
	return want
}

// Update writes what came of the case: those of the names that came, in that order behind all others.
func (c *Case) Update(got map[string]string, names ...string) error {
	kept := slices.DeleteFunc(slices.Clone(c.archive.Files), func(f txtar.File) bool { return slices.Contains(names, f.Name) })
	for _, name := range names {
		if data, came := got[name]; came {
			kept = append(kept, txtar.File{Name: name, Data: []byte(escape(data))})
			c.Files[name] = data
		} else {
			delete(c.Files, name)
		}
	}
	c.archive.Files = kept
	return os.WriteFile(c.path, txtar.Format(c.archive), 0o600)
}

func escape(data string) string {
	data = strings.NewReplacer("\x00", "␀", "\r", "␍", "\xef\xbb\xbf", "␂").Replace(data)
	lines := strings.SplitAfter(data, "\n")
	for i, l := range lines {
		if body := strings.TrimRight(l, "\n"); strings.HasSuffix(body, " ") {
			lines[i] = body[:len(body)-1] + "␣" + l[len(body):]
		}
	}
	text := strings.Join(lines, "")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}
