package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// A bench is one run of this program.
type bench struct {
	options
	w        io.Writer
	root     string // of the repository
	work     string // for what is built once and used again
	document document
	launcher string
	filled   map[string]bool // contenders that have had their first run
}

// document is what is kept as JSON.
type document struct {
	Version  string         `json:"version"`
	Started  time.Time      `json:"started"`
	Seconds  float64        `json:"seconds"`
	Options  options        `json:"options"`
	Machine  machine        `json:"machine"`
	Sections map[string]any `json:"sections"`
	Targets  []target       `json:"targets"`
	Missing  []missing      `json:"notMeasured"`
}

// missing is a figure that could not be measured.
type missing struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

func newBench(ctx context.Context, o options) (*bench, error) {
	out, err := filepath.Abs(o.out)
	if err != nil {
		return nil, err
	}
	root, err := filepath.Abs("..")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, w: os.Stdout, root: root, work: filepath.Join(out, "work"), filled: map[string]bool{}}
	if err := os.MkdirAll(b.work, 0o755); err != nil {
		return nil, err
	}
	b.document = document{
		Version: "krmsafe.dev/bench/v1", Started: time.Now().UTC(), Options: o,
		Machine: facts(ctx, root), Sections: map[string]any{}, Targets: []target{}, Missing: []missing{},
	}
	fmt.Fprintf(b.w, "%s\n\n", b.document.Machine)
	b.launcher = filepath.Join(b.work, "launch")
	if err := b.goBuild(ctx, ".", b.launcher, "./peers/launch", "CGO_ENABLED=0"); err != nil {
		return nil, err
	}
	if b.krmsafe == "" {
		b.krmsafe = filepath.Join(root, "bin", "krmsafe")
		if err := b.command(ctx, root, nil, "make", "-s", "build"); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// note says that something could not be measured, and why.
func (b *bench) note(what, why string) {
	b.document.Missing = append(b.document.Missing, missing{what, why})
	b.progress("%s not measured: %s", what, why)
}

// keep puts a section's figures into the document.
func (b *bench) keep(section string, figures any) { b.document.Sections[section] = figures }

// progress is for whoever waits.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// table gives a writer of columns; flush it.
func (b *bench) table() *tabwriter.Writer {
	return tabwriter.NewWriter(b.w, 0, 0, 2, ' ', tabwriter.AlignRight)
}

func (b *bench) save() error {
	b.document.Seconds = time.Since(b.document.Started).Seconds()
	b.document.Machine.LoadAfter = load()
	data, err := json.MarshalIndent(b.document, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(filepath.Dir(b.work), "bench.json"), append(data, '\n'), 0o600)
}

// command runs a tool whose time does not count.
func (b *bench) command(ctx context.Context, dir string, env []string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(argv[0]), err, strings.TrimSpace(string(text)))
	}
	return nil
}

// goBuild builds a package of the module in dir the way programs are shipped.
func (b *bench) goBuild(ctx context.Context, dir, out, pkg string, env ...string) error {
	return b.command(ctx, dir, env, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
}
