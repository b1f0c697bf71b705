package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// hostSection measures what krmsafe does around a function, through package krm,
// against kyaml reading and writing the same list. The policy is not in it; the
// rows of the functions have all of the parent process.
func hostSection(ctx context.Context, b *bench) error {
	for _, p := range []struct{ dir, out, pkg string }{{".", "hostwork", "./peers/hostwork"}, {"functions", "kyamlrw", "./kyamlrw"}} {
		if err := b.goBuild(ctx, p.dir, filepath.Join(b.work, p.out), p.pkg, "CGO_ENABLED=0"); err != nil {
			return err
		}
	}
	var rows []*row
	for _, n := range []int{1000, 10000} {
		file := filepath.Join(b.work, fmt.Sprintf("estate-%d.yaml", n))
		input := estate(n)
		if err := os.WriteFile(file, input, 0o600); err != nil {
			return err
		}
		all := []*contender{{name: "kyaml read+write", argv: []string{filepath.Join(b.work, "kyamlrw")}, stdin: file}}
		for _, v := range hostVariants {
			all = append(all, &contender{name: v.name, argv: []string{filepath.Join(b.work, "hostwork"), strconv.Itoa(v.every)}, stdin: file})
		}
		measured, err := b.turns(ctx, all, b.Rounds)
		if err != nil {
			return err
		}
		r := &row{Kind: "host", Items: n, Bytes: len(input), Columns: measured}
		rows = append(rows, r)
		b.printHost(r)
		if n < 10000 {
			continue
		}
		for _, v := range hostVariants {
			b.aim(target{
				Name: fmt.Sprintf("host work at %d resources, %s, to kyaml's reading and writing, CPU", n, v.name), Bound: 0.6,
				Why: "parsing, view, redaction, diff and emission, without signature and policy",
			},
				r.column(v.name).ratio(cpu, r.column("kyaml read+write"), cpu))
		}
	}
	b.keep("host", rows)
	return nil
}

var hostVariants = []struct {
	name  string
	every int
}{{"none changed", 0}, {"a tenth changed", 10}, {"all changed", 1}}

func (b *bench) printHost(r *row) {
	fmt.Fprintf(b.w, "%d resources, %.1f KB\n", r.Items, float64(r.Bytes)/1e3)
	t := b.table()
	fmt.Fprintln(t, "\tCPU ms\twall ms\tpeak MB\t× kyaml\truns\t")
	for _, c := range r.Columns {
		if c.NotMeasured != "" {
			b.note(r.name()+" "+c.Name, c.NotMeasured)
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t\n", c.Name, ms(c.median(cpu)), ms(c.median(wall)), mb(c.median(peak)),
			times(c.ratio(cpu, r.column("kyaml read+write"), cpu)), len(c.Samples))
	}
	_ = t.Flush()
}
