package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/krmsafe/krmsafe/internal/testkit/asm"
)

// minStartRounds is how often each process is started at least: a start takes a
// few milliseconds, of which the machine's noise is a large part.
const minStartRounds = 51

// A start is one process of krmsafe from its first instruction to its end.
type start struct {
	name, about string
	argv        []string // argv[0] first, which a child is known by
	env         []string
	exit        int
}

// startSection measures what it costs to start krmsafe and its children, against
// an empty Go program in the same round. A child is started as its parent starts
// it, but gets an empty input: it confines itself, reports, and ends.
func startSection(ctx context.Context, b *bench) error {
	empty, module := filepath.Join(b.work, "empty"), filepath.Join(b.work, "cat.wasm")
	if err := b.goBuild(ctx, ".", empty, "./peers/empty", "CGO_ENABLED=0"); err != nil {
		return err
	}
	if err := os.WriteFile(module, asm.Cat(), 0o600); err != nil {
		return err
	}
	child := func(role, level string) start {
		return start{
			argv: []string{"krmsafe-jail", role, level}, exit: exitWithoutParent,
			env: []string{"GOMAXPROCS=2", "GOTRACEBACK=none", "GODEBUG=containermaxprocs=0,updatemaxprocs=0"},
		}
	}
	starts := []start{
		{name: "empty", about: "an empty Go program", argv: []string{"empty"}},
		{name: "version", about: "krmsafe version", argv: []string{"krmsafe", "version"}},
		{name: "version -o json", about: "krmsafe version -o json, which goes through all of the program's initialisation", argv: []string{"krmsafe", "version", "-o", "json"}},
		{name: "inspect", about: "krmsafe inspect of a module of 200 bytes", argv: []string{"krmsafe", "inspect", module}},
		child("sandbox", "full"), child("sandbox", "none"), child("policy", "full"),
	}
	programs := map[string]string{"": b.krmsafe}
	if b.baseline != "" {
		programs["baseline "] = b.baseline
	}
	all := map[string]*series{}
	var names []string
	rounds := max(b.Rounds, minStartRounds)
	for round := range rounds + 2 {
		for _, prefix := range []string{"", "baseline "} {
			program, ok := programs[prefix]
			for _, s := range starts {
				if s.name == "" {
					s.name = s.argv[1] + " child, jail " + s.argv[2]
					s.about = "a child of the " + s.argv[1] + ", up to its report"
				}
				if !ok || !b.only.MatchString(s.name) && s.name != "empty" || s.name == "empty" && prefix != "" {
					continue
				}
				if s.name == "empty" {
					program = empty
				}
				key := prefix + s.name
				if all[key] == nil {
					all[key] = &series{Name: key, Samples: []sample{}}
					names = append(names, key)
				}
				x, err := s.once(ctx, program)
				program = programs[prefix]
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					all[key].NotMeasured = err.Error()
					continue
				}
				if x.Round = round - 1; round >= 2 { // the first two warm the page cache
					all[key].Samples = append(all[key].Samples, x)
				}
			}
		}
	}
	return b.startTable(names, all)
}

// exitWithoutParent is how a child ends whose parent has gone.
const exitWithoutParent = 65

// once starts the process and waits for its end.
func (s *start) once(ctx context.Context, program string) (sample, error) {
	cmd := exec.CommandContext(ctx, program)
	cmd.Args, cmd.Env, cmd.Dir = s.argv, s.env, "/"
	begun := time.Now()
	err := cmd.Run()
	wall := time.Since(begun)
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return sample{}, err
	}
	if code := cmd.ProcessState.ExitCode(); code != s.exit {
		return sample{}, fmt.Errorf("exit code %d, want %d", code, s.exit)
	}
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return sample{}, errors.New("the system does not tell what a process has used")
	}
	cpu := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	return sample{CPU: cpu.Seconds(), Wall: wall.Seconds(), PeakBytes: used.Maxrss << 10}, nil
}

// startTable prints the figures and holds them against the targets.
func (b *bench) startTable(names []string, all map[string]*series) error {
	empty := all["empty"]
	kept := []*series{}
	t := b.table()
	fmt.Fprintln(t, "start\tCPU ms\tover empty\ttimes empty\twall ms\tpeak MB\t")
	for _, name := range names {
		s := all[name]
		kept = append(kept, s)
		if s.NotMeasured != "" {
			b.note("start of "+name, s.NotMeasured)
			continue
		}
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.1f\t\n", name, s.median(cpu)*1e3, s.over(empty)*1e3, s.ratio(cpu, empty, cpu), s.median(wall)*1e3, s.median(peak)/1e6)
	}
	b.keep("start", kept)
	if s := all["version"]; s != nil {
		b.aim(target{Name: "start: krmsafe version to an empty Go program, CPU", Bound: 2.5}, s.ratio(cpu, empty, cpu))
	}
	for _, name := range names {
		if strings.HasPrefix(name, "sandbox child") || strings.HasPrefix(name, "policy child") {
			b.aim(target{Name: "start: " + name + " over an empty Go program, CPU ms", Bound: 12}, all[name].over(empty)*1e3)
		}
	}
	return t.Flush()
}

// over is the median of what s took more than t within a round, in seconds of
// processor time.
func (s *series) over(t *series) float64 {
	var more []float64
	for _, a := range s.Samples {
		for _, b := range t.Samples {
			if a.Round == b.Round {
				more = append(more, a.CPU-b.CPU)
			}
		}
	}
	return median(more)
}
