package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A kernel is a program to measure, given by its source under kernels/.
type kernel struct {
	name   string
	source string
	about  string
}

var kernels = []kernel{
	{"k1-sha256", "k1_sha256.c", "C, hash"},
	{"k2-json", "k2_json.c", "C, JSON parser"},
	{"k3-quicksort", "k3_quicksort.c", "C, sort"},
	{"k4-matmul", "k4_matmul.c", "C, matrix product"},
	{"k5-fib", "k5_fib.c", "C, calls"},
	{"k6-interp", "k6_interp.c", "C, interpreter loop"},
	{"k7-scan", "k7_scan.c", "C, byte scan"},
	{"g1-json", "gojson", "Go, encoding/json"},
	{"g2-sort", "gosort", "Go, sort"},
	{"g3-matrix", "gomatrix", "Go, matrix product and hash"},
	{"g4-yaml", "goyaml", "Go, YAML resources"},
}

// build compiles the kernel into dir and returns the module.
func (k kernel) build(ctx context.Context, dir string) ([]byte, error) {
	out, err := filepath.Abs(filepath.Join(dir, k.name+".wasm"))
	if err != nil {
		return nil, err
	}
	var cmd *exec.Cmd
	if strings.HasSuffix(k.source, ".c") {
		cmd = exec.CommandContext(ctx, "clang", "--target=wasm32-wasi", "-O2", "-Wl,--strip-all", "-o", out, filepath.Join("kernels", k.source))
	} else {
		cmd = exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", out, "./kernels/"+k.source)
		cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", cmd.Args[0], err, strings.TrimSpace(string(text)))
	}
	return os.ReadFile(out)
}
