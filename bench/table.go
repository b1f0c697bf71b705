package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A row is one kind of function on one size of input.
type row struct {
	Kind    string    `json:"kind"`
	Items   int       `json:"items"`
	Bytes   int       `json:"inputBytes"`
	Columns []*series `json:"columns"`
}

func (r *row) name() string { return r.Kind + "/" + strconv.Itoa(r.Items) }

// column gives a series by name, or nil where nothing was measured.
func (r *row) column(name string) *series {
	if r == nil {
		return nil
	}
	for _, c := range r.Columns {
		if c.Name == name && len(c.Samples) > 0 {
			return c
		}
	}
	return nil
}

// artifact is what a kind costs before it runs.
type artifact struct {
	Kind          string `json:"kind"`
	About         string `json:"about"`
	NotMeasured   string `json:"notMeasured,omitempty"`
	ModuleBytes   int64  `json:"moduleBytes"`
	WasmtimeBytes int64  `json:"wasmtimeCompiledBytes"`
	NativeBytes   int64  `json:"nativeBytes"`
}

func functionsSection(ctx context.Context, b *bench) error {
	for _, p := range []struct{ out, pkg, env string }{
		{"sandboxrun", "./peers/sandboxrun", "CGO_ENABLED=0"},
		{"wazerorun", "./peers/wazerorun", "CGO_ENABLED=0"},
		{"wasmtimerun", "./peers/wasmtimerun", "CGO_ENABLED=1"},
	} {
		if err := b.goBuild(ctx, ".", filepath.Join(b.work, p.out), p.pkg, p.env); err != nil {
			if p.env == "CGO_ENABLED=0" {
				return err
			}
			b.note(p.out, err.Error())
			b.Peers = false
		}
	}
	if err := b.goBuild(ctx, "functions", filepath.Join(b.work, "kyamlrw"), "./kyamlrw", "CGO_ENABLED=0"); err != nil {
		return err
	}
	sizes := []int{10, 1000, 10000}
	if b.Quick {
		sizes = sizes[:2]
		b.note("inputs of 10000 resources", "left out by -quick")
	}
	var rows []*row
	var artifacts []artifact
	for _, k := range kinds {
		if !slices.ContainsFunc(sizes, func(n int) bool { return b.only.MatchString(k.name + "/" + strconv.Itoa(n)) }) {
			continue
		}
		f, err := b.prepare(ctx, k)
		if err != nil {
			artifacts = append(artifacts, artifact{Kind: k.name, About: k.about, NotMeasured: err.Error()})
			b.note("functions of kind "+k.name, err.Error())
			continue
		}
		artifacts = append(artifacts, f.artifact())
		cost := map[string]float64{}
		for _, n := range sizes {
			if !b.only.MatchString(k.name + "/" + strconv.Itoa(n)) {
				continue
			}
			r, err := b.row(ctx, f, n, cost)
			if err != nil {
				return fmt.Errorf("%s/%d: %w", k.name, n, err)
			}
			rows = append(rows, r)
			b.printRow(r)
			b.keep("functions", map[string]any{"artifacts": artifacts, "rows": rows})
			if err := b.save(); err != nil {
				return err
			}
		}
	}
	b.printMatrix(rows)
	b.printArtifacts(artifacts)
	b.functionTargets(rows)
	return nil
}

func (f *function) artifact() artifact {
	size := func(name string) int64 {
		if info, err := os.Stat(name); err == nil {
			return info.Size()
		}
		return 0
	}
	return artifact{Kind: f.name, About: f.about, ModuleBytes: f.size, NativeBytes: size(f.native), WasmtimeBytes: size(f.compiled["fuel"])}
}

// row measures one kind on n resources. cost has what each column took on the
// size before, and gets what it took on this one.
func (b *bench) row(ctx context.Context, f *function, n int, cost map[string]float64) (*row, error) {
	input := estate(n)
	file := filepath.Join(b.work, fmt.Sprintf("estate-%d.yaml", n))
	if err := os.WriteFile(file, input, 0o600); err != nil {
		return nil, err
	}
	j, err := newJudge(input)
	if err != nil {
		return nil, err
	}
	r := &row{Kind: f.name, Items: n, Bytes: len(input)}
	var run []*contender
	for _, c := range b.contenders(ctx, f, n) {
		if !b.columns.MatchString(c.name) {
			continue
		}
		c.stdin = file
		if c.check == nil {
			c.check = j.check
		}
		why := f.missing[c.name]
		if strings.HasPrefix(c.name, "wasmtime") {
			why = f.missing["wasmtime"]
		}
		// Ten times the input takes nearly ten times as long; from ten resources nothing follows.
		if last, ok := cost[c.name]; why == "" && ok && n == 10000 && 9*last > b.MaxCost {
			why = fmt.Sprintf("one run would take about %.0f s of processor time (-max)", 9*last)
		}
		if why == "" && c.name == "krmsafe interpreter" && b.Quick && n > 10 {
			why = "left out by -quick"
		}
		if why != "" {
			r.Columns = append(r.Columns, &series{Name: c.name, NotMeasured: why, Samples: []sample{}})
			b.note(r.name()+" "+c.name, why)
			continue
		}
		run = append(run, c)
	}
	b.progress("%s: %d columns", r.name(), len(run))
	measured, err := b.turns(ctx, run, b.Rounds)
	if err != nil {
		return nil, err
	}
	for _, s := range measured {
		cost[s.Name] = s.median(cpu)
		if s.NotMeasured != "" {
			b.note(r.name()+" "+s.Name, s.NotMeasured)
		}
	}
	r.Columns = append(r.Columns, measured...)
	return r, nil
}

// contenders are the columns.
func (b *bench) contenders(ctx context.Context, f *function, n int) []*contender {
	wasmtime := func(name, fuel string, env ...string) *contender {
		return &contender{name: name, argv: append([]string{filepath.Join(b.work, "wasmtimerun"), "run", fuel, f.compiled[fuel]}, env...)}
	}
	all := []*contender{{name: "native", argv: []string{f.native}}, wasmtime("wasmtime", "plain"), wasmtime("wasmtime fuel", "fuel")}
	if f.goes && n > 10 {
		all = append(all, wasmtime("wasmtime GOGC=off", "plain", "GOGC=off", "GOMEMLIMIT=1536MiB"))
	}
	cache := filepath.Join(b.work, "wazero-cache")
	wazero := &contender{name: "wazero", argv: []string{filepath.Join(b.work, "wazerorun"), cache, f.wasm}}
	wazero.fill(ctx, b, func(*contender) {})
	all = append(all, wazero)
	all = append(all, b.sandboxColumns(ctx, f, n)...)
	all = append(all, b.krmsafeColumns(ctx, f, n, b.krmsafe, "krmsafe")...)
	if b.baseline != "" {
		all = append(all, b.krmsafeColumns(ctx, f, n, b.baseline, "baseline")...)
	}
	if n > 10 {
		// It changes nothing, so its output is not the functions'.
		all = append(all, &contender{name: "kyaml read+write", argv: []string{filepath.Join(b.work, "kyamlrw")}, check: func(string) error { return nil }})
	}
	return all
}

// fill makes the first run ready whatever is made only once: it runs the
// contender, changed by how, on ten resources.
func (c *contender) fill(ctx context.Context, b *bench, how func(*contender)) {
	c.ready = func() error {
		key := fmt.Sprint(c.argv)
		if b.filled[key] {
			return nil
		}
		b.filled[key] = true
		small := filepath.Join(b.work, "estate-10.yaml")
		if err := os.WriteFile(small, estate(10), 0o600); err != nil {
			return err
		}
		first := *c
		first.ready, first.stdin = nil, small
		first.argv = slices.Clone(c.argv)
		how(&first)
		_, err := b.once(ctx, &first)
		return err
	}
}

// krmsafeColumns are a krmsafe with nothing in its cache, with the function in
// it, and with the engine chosen by hand.
func (b *bench) krmsafeColumns(ctx context.Context, f *function, n int, program, name string) []*contender {
	return b.states(ctx, f, n, name, func(cache, audit, engine string) []string {
		return []string{
			program, "run", "--image", "oci-layout:" + f.layout + ":v1", "--key", f.key, "--policy", "policy",
			"--cache-dir", cache, "--audit-log", audit, "--engine", engine,
		}
	})
}

// sandboxColumns are the same through package sandbox: fuel, limits and jail
// without signature, policy and comparison.
func (b *bench) sandboxColumns(ctx context.Context, f *function, n int) []*contender {
	return b.states(ctx, f, n, "sandbox", func(cache, audit, engine string) []string {
		return []string{filepath.Join(b.work, "sandboxrun"), cache, engine, audit, f.wasm}
	})
}

// states are the columns of one program: warm, cold, and with the engine chosen
// by hand.
func (b *bench) states(ctx context.Context, f *function, n int, name string, argv func(cache, audit, engine string) []string) []*contender {
	audit := filepath.Join(b.work, "audit.json")
	empty, full := filepath.Join(b.work, name+"-empty"), filepath.Join(b.work, name+"-full-"+f.name)
	clear := func(dir string) error {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		for _, d := range []string{dir, filepath.Join(dir, "cache"), filepath.Join(dir, "config")} {
			if err := os.Mkdir(d, 0o700); err != nil {
				return err
			}
		}
		return nil
	}
	column := func(state, cache, engine string) *contender {
		c := &contender{name: name + " " + state, argv: argv(cache, audit, engine), audit: audit}
		// Compiled code and its key are kept in the user's own folders.
		c.env = []string{"XDG_CACHE_HOME=" + filepath.Join(cache, "cache"), "XDG_CONFIG_HOME=" + filepath.Join(cache, "config")}
		if cache == empty {
			c.ready = func() error { return clear(empty) }
		}
		return c
	}
	warm := column("warm", full, "auto")
	warm.fill(ctx, b, func(c *contender) {
		_ = clear(full)
		c.argv, c.env = argv(full, audit, "compiler"), append(slices.Clone(c.env), "FILL=always")
		if b.keepsCode(ctx, c.argv[0]) {
			c.argv = append(c.argv, "--compile-cache", "fill")
		}
	})
	all := []*contender{warm, column("cold", empty, "auto")}
	if n == 10 {
		compile := column("compile", empty, "compiler")
		compile.most = 3
		all = append(all, compile)
	}
	if name != "sandbox" {
		interpreter := column("interpreter", full, "interpreter")
		interpreter.most = 3
		all = append(all, interpreter)
	}
	return all
}

// keepsCode tells a krmsafe that keeps compiled code from older ones.
func (b *bench) keepsCode(ctx context.Context, program string) bool {
	help, err := exec.CommandContext(ctx, program, "run", "--help").Output()
	return err == nil && strings.Contains(string(help), "--compile-cache ")
}

// ms prints a time, or that there is none.
func ms(seconds float64) string {
	if math.IsNaN(seconds) {
		return "-"
	}
	return strconv.FormatFloat(seconds*1000, 'f', map[bool]int{true: 1, false: 0}[seconds < 0.1], 64)
}

func times(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

func mb(x float64) string {
	if math.IsNaN(x) || x == 0 {
		return "-"
	}
	return strconv.FormatFloat(x/1e6, 'f', 0, 64)
}

// printRow prints all figures of a row.
func (b *bench) printRow(r *row) {
	fmt.Fprintf(b.w, "%s, %.1f KB\n", r.name(), float64(r.Bytes)/1e3)
	t := b.table()
	fmt.Fprintln(t, "column\tCPU ms\twall ms\tpeak MB\tchild CPU\tchild MB\t× native\t× wasmtime\t× wazero\truns\tengine\t")
	native, wasmtime, wazero := r.column("native"), r.column("wasmtime"), r.column("wazero")
	for _, c := range r.Columns {
		if c.NotMeasured != "" {
			fmt.Fprintf(t, "%s\tnot measured\t\t\t\t\t\t\t\t\t\t\n", c.Name)
			continue
		}
		child, childMB, engine := "", "", c.Samples[0].Engine
		if engine != "" {
			child, childMB = ms(c.median(childCPU)), mb(c.median(childPeak))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t\n", c.Name, ms(c.median(cpu)), ms(c.median(wall)), mb(c.median(peak)), child, childMB,
			times(c.ratio(cpu, native, cpu)), times(c.ratio(cpu, wasmtime, cpu)), times(c.ratio(cpu, wazero, cpu)), len(c.Samples), engine)
	}
	_ = t.Flush()
	fmt.Fprintln(b.w)
}

// printMatrix prints the processor times of all rows in one table.
func (b *bench) printMatrix(rows []*row) {
	var names []string
	for _, r := range rows {
		for _, c := range r.Columns {
			if !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
		}
	}
	fmt.Fprintln(b.w, "CPU ms of the whole process tree")
	t := b.table()
	fmt.Fprintf(t, "\t%s\t\n", strings.Join(names, "\t"))
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t", r.name())
		for _, n := range names {
			fmt.Fprintf(t, "%s\t", ms(r.column(n).median(cpu)))
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
	fmt.Fprintln(b.w)
}

func (b *bench) printArtifacts(all []artifact) {
	t := b.table()
	fmt.Fprintln(t, "kind\tmodule MB\tnative MB\twasmtime's code, with fuel, MB\t\t")
	for _, a := range all {
		if a.NotMeasured != "" {
			fmt.Fprintf(t, "%s\tnot measured\t\t\t%s\t\n", a.Kind, a.About)
			continue
		}
		fmt.Fprintf(t, "%s\t%.3f\t%.3f\t%.3f\t%s\t\n", a.Kind, float64(a.ModuleBytes)/1e6, float64(a.NativeBytes)/1e6, float64(a.WasmtimeBytes)/1e6, a.About)
	}
	_ = t.Flush()
}
