package main

import (
	"bytes"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/krmsafe/krmsafe/internal/krm"
)

// diffOf is what a plan changes, as patch -p1 and git apply take it. For a person
// at a terminal it is cleaned and coloured instead.
func diffOf(plan []krm.FileChange, person bool) []byte {
	var out bytes.Buffer
	for _, c := range plan {
		out.Write(unified(c.Path, c.Before, c.After))
	}
	if person {
		return shown(out.Bytes())
	}
	return out.Bytes()
}

// unified is the difference of one file. What is nil is no file.
func unified(path string, before, after []byte) []byte {
	from, to := "a/"+path, "b/"+path
	if before == nil {
		from = "/dev/null"
	}
	if after == nil {
		to = "/dev/null"
	}
	text := diff.Diff(from, before, to, after)
	_, text, _ = bytes.Cut(text, []byte("\n")) // git's own line would need its modes
	return text
}
