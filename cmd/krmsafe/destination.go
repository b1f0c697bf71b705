package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
)

// destinationFlags say where the result goes. -o has kpt's words.
type destinationFlags struct {
	output string
	dryRun bool
	diff   bool
	delete bool
}

// The words of --output that are no directory.
const (
	toStdout = "stdout"
	toUnwrap = "unwrap"
)

func (f *destinationFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", "", "where the result goes: stdout (a ResourceList), unwrap (plain manifests on standard output), or a new directory; without it a directory is rewritten in place, and anything else goes to stdout")
	flags.BoolVar(&f.dryRun, "dry-run", false, "write nothing; say which files would change")
	flags.BoolVar(&f.diff, "diff", false, "print on standard output how the files change, as a unified diff, and rewrite them all the same unless --dry-run is given, too")
	flags.BoolVar(&f.delete, "allow-delete", false, "let functions delete resources from files, and files of which nothing is left")
}

// destination checks where the result is to go before anything is done.
func (b *batch) destination() error {
	f := &b.flags.to
	info, err := os.Stat(b.path)
	isDir := b.path != "" && err == nil && info.IsDir()
	inPlace := isDir && f.output == ""
	if (f.dryRun || f.diff || f.delete || b.flags.tree.move) && !isDir {
		return &pipeline.UsageError{
			Message: "--dry-run, --diff, --allow-delete and --allow-move are about the files of a directory, and none is named",
			Hint:    "name the directory: krmsafe run DIR …",
		}
	}
	if (f.dryRun || f.diff) && !inPlace {
		return &pipeline.UsageError{Message: "--dry-run and --diff are about rewriting a directory in place, and --output sends the result elsewhere", Hint: "leave --output out"}
	}
	if b.flags.pipeline.on && !isDir {
		return &pipeline.UsageError{Message: "--pipeline needs a directory with a Kptfile", Hint: "krmsafe run DIR --pipeline"}
	}
	if f.output == "" && !isDir {
		f.output = toStdout
	}
	if _, inside := within(b.path, b.flags.results); inPlace && inside {
		return &pipeline.UsageError{Message: "--results-dir lies in the directory that is rewritten", Hint: "name a folder elsewhere"}
	}
	if f.output == "" || f.output == toStdout || f.output == toUnwrap {
		return nil
	}
	if slices.Contains(runKinds(), f.output) || f.output == "yaml" {
		return &pipeline.UsageError{
			Message: fmt.Sprintf("--output %q is a kind of report, and not where the result goes", f.output),
			Hint:    fmt.Sprintf("--report %s; a directory of that name is --output ./%s", f.output, f.output),
		}
	}
	if _, err := os.Lstat(f.output); !errors.Is(err, fs.ErrNotExist) {
		return &pipeline.UsageError{Message: fmt.Sprintf("--output %q is there already", f.output), Hint: "name a directory that does not exist yet, stdout or unwrap"}
	}
	return nil
}

// product makes what leaves, and gives what prints or writes it.
func (b *batch) product() (func() error, error) {
	switch f := b.flags.to; f.output {
	case toStdout, toUnwrap:
		write := b.list.Encode
		if f.output == toUnwrap {
			write = b.list.Manifests
		}
		text, err := write()
		if err != nil {
			return nil, fmt.Errorf("writing the output: %w", err)
		}
		return func() error { return b.app.deliver(text) }, nil
	case "":
		return b.rewrite()
	default:
		return func() error { return b.export(f.output) }, nil
	}
}

// rewrite plans the new files of the directory.
func (b *batch) rewrite() (func() error, error) {
	plan, err := b.dir.Plan(b.list)
	if err != nil {
		return nil, fmt.Errorf("rewriting %s: %w", b.path, err)
	}
	f, options := b.flags.to, krm.WriteOptions{AllowDelete: b.flags.to.delete}
	if err := b.dir.Check(plan, options); err != nil {
		return nil, fmt.Errorf("rewriting %s: %w", b.path, err)
	}
	var text []byte
	if f.diff {
		text = diffOf(plan, isTerminal(b.app.out) && b.app.getenv("NO_COLOR") == "")
	}
	return func() error {
		if len(text) > 0 { // before a file is touched, since this may fail
			if err := b.app.deliver(text); err != nil {
				return err
			}
		}
		if !f.dryRun {
			if err := b.dir.Write(plan, options); err != nil {
				return fmt.Errorf("rewriting %s: %w", b.path, err)
			}
		}
		b.tell(plan)
		return nil
	}, nil
}

// tell says what became of the files. It is a courtesy: what cannot be told is done
// all the same.
func (b *batch) tell(plan []krm.FileChange) {
	if b.flags.report.quiet || b.flags.report.kind != "text" {
		return
	}
	var changed, made, deleted int
	for _, c := range plan {
		what := "change"
		switch {
		case c.Before == nil:
			made++
			what = "make"
		case c.After == nil:
			deleted++
			what = "delete"
		default:
			changed++
		}
		if b.flags.to.dryRun {
			_, _ = fmt.Fprintf(b.app.err, "krmsafe: would %s %s\n", what, plain.Line(c.Path))
		}
	}
	did := "rewrote"
	if b.flags.to.dryRun {
		did = "would rewrite"
	}
	_, _ = fmt.Fprintf(b.app.err, "krmsafe: %s %s: %d file(s) changed, %d new, %d deleted\n", did, plain.Line(b.path), changed, made, deleted)
}

// export writes the result to a new directory.
func (b *batch) export(to string) error {
	if b.dir == nil {
		return krm.ExportList(to, b.list)
	}
	plan, err := b.dir.Plan(b.list)
	if err != nil {
		return err
	}
	return b.dir.Export(to, plan)
}

// isTerminal reports whether a person reads w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && info.Name() != "null"
}

// refusedBy is the outcome that stands for a function's wish that the writer
// does not grant.
func refusedBy(err error) (pipeline.Outcome, bool) {
	e, ok := errors.AsType[*krm.WriteError](err)
	if !ok || e.Code == "write.changed" {
		return pipeline.Outcome{}, false
	}
	return pipeline.Outcome{Stage: pipeline.StageCheck, Code: e.Code, Message: strings.TrimSpace(err.Error()), Hint: e.Hint}, true
}

// colours of a diff on a terminal.
var colours = map[byte]string{'+': "\x1b[32m", '-': "\x1b[31m", '@': "\x1b[36m"}

// shown is a diff for a person: control characters of foreign text are gone, and
// lines have colours.
func shown(text []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		clean := plain.Line(string(bytes.TrimRight(line, "\r\n")))
		if colour := colours[line[0]]; colour != "" {
			clean = colour + clean + "\x1b[0m"
		}
		out.WriteString(clean + "\n")
	}
	return out.Bytes()
}
