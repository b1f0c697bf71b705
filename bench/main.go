// Command bench measures krmsafe against its peers, and what its parts cost.
// It has sections, each of which prints a table; a last table says which of the
// project's targets are met. Everything that is printed is kept as JSON too.
//
// Whatever is compared is run in turn, round after round, so that a slow phase of
// the machine falls on all of it; the tables give medians, and ratios are medians
// of the ratios within one round. Trust processor times and ratios; wall times
// are those of a machine that does other things as well.
//
// It builds krmsafe and the functions itself. It wants clang with a WebAssembly
// target and wasi-libc for C (Debian: clang lld wasi-libc libclang-rt-14-dev-wasm32),
// rustc with the standard library for wasm32-wasi and the yaml-rust library for
// Rust (Debian: rustc libstd-rust-dev-wasm32 librust-yaml-rust-dev), and cgo for
// wasmtime. What is missing is reported as not measured, never passed over.
//
//	cd bench && go run . -quick
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
)

// A section is a group of figures that are measured together. run prints its
// table to b.w, keeps its figures with b.keep and its targets with b.aim.
type section struct {
	name  string
	about string
	run   func(ctx context.Context, b *bench) error
}

var sections = []section{
	{"start", "starting the program and its children, against an empty Go program", startSection},
	{"fuel", "metering, paired with the same engine without it", fuelSection},
	{"host", "what krmsafe does with a ResourceList around a function, paired with kyaml", hostSection},
	{"functions", "functions of every kind on small and large inputs, paired with the peers", functionsSection},
	{"many", "many packages, and many functions on one, by krmsafe run", manySection},
	{"build", "kustomizations with functions, paired with a stock kustomize that starts krmsafe for each", buildSection},
}

// options are the flags.
type options struct {
	Quick    bool    `json:"quick"`
	Rounds   int     `json:"rounds"`
	Only     string  `json:"only"`
	Columns  string  `json:"columns"`
	MaxCost  float64 `json:"maxSeconds"`
	Peers    bool    `json:"wasmtime"`
	krmsafe  string
	baseline string
	out      string
	only     *regexp.Regexp
	columns  *regexp.Regexp
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	flag.BoolVar(&o.Quick, "quick", false, "few rounds, and neither the largest inputs nor the slowest columns")
	flag.IntVar(&o.Rounds, "n", 0, "measured rounds of what is cheap; what is dear has fewer (default 9, or 3 with -quick)")
	flag.StringVar(&o.Only, "only", "", "regular expression: only these rows, such as kyaml/10$ or g2-sort")
	flag.StringVar(&o.Columns, "columns", "", "regular expression: only these columns of the functions, such as 'warm|wazero|wasmtime$'")
	flag.Float64Var(&o.MaxCost, "max", 0, "leave out single runs that would take more than so many seconds (default 200, or 20 with -quick)")
	flag.BoolVar(&o.Peers, "wasmtime", true, "measure wasmtime too")
	flag.StringVar(&o.krmsafe, "krmsafe", "", "measure this program in place of one built from the tree")
	flag.StringVar(&o.baseline, "baseline", "", "measure this krmsafe too, in turn with the other: for before and after")
	flag.StringVar(&o.out, "out", "out", "folder for what is built and for the figures")
	chosen := flag.String("sections", strings.Join(names, ","), "sections to run")
	flag.Parse()
	if err := run(ctx, o, strings.Split(*chosen, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, chosen []string) (err error) {
	if o.only, err = regexp.Compile(o.Only); err != nil {
		return err
	}
	if o.columns, err = regexp.Compile(o.Columns); err != nil {
		return err
	}
	if o.Rounds == 0 {
		o.Rounds = map[bool]int{false: 9, true: 3}[o.Quick]
	}
	if o.MaxCost == 0 {
		o.MaxCost = map[bool]float64{false: 200, true: 20}[o.Quick]
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	for _, name := range chosen {
		found := false
		for _, s := range sections {
			if s.name != name {
				continue
			}
			found = true
			fmt.Fprintf(b.w, "== %s: %s\n", s.name, s.about)
			if err := s.run(ctx, b); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			fmt.Fprintln(b.w)
			// Whatever comes after may fail; what was measured is kept.
			if err := b.save(); err != nil {
				return err
			}
		}
		if !found {
			return fmt.Errorf("no section %q", name)
		}
	}
	b.printTargets()
	return b.save()
}
