package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/krmsafe/krmsafe/internal/krm"
	"github.com/krmsafe/krmsafe/internal/migrate"
	"github.com/krmsafe/krmsafe/internal/pipeline"
	"github.com/krmsafe/krmsafe/internal/plain"
	"github.com/krmsafe/krmsafe/internal/report"
	"github.com/krmsafe/krmsafe/verify"
)

// migrateFlags are the flags of `krmsafe migrate`.
type migrateFlags struct {
	registry  registryFlags
	trust     string
	to        string
	functions string
	suffix    string
	unpinned  bool
	keepTag   bool
	check     bool
	diff      bool
	output    string
}

func (a *app) migrateCommand() *cobra.Command {
	var f migrateFlags
	cmd := &cobra.Command{
		Use:   "migrate [DIR]",
		Short: "rewrite container and exec functions of a tree to WebAssembly modules",
		Long: `Finds the functions that the kustomizations, functionConfigs and Kptfiles under a
directory name, in every spelling that kustomize and kpt know, and rewrites those
for which there is a module: what a FunctionMap names for the image or program
(--functions), the WebAssembly child of the image's own index, or the same image
with a suffix on its tag. What it writes is pinned by digest. It changes the
names of functions and nothing else: every other byte of every file stays.

What cannot move is left alone and told, with the reason: functions that ask for
the network, mounts or environment variables, programs that no map names, images
without a module. All files are written or none; no symbolic link is followed.

A module is not judged here: a run verifies its signature and asks the policy.

Exit codes: 0 all that can move moved, 1 could not tell (such as a registry that
does not answer; nothing is written), 2 usage, 3 with --check if anything is left.`,
		Example: `  krmsafe migrate . --functions functions.yaml --diff
  krmsafe migrate deploy --to exec
  krmsafe migrate . --offline --functions functions.yaml --check`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			code, err := a.migrate(cmd.Context(), f, dir)
			a.code = code
			return err
		},
	}
	f.registry.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", string(migrate.FormWasip1), "what to write: wasip1 (for krmsafe build and krmsafe run), exec (krmsafe as a program of kustomize and kpt) or kpt-exec (the same, in Kptfiles alone)")
	flags.StringVar(&f.functions, "functions", "", functionsUsage)
	flags.StringVar(&f.trust, "trust", "", trustUsage)
	flags.StringVar(&f.suffix, "tag-suffix", "-wasm", "look for a module under the image's tag with this suffix; empty looks for none")
	flags.BoolVar(&f.unpinned, "allow-unpinned", false, "write references of the function map that have no digest as they are; lowers safety")
	flags.BoolVar(&f.keepTag, "keep-tag", false, "keep the tag before the digest: a run then refuses a tag that has moved")
	flags.BoolVar(&f.check, "check", false, "write nothing; exit with 3 if anything is left to move or cannot")
	flags.BoolVar(&f.diff, "diff", false, "write nothing; print what would change as a unified diff")
	flags.StringVarP(&f.output, "output", "o", "text", "text, or json: the report on standard output")
	return cmd
}

func (a *app) migrate(ctx context.Context, f migrateFlags, dir string) (int, error) {
	var words []string
	for _, form := range migrate.Forms() {
		words = append(words, string(form))
	}
	if err := oneOf("--to", f.to, words...); err != nil {
		return 0, err
	}
	if err := oneOf("--output", f.output, "text", "json"); err != nil {
		return 0, err
	}
	if f.diff && f.output == "json" {
		return 0, &pipeline.UsageError{Message: "--diff and -o json both write to standard output", Hint: "leave one of them out"}
	}
	v, err := a.variants(f, dir)
	if err != nil {
		return 0, err
	}
	tree, err := migrate.Open(dir, krm.DefaultLimits())
	if err != nil {
		return 0, err
	}
	defer func() { _ = tree.Close() }()
	changes, err := tree.Move(ctx, migrate.Form(f.to), v.resolve)
	if err != nil {
		return 0, err
	}
	written := !f.check && !f.diff
	if written {
		if err := tree.Write(changes); err != nil {
			return 0, err
		}
	}
	if err := a.tellMigration(f, tree, changes, written); err != nil {
		return 0, err
	}
	if f.check && tree.Left() > 0 {
		return pipeline.ExitRefused, nil
	}
	return pipeline.ExitOK, nil
}

// migration is the report of `krmsafe migrate` as JSON.
type migration struct {
	Version   string              `json:"version"`
	To        string              `json:"to"`
	Written   bool                `json:"written"`
	Functions []*migrate.Function `json:"functions"`
	Skipped   []migrate.Skipped   `json:"skipped"`
	Files     []string            `json:"files"`
	Summary   migrationSummary    `json:"summary"`
}

type migrationSummary struct {
	Functions int `json:"functions"`
	Moves     int `json:"moves"`
	Done      int `json:"done"`
	Blocked   int `json:"blocked"`
	Skipped   int `json:"skipped"`
	Left      int `json:"left"`
}

// migrationVersion names the shape of a migration as JSON.
const migrationVersion = "krmsafe.dev/migration/v1"

func (a *app) tellMigration(f migrateFlags, tree *migrate.Tree, changes []krm.FileChange, written bool) error {
	m := migration{
		Version: migrationVersion, To: f.to, Written: written && len(changes) > 0, Functions: tree.Functions, Skipped: tree.Skipped, Files: []string{},
		Summary: migrationSummary{Functions: len(tree.Functions), Skipped: len(tree.Skipped), Left: tree.Left()},
	}
	for _, fn := range tree.Functions {
		switch fn.State {
		case migrate.StateMoves:
			m.Summary.Moves++
		case migrate.StateDone:
			m.Summary.Done++
		default:
			m.Summary.Blocked++
		}
	}
	if written {
		m.Summary.Left -= m.Summary.Moves
	}
	for _, c := range changes {
		m.Files = append(m.Files, c.Path)
	}
	if f.output == "json" {
		m.Functions, m.Skipped = append([]*migrate.Function{}, m.Functions...), append([]migrate.Skipped{}, m.Skipped...)
		return report.WriteJSON(a.out, m)
	}
	if f.diff {
		if err := a.deliver(diffOf(changes, isTerminal(a.out) && a.getenv("NO_COLOR") == "")); err != nil {
			return err
		}
	}
	return m.text(a.err, f)
}

// text tells a person.
func (m *migration) text(w io.Writer, f migrateFlags) error {
	var hints []string
	say := func(format string, args ...any) {
		_, _ = fmt.Fprintln(w, plain.Line(fmt.Sprintf(format, args...)))
	}
	for _, fn := range m.Functions {
		name := fmt.Sprintf("%s:%d: %s %s", fn.Path, fn.Line, fn.Place, fn.Reference)
		switch fn.State {
		case migrate.StateMoves:
			say("%s → %s%s (%s)", name, fn.Variant.Image, fn.Variant.File, fn.Variant.Source)
		case migrate.StateBlocked:
			say("%s stays: %s (%s)", name, fn.Reason.Message, fn.Reason.Code)
			if hint := fn.Reason.Code + ": " + fn.Reason.Hint; fn.Reason.Hint != "" && !slices.Contains(hints, hint) {
				hints = append(hints, hint)
			}
		}
	}
	for _, s := range m.Skipped {
		say("%s is not looked into: %s", s.Path, s.Reason)
	}
	for _, hint := range hints {
		say("krmsafe: hint: %s", hint)
	}
	moved := "would move"
	if !f.check && !f.diff {
		moved = "moved"
	}
	say("krmsafe: %d function(s): %d %s in %d file(s), %d name a module already, %d stay; %d place(s) not looked into",
		m.Summary.Functions, m.Summary.Moves, moved, len(m.Files), m.Summary.Done, m.Summary.Blocked, m.Summary.Skipped)
	return nil
}

// variants names the modules that stand in for functions.
type variants struct {
	flags     migrateFlags
	functions *krm.FunctionMap
	folder    string // of the map, absolute
	workspace string
	own, tree finder // for what the operator names, and for what the tree does
	pinned    map[string]string
	looked    map[string]lookup
}

func (a *app) variants(f migrateFlags, dir string) (*variants, error) {
	v := &variants{flags: f, functions: &krm.FunctionMap{}, pinned: map[string]string{}, looked: map[string]lookup{}}
	var err error
	if v.workspace, err = workspace(dir); err != nil {
		return nil, err
	}
	if f.functions != "" {
		if v.functions, err = readFunctionMap(f.functions); err != nil {
			return nil, err
		}
		if v.folder, err = filepath.Abs(filepath.Dir(f.functions)); err != nil {
			return nil, err
		}
	}
	var trust verify.TrustPolicy
	if f.trust != "" {
		if trust, err = readTrustPolicy(f.trust); err != nil {
			return nil, err
		}
	}
	for _, side := range []struct {
		publicOnly bool
		to         *finder
	}{{false, &v.own}, {true, &v.tree}} {
		registry := f.registry
		registry.publicOnly = side.publicOnly
		client, err := registry.client(a, trust.Mirrors)
		if err != nil {
			return nil, err
		}
		*side.to = finder{client}
	}
	return v, nil
}
