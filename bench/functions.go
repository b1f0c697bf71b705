package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A kind is a way of writing KRM functions. The functions under functions/ all
// set the same annotation on every resource.
type kind struct {
	name  string
	about string
	goes  bool // it is Go, whose runtime reads GOGC
	build func(ctx context.Context, b *bench, wasm, native string) error
}

var kinds = []kind{
	{"kyaml", "Go, the whole framework of kyaml", true, buildGo("kyaml")},
	{"lean", "Go, a YAML library and nothing else", true, buildGo("lean")},
	{"rust", "Rust, the yaml-rust library", false, buildRust},
	{"c", "C, by lines", false, buildC},
}

// A function is a kind that was built, with all that the columns need of it.
type function struct {
	kind
	wasm, native string
	digest       string // of the module
	size         int64
	layout, key  string // signed artifact
	compiled     map[string]string
	missing      map[string]string // columns that could not be prepared, and why
}

func buildGo(name string) func(context.Context, *bench, string, string) error {
	return func(ctx context.Context, b *bench, wasm, native string) error {
		if err := b.goBuild(ctx, "functions", native, "./"+name, "CGO_ENABLED=0"); err != nil {
			return err
		}
		return b.goBuild(ctx, "functions", wasm, "./"+name, "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	}
}

func buildC(ctx context.Context, b *bench, wasm, native string) error {
	if err := b.command(ctx, ".", nil, "clang", "-O2", "-o", native, "functions/c/main.c"); err != nil {
		return err
	}
	return b.command(ctx, ".", nil, "clang", "--target=wasm32-wasi", "-O2", "-Wl,--strip-all", "-o", wasm, "functions/c/main.c")
}

// buildRust compiles without cargo, which would ask a registry: the library is
// the one that Debian packages as source.
func buildRust(ctx context.Context, b *bench, wasm, native string) error {
	rustc, target, err := findRust(ctx)
	if err != nil {
		return err
	}
	hashmap, yaml, err := findCrates()
	if err != nil {
		return err
	}
	for _, t := range []struct{ out, target string }{{native, ""}, {wasm, target}} {
		dir := filepath.Join(b.work, "rust-"+t.target)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		base := []string{rustc, "--edition=2018", "-O", "--cap-lints=allow", "-Cstrip=symbols", "-L", dir}
		if t.target != "" {
			base = append(base, "--target", t.target)
		}
		for _, args := range [][]string{
			{"--crate-type=rlib", "--crate-name=linked_hash_map", "--out-dir", dir, hashmap},
			{"--crate-type=rlib", "--crate-name=yaml_rust", "--out-dir", dir, "--extern", "linked_hash_map=" + filepath.Join(dir, "liblinked_hash_map.rlib"), yaml},
			{"-o", t.out, "--extern", "yaml_rust=" + filepath.Join(dir, "libyaml_rust.rlib"), "functions/rust/main.rs"},
		} {
			if err := b.command(ctx, ".", nil, append(base[:len(base):len(base)], args...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// findRust looks for a rustc that has a standard library for WASI: the first on
// the path may be one without.
func findRust(ctx context.Context) (rustc, target string, err error) {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		rustc = filepath.Join(dir, "rustc")
		if _, err := os.Stat(rustc); err != nil {
			continue
		}
		for _, target = range []string{"wasm32-wasip1", "wasm32-wasi"} {
			lib, err := exec.CommandContext(ctx, rustc, "--print=target-libdir", "--target="+target).Output()
			if err != nil {
				continue
			}
			if std, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(lib)), "libstd-*.rlib")); len(std) > 0 {
				return rustc, target, nil
			}
		}
	}
	return "", "", fmt.Errorf("no rustc with a standard library for WASI (Debian: rustc libstd-rust-dev-wasm32)")
}

func findCrates() (hashmap, yaml string, err error) {
	for _, c := range []struct {
		pattern string
		file    *string
	}{{"linked-hash-map-*", &hashmap}, {"yaml-rust-*", &yaml}} {
		found, _ := filepath.Glob(filepath.Join("/usr/share/cargo/registry", c.pattern, "src", "lib.rs"))
		if len(found) == 0 {
			return "", "", fmt.Errorf("no source of %s (Debian: librust-yaml-rust-dev)", c.pattern)
		}
		*c.file = found[0]
	}
	return hashmap, yaml, nil
}

// prepare builds a function and all that is made ahead of a run: wasmtime's
// machine code and a signed artifact. What is dear is kept by the module's digest.
func (b *bench) prepare(ctx context.Context, k kind) (*function, error) {
	f := &function{kind: k, compiled: map[string]string{}, missing: map[string]string{}}
	f.wasm, f.native = filepath.Join(b.work, k.name+".wasm"), filepath.Join(b.work, k.name+".native")
	if err := k.build(ctx, b, f.wasm, f.native); err != nil {
		return nil, err
	}
	module, err := os.ReadFile(f.wasm)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(module)
	f.digest, f.size = hex.EncodeToString(sum[:]), int64(len(module))
	name := filepath.Join(b.work, k.name+"-"+f.digest[:16])
	f.layout, f.key = name+".layout", name+".pub"
	if err := once(f.layout, func(dir string) error {
		return b.command(ctx, b.root, nil, "go", "run", "./internal/testkit/publish", "--module", f.wasm, "--layout", dir, "--signed", "v1",
			"--unsigned", "unsigned", "--public-key", f.key)
	}); err != nil {
		return nil, err
	}
	for _, fuel := range []string{"plain", "fuel"} {
		f.compiled[fuel] = name + "-" + fuel + "-" + wasmtimeVersion(b.document.Machine) + ".cwasm"
		if !b.Peers {
			f.missing["wasmtime"] = "switched off by -wasmtime=false"
		} else if err := once(f.compiled[fuel], func(file string) error {
			b.progress("wasmtime compiles %s (%s)", k.name, fuel)
			return b.command(ctx, ".", nil, filepath.Join(b.work, "wasmtimerun"), "compile", fuel, f.wasm, file)
		}); err != nil {
			f.missing["wasmtime"] = err.Error()
		}
	}
	return f, nil
}

// once makes a file or folder unless it is there, whole or not at all.
func once(name string, build func(name string) error) error {
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	part := name + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := build(part); err != nil {
		return err
	}
	return os.Rename(part, name)
}

func wasmtimeVersion(m machine) string {
	for path, version := range m.Modules {
		if strings.Contains(path, "wasmtime") {
			return version
		}
	}
	return "none"
}
