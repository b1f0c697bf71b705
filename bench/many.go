package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// manyRows are how many packages there are, ascending.
var manyRows = []int{1, 10, 100, 1000}

// manySection measures krmsafe run over packages, each with a pipeline of its own and
// ten resources, and over one package with ten functions instead of one. The function
// is the smallest there is, so that what is measured is krmsafe; it changes nothing.
// The rows of changed packages have the lean function, which changes every resource.
func manySection(ctx context.Context, b *bench) error {
	stamp, lean := filepath.Join(b.work, "many.wasm"), filepath.Join(b.work, "lean.wasm")
	if err := b.command(ctx, b.root, nil, "sh", "-c", "go run ./internal/testkit/stamp/cmd/stamp > "+stamp); err != nil {
		return err
	}
	if err := buildGo("lean")(ctx, b, lean, filepath.Join(b.work, "lean.native")); err != nil {
		return err
	}
	dir := filepath.Join(b.work, "many")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := b.writeModules(dir, stamp, lean); err != nil {
		return err
	}
	var all []*contender
	add := func(name string, packages int, functions ...string) error {
		if !b.only.MatchString(name) || packages > 100 && b.Quick {
			return nil
		}
		tree := filepath.Join(dir, strings.NewReplacer("/", "-", " ", "-").Replace(name))
		all = append(all, &contender{name: name, stdin: os.DevNull, argv: []string{
			b.krmsafe, "run", tree, "--pipeline", "--include-subpackages", "--functions", filepath.Join(dir, "functions.yaml"), "--allow-unsigned", "--dry-run", "-q",
		}})
		return writePackages(tree, packages, functions)
	}
	var ten []string
	for i := range 10 {
		ten = append(ten, "stamp"+strconv.Itoa(i))
	}
	for _, n := range manyRows {
		if err := add("packages/"+strconv.Itoa(n), n, ten[0]); err != nil {
			return err
		}
	}
	for _, n := range manyRows[:3] {
		if err := add("changed packages/"+strconv.Itoa(n), n, "lean"); err != nil {
			return err
		}
	}
	if err := add("ten functions/1", 1, ten...); err != nil {
		return err
	}
	// Until the second run compiled code is made, which is not looked at here.
	for range 2 {
		for _, c := range all {
			if strings.HasSuffix(c.name, "/1") {
				if _, err := b.once(ctx, c); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
			}
		}
	}
	measured, err := b.turns(ctx, all, b.Rounds)
	if err != nil {
		return err
	}
	return b.manyTable(measured)
}

// writeModules writes lean, stamp and nine others that differ from it in nothing but a
// custom section, and the map that gives them the names by which pipelines call them.
func (b *bench) writeModules(dir, stamp, lean string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	names := "apiVersion: krmsafe.dev/v1alpha1\nkind: FunctionMap\nfunctions:\n"
	write := func(name, from string, custom ...byte) error {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		names += fmt.Sprintf("- container: %s:v1\n  wasip1: {file: %s.wasm}\n", name, name)
		return os.WriteFile(filepath.Join(dir, name+".wasm"), append(text, custom...), 0o600)
	}
	if err := write("lean", lean); err != nil {
		return err
	}
	for i := range byte(10) {
		if err := write(fmt.Sprintf("stamp%d", i), stamp, 0, 2, 1, '0'+i); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "functions.yaml"), []byte(names), 0o600)
}

// writePackages writes a package with n packages in it, each with a pipeline of
// functions and ten resources in as many files.
func writePackages(tree string, n int, functions []string) error {
	files := map[string]string{"Kptfile": "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata:\n  name: many\n"}
	for i := range n {
		at := fmt.Sprintf("package-%d/", i)
		pipeline := "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata:\n  name: package-" + strconv.Itoa(i) + "\npipeline:\n  mutators:\n"
		for _, f := range functions {
			pipeline += "  - image: " + f + ":v1\n"
		}
		files[at+"Kptfile"] = pipeline
		for j := range 10 {
			files[fmt.Sprintf("%sapp-%d.yaml", at, j)] = fmt.Sprintf(deploymentFile, 10*i+j, i%50, j%7+1)
		}
	}
	for name, text := range files {
		at := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// deploymentFile is deployment as a file of its own.
var deploymentFile = strings.ReplaceAll("  "+strings.TrimPrefix(deployment, "- "), "\n  ", "\n")[2:]

// manyTable prints the figures and holds them against the targets.
func (b *bench) manyTable(all []*series) error {
	find := func(name string) *series {
		for _, s := range all {
			if s.Name == name {
				return s
			}
		}
		return nil
	}
	t := b.table()
	fmt.Fprintln(t, "run over\tCPU s\tCPU ms a package\twall s\tpeak MB\truns\t")
	for _, s := range all {
		if s.NotMeasured != "" {
			b.note("run over "+s.Name, s.NotMeasured)
			continue
		}
		n, err := strconv.Atoi(s.Name[strings.LastIndexByte(s.Name, '/')+1:])
		if err != nil {
			return err
		}
		fmt.Fprintf(t, "%s\t%.3f\t%s\t%.3f\t%s\t%d\t\n", s.Name, s.median(cpu), ms(s.median(cpu)/float64(n)), s.median(wall), mb(s.median(peak)), len(s.Samples))
	}
	b.keep("many", all)
	for _, kind := range []string{"packages", "changed packages"} {
		for i := 2; i < len(manyRows); i++ {
			more, fewer := find(kind+"/"+strconv.Itoa(manyRows[i])), find(kind+"/"+strconv.Itoa(manyRows[i-1]))
			if more == nil || fewer == nil {
				continue
			}
			name := fmt.Sprintf("run over %d %s to", manyRows[i], kind)
			b.aim(target{Name: fmt.Sprintf("%s 10 times %d, CPU", name, manyRows[i-1]), Bound: 1.1}, more.ratio(cpu, fewer, cpu)/10)
			b.aim(target{Name: fmt.Sprintf("%s %d, peak memory", name, manyRows[i-1]), Bound: 1.1}, more.ratio(peak, fewer, peak))
		}
	}
	if ten, one := find("ten functions/1"), find("packages/1"); ten != nil && one != nil {
		b.aim(target{Name: "ten functions in one run to one, CPU", Bound: 3}, ten.ratio(cpu, one, cpu))
	}
	return t.Flush()
}
