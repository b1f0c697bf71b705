package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// buildSection measures kustomizations with functions: krmsafe build, which runs
// them in its own process's sandbox, against a stock kustomize that starts krmsafe
// as a program for each of the same functions. Both come to the same bytes.
func buildSection(ctx context.Context, b *bench) error {
	kustomize := filepath.Join(b.work, "kustomize")
	if err := b.goBuild(ctx, filepath.Join(b.root, "testdata", "kustomize"), kustomize, "sigs.k8s.io/kustomize/kustomize/v5", "CGO_ENABLED=0"); err != nil {
		return err
	}
	modules := []struct{ name, file string }{{"kyaml", ""}, {"stamp", ""}}
	for i := range modules {
		modules[i].file = filepath.Join(b.work, "build-"+modules[i].name+".wasm")
	}
	if err := b.goBuild(ctx, filepath.Join(b.root, "testdata", "functions"), modules[0].file, "./set-metadata", "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0"); err != nil {
		return err
	}
	if err := b.command(ctx, b.root, nil, "sh", "-c", "go run ./internal/testkit/stamp/cmd/stamp > "+modules[1].file); err != nil {
		return err
	}
	rounds := b.Rounds
	if rounds == 0 {
		rounds = map[bool]int{false: 9, true: 3}[b.Quick]
	}
	t := b.table()
	fmt.Fprintln(t, "functions\tkrmsafe build, CPU s\tkustomize + exec, CPU s\tratio, CPU\tratio, wall\t")
	figures := map[string][]*series{}
	for _, m := range modules {
		for _, n := range []int{0, 1, 10} {
			row := fmt.Sprintf("build-%s/%d", m.name, n)
			if !b.only.MatchString(row) {
				continue
			}
			all, err := b.buildPair(kustomize, row, m.file, n)
			if err != nil {
				return err
			}
			result, err := b.turns(ctx, all, rounds)
			if err != nil {
				return err
			}
			for _, s := range result {
				if s.NotMeasured != "" {
					b.note(row+": "+s.Name, s.NotMeasured)
				}
			}
			figures[row] = result
			own, stock := result[0], result[1]
			ratio := own.ratio(cpu, stock, cpu)
			fmt.Fprintf(t, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t\n", row, own.median(cpu), stock.median(cpu), ratio, own.ratio(wall, stock, wall))
			if n == 10 {
				b.aim(target{Name: row + ": krmsafe build to kustomize with exec, CPU", Bound: 0.35}, ratio)
			}
		}
	}
	b.keep("build", figures)
	if one, ten := figures["build-stamp/1"], figures["build-stamp/10"]; one != nil && ten != nil {
		b.aim(target{Name: "build-stamp: ten functions in one build to one, CPU", Bound: 3}, ten[0].ratio(cpu, one[0], cpu))
	}
	return t.Flush()
}

// buildPair writes one kustomization twice: with modules, and with krmsafe as the
// program. The functions are the same and so is what comes out.
func (b *bench) buildPair(kustomize, row, module string, n int) ([]*contender, error) {
	dir := filepath.Join(b.work, strings.ReplaceAll(row, "/", "-"))
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	files := map[string]string{}
	for kind, annotation := range map[string]string{
		"wasm": fmt.Sprintf("wasip1: {file: ../%s}", filepath.Base(module)),
		"exec": fmt.Sprintf("exec: {path: %s, args: [run, --file, %s, --allow-unsigned, -q]}", b.krmsafe, module),
	} {
		list := "resources: [cm.yaml]\ntransformers:\n"
		if n == 0 {
			list = "resources: [cm.yaml]\n"
		}
		for i := range n {
			name := "fn" + strconv.Itoa(i)
			list += "- " + name + ".yaml\n"
			files[kind+"/"+name+".yaml"] = "apiVersion: functions.krmsafe.dev/v1alpha1\nkind: SetMetadata\nmetadata:\n  name: " + name +
				"\n  annotations:\n    config.kubernetes.io/function: |\n      " + annotation + "\nspec:\n  labels: {" + name + ": set}\n"
		}
		files[kind+"/kustomization.yaml"] = list
		files[kind+"/cm.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {color: red}\n"
	}
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	if err := os.Link(module, filepath.Join(dir, filepath.Base(module))); err != nil {
		return nil, err
	}
	var first []byte
	same := func(stdout string) error {
		text, err := os.ReadFile(stdout)
		if err == nil && first == nil {
			first = text
		}
		if err == nil && !bytes.Equal(first, text) {
			err = fmt.Errorf("the two builds differ")
		}
		return err
	}
	return []*contender{
		{name: "krmsafe build", stdin: os.DevNull, check: same, argv: []string{b.krmsafe, "build", filepath.Join(dir, "wasm"), "--root", dir, "--allow-unsigned", "-q"}},
		{name: "kustomize + exec", stdin: os.DevNull, check: same, argv: []string{kustomize, "build", "--enable-alpha-plugins", "--enable-exec", filepath.Join(dir, "exec")}},
	}, nil
}
